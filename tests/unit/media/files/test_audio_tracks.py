"""Sound on its way into a new file: one kind, without holes, at its own time."""

import io
from collections.abc import Sequence
from fractions import Fraction

import av
import numpy as np
import pytest

from mien.media.files.audio_tracks import Converted
from mien.media.files.demuxing import AudioKind

RATE = 48_000


def frame(
    start_s: float, seconds: float, *, layout: str = "stereo", rate: int = RATE, level: float = 0.5
) -> av.AudioFrame:
    count = round(seconds * rate)
    channels = av.AudioLayout(layout).nb_channels
    wave = np.full((channels, count), level, np.float32)
    made = av.AudioFrame.from_ndarray(wave, format="fltp", layout=layout)
    made.sample_rate, made.pts, made.time_base = rate, round(start_s * rate), Fraction(1, rate)
    return made


def converted(frames: Sequence[av.AudioFrame], *kinds: AudioKind) -> tuple[float, np.ndarray]:
    """Return when the new sound begins, and one channel of it."""
    source = io.BytesIO()
    with av.open(source, "w", format="matroska") as container:
        stream = container.add_stream("pcm_s16le", rate=RATE, layout="stereo")
        container.mux(stream.encode(frame(0, 0.1)))
        container.mux(stream.encode(None))
    source.seek(0)
    target = io.BytesIO()
    with av.open(source, "r") as old, av.open(target, "w", format="matroska") as new:
        route = Converted(new, old.streams.audio[0], "aac", kinds or [AudioKind("stereo", RATE)])
        for one in frames:
            for packet in route._take(one):
                new.mux(packet)
        for packet in route(None):
            new.mux(packet)
    target.seek(0)
    with av.open(target, "r") as written:
        found = list(written.decode(audio=0))
    return found[0].time or 0.0, np.concatenate([one.to_ndarray()[0] for one in found])


def level(samples: np.ndarray, at_s: float) -> float:
    return float(np.abs(samples[round(at_s * RATE) :][:1000]).mean())


def test_a_gap_is_filled_with_silence():
    start, samples = converted([frame(1.0, 0.5), frame(2.0, 0.5)])
    assert start == pytest.approx(1.0, abs=0.03)
    assert samples.size == pytest.approx(1.5 * RATE, abs=3000)
    assert level(samples, 0.25) > 0.3
    assert level(samples, 0.75) < 0.05
    assert level(samples, 1.25) > 0.3


def test_what_overlaps_is_left_out():
    _, samples = converted([frame(0, 1.0), frame(0.5, 1.0, level=0.2)])
    assert samples.size == pytest.approx(1.5 * RATE, abs=3000)


def test_jitter_of_stamps_is_neither_gap_nor_overlap():
    times = [0, 0.11, 0.19, 0.305, 0.4]
    _, samples = converted([frame(at, 0.1) for at in times])
    assert samples.size == pytest.approx(0.5 * RATE, abs=2100)
    assert min(level(samples, at) for at in (0.1, 0.15, 0.2, 0.25, 0.3)) > 0.3


def test_a_gap_of_minutes_costs_no_minutes_of_silence():
    _, samples = converted([frame(0, 0.5), frame(600, 0.5)])
    assert samples.size < 2 * RATE


def test_the_most_channels_and_the_highest_rate_are_kept():
    kinds = (AudioKind("mono", 22_050), AudioKind("5.1(side)", 44_100))
    target = io.BytesIO()
    with av.open(io.BytesIO(), "w", format="matroska") as container:
        source = container.add_stream("pcm_s16le", rate=RATE, layout="stereo")
        with av.open(target, "w", format="matroska") as new:
            route = Converted(new, source, "aac", kinds)
            assert (route.target.rate, route.target.layout.name) == (44_100, "5.1")


def test_kinds_may_alternate():
    frames = [frame(n * 0.2, 0.2, layout=("stereo", "mono")[n % 2], rate=(RATE, 32_000)[n % 2]) for n in range(6)]
    _, samples = converted(frames, AudioKind("stereo", RATE), AudioKind("mono", 32_000))
    assert samples.size == pytest.approx(1.2 * RATE, abs=2500)
    assert min(level(samples, 0.1 + n * 0.2) for n in range(6)) > 0.2


def test_a_layout_that_has_no_name_becomes_one_that_has():
    _, samples = converted([frame(0, 0.5)], AudioKind("0 channels", RATE))
    assert samples.size == pytest.approx(0.5 * RATE, abs=2100)
