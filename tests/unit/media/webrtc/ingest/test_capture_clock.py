import pytest
from hypothesis import given
from hypothesis import strategies as st

from mien.media.webrtc.ingest.capture_clock import CaptureClock

VIDEO, AUDIO = 90_000, 48_000


class Now:
    def __init__(self):
        self.at = 1000.0

    def __call__(self):
        return self.at


@pytest.fixture
def now():
    return Now()


def test_the_capture_time_is_the_arrival_less_the_jitter(now):
    clock = CaptureClock(now)
    for number, jitter in enumerate((0.03, 0.0, 0.05, 0.01)):
        now.at = 1000.0 + number / 30 + jitter
        clock.arrived("video", number * 3000, VIDEO)
    now.at = 1000.3
    assert clock.captured("video", 2 * 3000) == pytest.approx(1000.0 + 2 / 30, abs=1e-6)


def test_sender_reports_put_both_tracks_on_one_clock(now):
    clock = CaptureClock(now)
    # Taken at 5000 s of the sender's clock; the picture needs 60 ms to us, the sound 10 ms.
    now.at = 1000.010
    clock.arrived("audio", 480, AUDIO)
    now.at = 1000.060
    clock.arrived("video", 900, VIDEO)
    apart = clock.captured("video", 900) - clock.captured("audio", 480)
    assert apart == pytest.approx(0.05)
    clock.reported("audio", 5000.0, 480)
    clock.reported("video", 5000.0, 900)
    assert clock.captured("video", 900) == pytest.approx(clock.captured("audio", 480))


def test_one_report_of_a_busy_sender_moves_nothing(now):
    clock = CaptureClock(now)
    clock.arrived("audio", 0, AUDIO)
    clock.arrived("video", 0, VIDEO)
    for late in (0.0, 0.2, 0.0, 0.0):
        clock.reported("audio", 5000.0 + late, 0)
        clock.reported("video", 5000.0, 0)
        assert clock.captured("video", 0) == pytest.approx(clock.captured("audio", 0))


@pytest.mark.parametrize("said", [5002.0, 9000.0])
def test_a_report_that_makes_no_sense_changes_nothing(now, said):
    clock = CaptureClock(now)
    clock.arrived("audio", 0, AUDIO)
    clock.arrived("video", 0, VIDEO)
    clock.reported("audio", 5000.0, 0)
    clock.reported("video", said, 0)
    assert clock.captured("video", 0) == clock.captured("audio", 0) == 1000.0


@given(start=st.integers(0, 2**32 - 1))
def test_the_count_goes_on_when_the_timestamp_wraps(start):
    now = Now()
    clock = CaptureClock(now)
    for number in range(5):
        now.at = 1000.0 + number
        clock.arrived("video", (start + number * VIDEO) % 2**32, VIDEO)
    assert clock.captured("video", (start + 3 * VIDEO) % 2**32) == pytest.approx(1003.0)


@pytest.mark.parametrize("count", [2**31, 2**32 - 10 * VIDEO])
def test_a_sender_that_begins_a_new_count_is_followed(now, count):
    clock = CaptureClock(now)
    clock.arrived("video", 0, VIDEO)
    now.at += 1
    clock.arrived("video", count, VIDEO)
    assert clock.captured("video", count) == now.at
    assert clock.captured("video", count - VIDEO // 2) == now.at - 0.5, "what it was before counts no more"


def test_nothing_was_captured_in_the_future_or_long_ago(now):
    clock = CaptureClock(now)
    assert clock.captured("video", 5) == now.at
    clock.arrived("video", 0, VIDEO)
    assert clock.captured("video", VIDEO) == now.at
    now.at += 60
    assert clock.captured("video", 0) == now.at - 5


def test_a_drifting_clock_is_followed_within_seconds(now):
    clock = CaptureClock(now)
    for number in range(3000):
        now.at = 1000.0 + number / 30 * 1.001  # the sender's clock is slow by a thousandth
        clock.arrived("video", number * 3000, VIDEO)
    assert clock.captured("video", 2999 * 3000) == pytest.approx(now.at, abs=0.006)
