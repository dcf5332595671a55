"""The bytes of requests: JSON with sample files, multipart, placeholders, secrets; the same bytes each time."""

from __future__ import annotations

import json
from email.message import Message as Mail
from email.parser import BytesParser
from email.policy import HTTP
from pathlib import Path
from typing import cast

import pytest

from mlpack.client.files import Files
from mlpack.client.message import fill, message
from mlpack.errors import MlpackError, VerifyError
from mlpack.spec import EnvValue, Step


@pytest.fixture
def files(tmp_path: Path) -> Files:
    (tmp_path / "samples").mkdir()
    (tmp_path / "samples" / "texts.json").write_text('{"texts": ["a", "ü"]}')
    (tmp_path / "samples" / "long.txt").write_text("Grüße\n")
    (tmp_path / "samples" / "eye.jpg").write_bytes(b"\xff\xd8\r\n--x\x00")
    (tmp_path / "samples" / 'kn"ee.npy').write_bytes(b"npy")
    return Files(tmp_path)


def test_json_bodies_take_files_at_any_depth(files: Files) -> None:
    step = Step(to="web", method="POST", path="/embed", json_={"file": "samples/texts.json"})
    sent = message(step, files, {}, {})
    assert (sent.method, sent.target) == ("POST", "/embed")
    assert json.loads(sent.body) == {"texts": ["a", "ü"]}
    assert ("Content-Type", "application/json") in sent.headers
    deep = step.model_copy(update={"json_": {"items": [{"text": {"file": "samples/long.txt"}}], "file": 3}})
    assert json.loads(message(deep, files, {}, {}).body) == {"items": [{"text": "Grüße\n"}], "file": 3}


def test_multipart_is_read_back_by_a_real_parser(files: Files) -> None:
    fields = {"scan": 'samples/kn"ee.npy', 'im"age': "samples/eye.jpg"}
    step = Step(to="web", method="POST", path="/analyze", file=fields)
    sent = message(step, files, {}, {})
    assert sent == message(step, files, {}, {})
    content_type = dict(sent.headers)["Content-Type"]
    mail = BytesParser(policy=HTTP).parsebytes(f"Content-Type: {content_type}\r\n\r\n".encode() + sent.body)
    parts = cast("list[Mail]", mail.get_payload())
    assert [part.get_param("name", header="Content-Disposition") for part in parts] == ["scan", "im%22age"]
    assert [part.get_filename() for part in parts] == ["kn%22ee.npy", "eye.jpg"]
    assert parts[1].get_content_type() == "image/jpeg"
    assert b"\r\n\r\n\xff\xd8\r\n--x\x00\r\n" in sent.body


def test_placeholders_are_filled_and_encoded() -> None:
    assert fill("/jobs/{id}/{n}.png?x=1", {"id": "a/b ü", "n": 7}) == "/jobs/a%2Fb%20%C3%BC/7.png?x=1"


@pytest.mark.parametrize("known", [{}, {"id": None}, {"id": True}, {"id": [1]}, {"id": 1.5}])
def test_a_placeholder_without_a_plain_value_is_said(known: dict[str, object]) -> None:
    with pytest.raises(VerifyError, match="named 'id'"):
        fill("/jobs/{id}", known)


def test_headers_come_from_text_and_secrets(files: Files) -> None:
    headers = {"X-A": EnvValue(text="b"), "X-API-Key": EnvValue(secret="api_key")}
    step = Step(to="web", path="/", headers=headers)
    assert message(step, files, {"api_key": "s3cret"}, {}).headers == (("X-A", "b"), ("X-API-Key", "s3cret"))
    with pytest.raises(VerifyError, match="the secret 'api_key'"):
        message(step, files, {}, {})


def test_missing_and_binary_samples_name_the_file(files: Files) -> None:
    for path in ("samples/absent.json", "samples/absent.txt"):
        with pytest.raises(MlpackError) as caught:
            message(Step(to="web", method="POST", path="/", json_={"file": path}), files, {}, {})
        assert caught.value.where == path
    (files.root / "samples" / "bytes.txt").write_bytes(b"\xff\xfe")
    with pytest.raises(MlpackError, match="not UTF-8"):
        message(Step(to="web", method="POST", path="/", json_={"t": {"file": "samples/bytes.txt"}}), files, {}, {})
