"""The documents example's way to its language model: pauses, the breaker, the slots; against a real HTTP server."""

from __future__ import annotations

import http.server
import json
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest

sys.path.append(str(Path(__file__).parent.parent.parent / "examples" / "documents"))

from forms import llm  # type: ignore[import-not-found,unused-ignore]

RIGHT = {"choices": [{"message": {"content": "right"}}]}


class Model(http.server.BaseHTTPRequestHandler):
    """Answers with the statuses it is told, then with 200; counts who asks at once."""

    statuses: ClassVar[list[int]] = []
    now: ClassVar[int] = 0
    most: ClassVar[int] = 0
    lock: ClassVar[Any] = threading.Lock()

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        with self.lock:
            Model.now += 1
            Model.most = max(self.most, self.now)
            status = self.statuses.pop(0) if self.statuses else 200
        threading.Event().wait(0.02)
        with self.lock:
            Model.now -= 1
        body = json.dumps(RIGHT if status == 200 else {}).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Nothing is logged."""


@pytest.fixture
def url() -> Iterator[str]:
    Model.statuses, Model.now, Model.most = [], 0, 0
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Model)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    thread.join()
    server.server_close()


class Clock:
    """Time that passes only while somebody sleeps."""

    def __init__(self) -> None:
        self.now, self.slept = 0.0, list[float]()

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


def client(url: str, folder: Path, clock: Clock, **more: Any) -> Any:
    """A client whose pauses cost no time."""
    breaker = llm.Breaker(clock=clock, **more)
    return llm.Client(url, 1, 5.0, folder, breaker, clock.sleep, clock)


def test_it_asks_again_with_growing_pauses_and_says_why(url: str, tmp_path: Path) -> None:
    Model.statuses[:] = [503, 500, 503]
    clock, heard = Clock(), list[str]()
    assert client(url, tmp_path, clock).ask([], {}, within_s=60, waits=heard.append) == "right"
    assert heard == [
        "the language model is not loaded yet",
        "the language model's server answered 500",
        "the language model is not loaded yet",
        "",
    ]
    assert len(clock.slept) == 3
    for pause, longest in zip(clock.slept, (0.5, 1.0, 2.0), strict=True):
        assert longest / 2 <= pause <= longest


def test_it_gives_up_in_time_with_the_reason(url: str, tmp_path: Path) -> None:
    Model.statuses[:] = [503] * 100
    clock = Clock()
    with pytest.raises(llm.Away, match="within 30 s: the language model is not loaded yet"):
        client(url, tmp_path, clock).ask([], {}, within_s=30)
    assert 30 <= clock.now < 30 + llm.LONGEST_PAUSE_S
    with pytest.raises(llm.Away, match="does not answer"):
        client("http://127.0.0.1:1", tmp_path, Clock()).ask([], {}, within_s=1)


def test_a_wrong_question_is_not_asked_again(url: str, tmp_path: Path) -> None:
    Model.statuses[:] = [400]
    with pytest.raises(llm.Refused, match="400"):
        client(url, tmp_path, Clock()).ask([], {}, within_s=60)


def test_the_breaker_opens_rests_and_closes(url: str, tmp_path: Path) -> None:
    clock = Clock()
    one = client(url, tmp_path, clock, most=2, open_s=50.0)
    Model.statuses[:] = [500] * 2
    with pytest.raises(llm.Away):
        one.ask([], {}, within_s=10)
    assert Model.statuses == []
    Model.statuses[:] = [500]
    with pytest.raises(llm.Away):  # open: nobody is asked
        one.ask([], {}, within_s=10)
    assert Model.statuses == [500]
    clock.now += 50
    assert one.ask([], {}, within_s=70) == "right"  # the try fails, the next after another rest does not
    assert one.breaker.rests_s() == 0


def test_no_more_ask_at_once_than_there_are_slots(url: str, tmp_path: Path) -> None:
    ask = [
        threading.Thread(target=llm.Client(url, 2, 5.0, tmp_path).ask, args=([], {}), kwargs={"within_s": 30})
        for _ in range(6)
    ]
    for thread in ask:
        thread.start()
    for thread in ask:
        thread.join()
    assert Model.most == 2
