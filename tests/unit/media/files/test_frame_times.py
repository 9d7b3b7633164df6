"""The time of each frame, where files stamp them well, badly or not at all."""

from fractions import Fraction

import av
import pytest

from mien.media.files.frame_times import backdate, frame_times


def frame(pts: int | None) -> av.VideoFrame:
    made = av.VideoFrame(16, 16, "yuv420p")
    made.pts = pts
    return made


def packet(dts: int) -> av.Packet:
    made = av.Packet(b"x")
    made.dts = dts
    return made


@pytest.mark.parametrize(
    ("stamps", "wanted"),
    [
        pytest.param([0, 40, 90], [0, 40, 90], id="as they are"),
        pytest.param([7, None, None, 200], [7, 47, 87, 200], id="missing ones by the step"),
        pytest.param([5, 5, 5, 6], [5, 6, 7, 8], id="repeated ones by the least step"),
        pytest.param([100, 60, 140], [100, 101, 140], id="none goes back"),
    ],
)
def test_times_grow_whatever_is_stamped(stamps, wanted):
    times = frame_times("matroska,webm", Fraction(40))
    assert [times(frame(stamp)) for stamp in stamps] == wanted


def test_a_raw_stream_is_counted_without_drift():
    times = frame_times("h264", Fraction(1_200_000, 30_000) * 1001 / 1000)
    assert [times(frame(stamp)) for stamp in (None, 9, None)] == [0, 40, 80]
    assert [times(frame(None)) for _ in range(997)][-1] == round(999 * Fraction(1001, 25))


def test_avi_gives_packets_times_in_their_order_and_takes_back_what_broke():
    times = frame_times("avi", Fraction(1))
    packets = [packet(n) for n in range(6)]
    for one in packets[:4]:
        times.expect(one)
    assert [times(frame(stamp)) for stamp in (1, 4)] == [0, 1]
    times.forget(packets[2])
    for one in packets[4:]:
        times.expect(one)
    assert [times(frame(stamp)) for stamp in (3, 6, 5)] == [3, 4, 5]


def test_frames_before_the_first_time_are_dated_back_from_it():
    frames = [frame(None), frame(None), frame(10), frame(None)]
    assert backdate(frames, Fraction(40))
    assert [one.pts for one in frames] == [-70, -30, 10, None]
    assert not backdate([frame(None)], Fraction(40))
