"""One clock for all streams, where a file's own clock jumps."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mien.media.files.timeline import Timeline

TICK = Fraction(1, 90_000)
FRAME, SOUND = 3600, 1920  # 25 frames a second, 1024 samples at 48 kHz


@dataclass
class Stream:
    index: int
    type: str


VIDEO, AUDIO, TEXT = Stream(0, "video"), Stream(1, "audio"), Stream(2, "subtitle")


@dataclass
class Packet:
    stream: Stream
    pts: int | None
    dts: int | None
    duration: int = 0
    time_base: Fraction | None = TICK
    size: int = 100
    was: int | None = field(default=None)

    def __post_init__(self) -> None:
        self.was = self.pts


def take(start: int, frames: int, *, lag: int = 0, text: bool = False) -> list[Packet]:
    """Return a take of a film as it lies in a file: sound begins `lag` ticks before the picture."""
    pictures = [Packet(VIDEO, start + n * FRAME, start + n * FRAME, FRAME) for n in range(frames)]
    count = (frames * FRAME + lag) // SOUND
    sounds = [Packet(AUDIO, start - lag + n * SOUND, start - lag + n * SOUND, SOUND) for n in range(count)]
    words = [Packet(TEXT, start + 10, start + 10, 9000)] if text else []
    return sorted([*pictures, *sounds, *words], key=lambda packet: packet.dts or 0)


def on_one_clock(packets: Iterable[Packet], *, start: int = 0, leap: int = 10) -> tuple[list[Packet], Timeline[Packet]]:
    timeline: Timeline[Packet] = Timeline(start=start * TICK, leap=Fraction(leap))
    return list(timeline(packets)), timeline


def times(packets: Iterable[Packet], stream: Stream) -> list[int]:
    return [packet.pts for packet in packets if packet.stream is stream and packet.pts is not None]


def offsets(packets: Iterable[Packet]) -> list[int]:
    return list(dict.fromkeys(p.pts - p.was for p in packets if p.pts is not None and p.was is not None))


def is_growing(numbers: list[int]) -> bool:
    return all(a < b for a, b in pairwise(numbers))


def test_a_steady_clock_is_left_alone_but_for_its_start():
    out, timeline = on_one_clock(take(126_000, 50, lag=900, text=True), start=125_100)
    assert offsets(out) == [-125_100]
    assert (timeline.repairs, len(timeline.joints)) == (0, 0)


def test_frames_stored_in_another_order_than_shown_are_no_jump():
    order = [0, 4, 2, 1, 3, 8, 6, 5, 7]
    packets = [Packet(VIDEO, n * FRAME, None if place < 2 else (place - 2) * FRAME) for place, n in enumerate(order)]
    out, timeline = on_one_clock(packets)
    assert (offsets(out), timeline.repairs) == ([0], 0)


@pytest.mark.parametrize("step", [FRAME, 90_000])
def test_frames_with_presentation_times_alone_are_no_jump(step):
    out, timeline = on_one_clock([Packet(VIDEO, n * step, None) for n in [0, 4, 2, 1, 3, 8, 6, 5, 7]])
    assert (offsets(out), timeline.repairs) == ([0], 0)


@pytest.mark.parametrize("second", [126_000, 9_000, 126_000 + 3600 * 90_000, 5_000_000_000])
def test_sound_and_picture_of_the_next_take_get_one_offset(second):
    out, timeline = on_one_clock([*take(126_000, 50, lag=900), *take(second, 50, lag=900)], start=126_000)
    assert len(offsets(out)) == 2
    assert timeline.repairs == 1
    assert is_growing(times(out, VIDEO))
    assert is_growing(times(out, AUDIO))
    pictures, sounds = times(out, VIDEO), times(out, AUDIO)
    assert pictures[50] - sounds[len(sounds) // 2] == 900, "the second take is in step"
    assert 0 <= pictures[50] - (pictures[49] + FRAME) <= SOUND, "and follows the first"
    assert [float(joint) for joint in timeline.joints] == [pictures[50] / 90_000]


def test_pictures_of_the_last_take_that_come_after_sound_of_the_next_still_belong_to_it():
    first, second = take(90_000, 50), take(9_000, 50)
    late = [packet for packet in first if packet.stream is VIDEO][-8:]
    early = [packet for packet in second if packet.stream is AUDIO][:6]
    rest = [packet for packet in second if packet not in early]
    out, timeline = on_one_clock([*(p for p in first if p not in late), *early, *late, *rest])
    assert timeline.repairs == 1
    assert is_growing(times(out, VIDEO))
    assert is_growing(times(out, AUDIO))
    assert {packet.pts - packet.was for packet in first} == {0}
    assert len(offsets(second)) == 1


def test_a_picture_that_crosses_long_after_the_sound_takes_the_sounds_offset():
    leap = 3600 * 90_000
    sounds = [p for p in take(0, 5000) if p.stream is AUDIO]
    pictures = [p for p in take(0, 5000) if p.stream is VIDEO]
    for packet in [p for p in sounds if (p.pts or 0) > 90_000] + [p for p in pictures if (p.pts or 0) > 150 * 90_000]:
        packet.pts = packet.dts = packet.was = (packet.pts or 0) + leap
    order = sorted([*sounds, *pictures], key=lambda p: (p.pts or 0) % leap)
    out, timeline = on_one_clock(order)
    assert timeline.repairs == 1
    assert is_growing(times(out, VIDEO))
    assert len(offsets(out)) == 2


def test_a_stream_that_leaps_alone_is_brought_back():
    packets = take(0, 200)
    for packet in packets:
        if packet.stream is AUDIO and (packet.pts or 0) > 90_000:
            packet.pts = packet.dts = (packet.pts or 0) + 500 * 90_000
    out, _ = on_one_clock(packets)
    assert max(times(out, AUDIO)) < 9 * 90_000
    assert is_growing(times(out, AUDIO))


def test_silence_shorter_than_a_leap_stays():
    out, timeline = on_one_clock([*take(0, 25), *take(9 * 90_000, 25)])
    assert (offsets(out), timeline.repairs) == ([0], 0)


def test_a_stream_may_pause_while_another_goes_on():
    pictures = [Packet(VIDEO, n * FRAME, n * FRAME, FRAME) for n in (*range(25), *range(1000, 1025))]
    sounds = [p for p in take(0, 1025) if p.stream is AUDIO]
    out, timeline = on_one_clock(sorted([*pictures, *sounds], key=lambda packet: packet.dts or 0))
    assert (offsets(out), timeline.repairs) == ([0], 0)


def test_a_clock_of_33_bits_that_wraps_goes_on():
    wrap = 1 << 33
    packets = take(wrap - 25 * FRAME, 50, lag=900)
    for packet in packets:
        packet.pts = packet.dts = (packet.pts or 0) % wrap
    out, _ = on_one_clock(packets, start=wrap - 25 * FRAME)
    pictures = times(out, VIDEO)
    assert is_growing(pictures)
    assert pictures[-1] - pictures[0] == pytest.approx(49 * FRAME, abs=SOUND)


def test_words_of_the_next_take_move_with_it():
    out, _ = on_one_clock([*take(0, 50, text=True), *take(0, 50, text=True)])
    words, pictures = times(out, TEXT), times(out, VIDEO)
    assert words[0] == 10
    assert words[1] - pictures[50] == 10


def test_packets_without_a_time_keep_their_place():
    flush = Packet(VIDEO, None, None, size=0)
    out, _ = on_one_clock([*take(90_000, 25), *take(0, 3), flush])
    assert out[-1] is flush
    assert len(out) == len(take(90_000, 25)) + len(take(0, 3)) + 1


def test_what_was_read_before_an_error_comes_before_it():
    def broken() -> Iterator[Packet]:
        yield from take(90_000, 25)
        yield Packet(AUDIO, 0, 0, SOUND)
        raise OSError("gone")

    got: list[Packet] = []
    with pytest.raises(OSError, match="gone"):
        # Not extend(): it drops what came before an error.
        any(got.append(packet) for packet in Timeline[Packet](leap=Fraction(10))(broken()))
    assert len(got) == len(take(90_000, 25)) + 1


@given(
    starts=st.lists(st.integers(0, (1 << 33) - 1), min_size=2, max_size=5),
    frames=st.integers(26, 60),
    lag=st.integers(0, 20_000),
)
def test_however_takes_are_joined_no_stream_falls_back_and_each_take_is_in_step(starts, frames, lag):
    takes = [take(start + lag, frames, lag=lag) for start in starts]
    steps = {id(packet): number for number, one in enumerate(takes) for packet in one}
    out, _ = on_one_clock([packet for one in takes for packet in one], start=starts[0])
    for stream in (VIDEO, AUDIO):
        # A tenth of a second is jitter: writers leave out what overlaps.
        assert all(after > before - 9000 for before, after in pairwise(times(out, stream)))
    for number in range(len(takes)):
        assert len(offsets([packet for packet in out if steps[id(packet)] == number])) == 1
