"""The spec's largest request becomes the bytes that a worker must answer."""

from __future__ import annotations

from email.parser import BytesParser
from pathlib import Path

import pytest

from mlpack.client.files import Files
from mlpack.client.message import message
from mlpack.errors import SpecError
from mlpack.measure.request import largest_request
from mlpack.spec import Expect, Request, Service, Spec, Step


def spec(*steps: Step, **others: Request) -> Spec:
    services = {
        "web": Service(server="gunicorn"),
        "proxy": Service(server="caddy", to="web"),
        "other": Service(server="redis"),
    }
    requests = {"biggest": Request(largest=True, steps=steps), **others} if steps else others
    return Spec(name="shop", services=services, requests=requests)


def test_json_written_in_the_spec(tmp_path: Path) -> None:
    step = Step(to="web", method="POST", path="/embed", json_={"texts": ["a"]}, expect=Expect(status=201))
    small = Request(steps=(Step(to="web", path="/small"),))
    request = largest_request(spec(step, asmall=small), "web", tmp_path)
    assert (request.method, request.path, request.status) == ("POST", "/embed", 201)
    assert request.body == b'{"texts": ["a"]}'
    assert ("Content-Type", "application/json") in request.headers


def test_json_in_a_file_is_sent_as_verify_sends_it(tmp_path: Path) -> None:
    (tmp_path / "long.json").write_bytes(b'{"texts" :  ["\xc3\xa9"]}\n')
    step = Step(to="web", method="POST", path="/embed", json_={"file": "long.json"})
    body = largest_request(spec(step), "web", tmp_path).body
    assert body == message(step, Files(tmp_path), {}, {}).body == '{"texts": ["é"]}'.encode()
    nested = Step(to="web", method="POST", path="/embed", json_={"all": [{"file": "long.json"}]})
    assert largest_request(spec(nested), "web", tmp_path).body == '{"all": [{"texts": ["é"]}]}'.encode()


def test_a_form_with_a_file_is_read_back_by_a_mail_parser(tmp_path: Path) -> None:
    content = bytes(range(256)) + b"\r\n--not the end"
    (tmp_path / "knee.npy").write_bytes(content)
    request = largest_request(spec(Step(to="web", method="POST", path="/", file={"scan": "knee.npy"})), "web", tmp_path)
    kind = dict(request.headers)["Content-Type"]
    message = BytesParser().parsebytes(f"Content-Type: {kind}\r\n\r\n".encode() + request.body)
    parts = [part for part in message.walk() if not part.is_multipart()]
    assert [part.get_payload(decode=True) for part in parts] == [content]
    assert parts[0].get_filename() == "knee.npy"
    assert parts[0].get_param("name", header="content-disposition") == "scan"


def test_of_several_steps_the_one_with_a_body_that_reaches_the_service(tmp_path: Path) -> None:
    steps = (
        Step(to="web", path="/login"),
        Step(to="proxy", method="POST", path="/analyze", json_=[1]),
        Step(to="proxy", path="/jobs/{id}"),
    )
    assert largest_request(spec(*steps), "web", tmp_path).path == "/analyze"


def test_no_request_is_an_error_that_shows_how_to_write_one(tmp_path: Path) -> None:
    for wrong in (spec(), spec(Step(to="other", path="/")), spec(Step(run=("true",)))):
        with pytest.raises(SpecError, match="no request reaches service 'web'") as caught:
            largest_request(wrong, "web", tmp_path)
        assert "to: web" in (caught.value.hint or "")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    step = Step(to="web", method="POST", path="/", file={"scan": "gone.npy"})
    with pytest.raises(SpecError, match=r"requests\.biggest.*gone\.npy"):
        largest_request(spec(step), "web", tmp_path)


def test_a_path_that_needs_an_earlier_answer_cannot_be_sent(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="needs an earlier answer"):
        largest_request(spec(Step(to="web", path="/jobs/{id}")), "web", tmp_path)
