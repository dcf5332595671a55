"""The sampler keeps every peak it was given, thins the timeline, and survives a service that is not there."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from mlpack.meter.sampler import Peaks, Sampler
from mlpack.meter.sources import Quick
from mlpack.units import MIB


class Script:
    """A source that gives ``readings`` once each, then the last one again; ``done`` is set after the first round."""

    def __init__(self, readings: Sequence[Quick | None]) -> None:
        self.readings, self.at, self.done = readings, 0, threading.Event()

    def __call__(self) -> Quick | None:
        if self.at == len(self.readings):
            self.done.set()
            return self.readings[-1]
        self.at += 1
        return self.readings[self.at - 1]


def mib(anonymous: float, kernel: float = 0, shm: float = 0) -> Quick:
    return Quick(int(anonymous * MIB), int(kernel * MIB), int(shm * MIB))


def sample(readings: Sequence[Quick | None], mapped_bytes: int | None = None, keep_s: float = 100) -> Sampler:
    """A sampler that has seen all ``readings``."""
    source = Script(readings)
    with Sampler(source, (lambda: mapped_bytes) if mapped_bytes else None, every_s=0.0005, keep_s=keep_s) as sampler:
        assert source.done.wait(60)
    return sampler


def test_a_spike_of_one_reading_is_kept() -> None:
    peaks = sample([mib(100)] * 20 + [mib(400)] + [mib(100)] * 20).peaks
    assert peaks.anonymous_bytes == 400 * MIB
    assert peaks.readings >= 41


def test_kinds_peak_apart_and_the_need_at_one_moment() -> None:
    peaks = sample([mib(100, kernel=5), mib(50, kernel=30), mib(10, shm=60)]).peaks
    assert (peaks.anonymous_bytes, peaks.kernel_bytes, peaks.shm_bytes) == (100 * MIB, 30 * MIB, 60 * MIB)
    assert peaks.need_bytes == 105 * MIB


def test_mapped_bytes_are_part_of_the_need() -> None:
    sampler = sample([mib(10)] * 400, mapped_bytes=90 * MIB)
    assert sampler.peaks.mapped_bytes == 90 * MIB
    assert sampler.peaks.need_bytes == 100 * MIB


def test_the_timeline_keeps_the_highest_of_each_span() -> None:
    sampler = sample([mib(1), mib(9), mib(2)] * 5, keep_s=1000)
    assert [sample.anonymous_bytes for sample in sampler.samples] == [9 * MIB]


def test_nothing_to_read_is_no_reading() -> None:
    peaks = sample([None, None, mib(3), None]).peaks
    assert peaks.anonymous_bytes == 3 * MIB
    assert peaks.readings == 1


def test_a_lap_starts_anew_and_the_whole_remembers() -> None:
    source = Script([mib(500), mib(1)])
    with Sampler(source, every_s=0.0005) as sampler:
        assert source.done.wait(60)
        assert sampler.lap().anonymous_bytes == 500 * MIB
        assert sampler.lap().anonymous_bytes == MIB
    assert sampler.peaks.anonymous_bytes == 500 * MIB


def test_peaks_join() -> None:
    both = Peaks(anonymous_bytes=3, readings=2).joined(Peaks(anonymous_bytes=1, mapped_bytes=9, readings=5))
    assert both == Peaks(anonymous_bytes=3, mapped_bytes=9, readings=7)


def test_an_odd_reading_is_told_and_does_not_end_the_watch() -> None:
    script: list[Quick | KeyError] = [mib(1), KeyError("rss"), mib(7)]
    readings = iter(script)
    done = threading.Event()

    def source() -> Quick | None:
        reading = next(readings, None)
        if reading is None:
            done.set()
        if isinstance(reading, KeyError):
            raise reading
        return reading

    with Sampler(source, every_s=0.0005) as sampler:
        assert done.wait(60)
    assert sampler.peaks.anonymous_bytes == 7 * MIB
    assert sampler.fault == "KeyError: 'rss'"
