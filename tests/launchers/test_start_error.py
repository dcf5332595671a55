"""Why `compose up` failed."""

from __future__ import annotations

import pytest

from mlpack.errors import TransientError, VerifyError
from mlpack.launchers.start_error import start_error


@pytest.mark.parametrize(
    "output",
    [
        "Bind for 127.0.0.1:8000 failed: port is already allocated",
        'web Pulling\nError response from daemon: Get "https://x/v2/": dial tcp: lookup x: no such host',
        "web Pulling\ntoomanyrequests: You have reached your pull rate limit",
    ],
)
def test_what_may_work_later_is_transient(output: str) -> None:
    error = start_error(output, {})
    assert isinstance(error, TransientError)
    assert error.hint


@pytest.mark.parametrize(
    ("output", "words"),
    [
        ("image with reference x was found but does not match the specified platform", "another processor"),
        ("web Pulling\nError: manifest unknown", "cannot be pulled"),
        ("OCI runtime create failed: exec: no-such: not found", "cannot be started"),
        # pulled, and then something else: services and logs may be called or say what pulls and ports do
        ("web Pulling\nweb Pulled\nContainer p-web-1  Creating\nError response: no such device", "cannot be started"),
        ("Container p-registry-1  Created\nError response: dial tcp: no such host", "cannot be started"),
        ("web-1  | Pulling from the registry: address already in use\ncontainer is unhealthy", "cannot be started"),
    ],
)
def test_the_rest_is_not(output: str, words: str) -> None:
    error = start_error(output, {"web-1": ("boom",)})
    assert isinstance(error, VerifyError)
    assert words in error.what
    assert "web-1 said last: boom" in error.what
    assert error.hint
