"""Clean-up is not cut short by signals; they are raised when it is done."""

from __future__ import annotations

import os
import signal
import threading

import pytest

from mlpack.verify.shield import shielded


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_waits_until_the_block_is_done(number: signal.Signals) -> None:
    said: list[str] = []
    done = False
    before = signal.getsignal(number)
    with pytest.raises(KeyboardInterrupt), shielded(said.append):
        os.kill(os.getpid(), number)
        os.kill(os.getpid(), number)
        done = True
    assert done
    assert said
    assert signal.getsignal(number) is before


def test_without_a_signal_nothing_is_raised_and_errors_pass() -> None:
    with shielded(lambda _: None):
        pass
    with pytest.raises(ValueError, match="own"), shielded(lambda _: None):
        raise ValueError("own")


def test_in_other_threads_it_does_nothing() -> None:
    worked: list[bool] = []

    def work() -> None:
        with shielded(lambda _: None):
            worked.append(True)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert worked == [True]
