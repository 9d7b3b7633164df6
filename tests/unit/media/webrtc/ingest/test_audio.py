import itertools
import random

import pytest
from aiortc.rtp import RtpPacket
from hypothesis import given
from hypothesis import strategies as st

from mien.media.webrtc.ingest.audio import AudioClock, AudioReorderer, CapturedAudio, duration_ticks

TWENTY_MS = bytes([0xFC, 1, 2, 3])


def packet(number, *, ssrc=7, payload=TWENTY_MS, base=65_530):
    return RtpPacket(
        payload_type=111,
        sequence_number=(base + number) % (1 << 16),
        timestamp=(2**32 - 2000 + number * 960) % (1 << 32),
        ssrc=ssrc,
        payload=payload,
    )


@pytest.mark.parametrize(
    ("head", "ticks"),
    [
        pytest.param([0b00000_000], 480, id="SILK of 10 ms"),
        pytest.param([0b01011_000], 2880, id="SILK of 60 ms"),
        pytest.param([0b01101_000], 960, id="hybrid of 20 ms"),
        pytest.param([0b10000_000], 120, id="CELT of 2.5 ms"),
        pytest.param([0b11111_001], 1920, id="two frames of one length"),
        pytest.param([0b11111_110], 1920, id="two frames, stereo"),
        pytest.param([0b11111_011, 6], 5760, id="six frames, the longest packet"),
        pytest.param([0b11111_011, 7], 0, id="longer than a packet may be"),
        pytest.param([0b11111_011, 0], 0, id="no frames"),
        pytest.param([0b11111_011], 0, id="without a count"),
        pytest.param([], 0, id="empty"),
    ],
)
def test_a_packet_says_how_long_it_sounds(head, ticks):
    assert duration_ticks(bytes(head)) == ticks


@given(st.binary(max_size=1400))
def test_whatever_a_packet_holds_it_sounds_no_longer_than_120_ms(data):
    assert 0 <= duration_ticks(data) <= 5760


def ordered(numbers):
    order = AudioReorderer()
    turns = [turn for number in numbers for turn in order.add(packet(number))]
    first = turns[0][1]
    return [(ticks - first) // 960 for _, ticks in turns], order


@pytest.mark.parametrize(
    ("came", "passed"),
    [
        pytest.param([0, 1, 2, 3], [0, 1, 2, 3], id="in order"),
        pytest.param([0, 2, 1, 3], [0, 1, 2, 3], id="two in the other order"),
        pytest.param([0, 1, 1, 0, 2], [0, 1, 2], id="copies"),
        pytest.param([0, 2, 2, 3], [0, 2, 3], id="one lost, and a copy of the next"),
        pytest.param([0, 2, 3, 1, 4], [0, 2, 3, 4], id="one that comes too late"),
        pytest.param([0, 2, 4, 5, 6], [0, 2, 4, 5, 6], id="two lost near each other"),
        pytest.param([*range(20)], [*range(20)], id="over the wrap of both counts"),
    ],
)
def test_packets_leave_in_their_order_and_once(came, passed):
    numbers, order = ordered(came)
    assert numbers == passed
    assert order.lost == passed[-1] + 1 - len(passed)


def test_a_packet_waits_for_one_more_to_come_and_no_longer():
    order = AudioReorderer()
    order.add(packet(0))
    assert order.add(packet(2)) == []
    assert [turn.sequence_number for turn, _ in order.add(packet(3))] == [65_532, 65_533]


def test_another_source_or_a_new_count_is_followed_at_once():
    order = AudioReorderer()
    order.add(packet(0))
    assert len(order.add(packet(300, ssrc=8))) == 1
    assert len(order.add(packet(20_000, ssrc=8))) == 1


@given(
    st.lists(
        st.builds(
            RtpPacket,
            sequence_number=st.one_of(st.integers(0, 20), st.integers(0, 65_535)),
            timestamp=st.integers(0, 2**32 - 1),
            ssrc=st.sampled_from([1, 1, 2]),
            payload=st.binary(max_size=3),
        )
    )
)
def test_no_packet_raises_and_nothing_piles_up(packets):
    order = AudioReorderer()
    for each in packets:
        order.add(each)
        assert len(order._early) < 2


def run(clock, times, *, first_ticks=0):
    """Return the presentation times of packets whose capture times are guessed to be `times`."""
    return [clock.pts(CapturedAudio(TWENTY_MS, first_ticks + number * 960, at)) for number, at in enumerate(times)]


def steps(pts):
    return [after - before for before, after in itertools.pairwise(pts)]


def test_guesses_that_wobble_leave_the_sound_even():
    dice = random.Random(1)  # noqa: S311  # dice, no secret
    pts = run(AudioClock(100.0), [101.0 + number * 0.02 + dice.uniform(-0.01, 0.01) for number in range(500)])
    assert set(steps(pts)) == {960}
    assert abs(pts[0] - 48_000) < 960


def test_a_clock_that_drifts_is_followed_in_rare_steps():
    drift = 1.0003  # three times the worst that a sound card may do
    at = [1.0 + number * 0.02 * drift for number in range(15_000)]  # five minutes
    pts = run(AudioClock(0.0), at)
    assert max(abs(p / 48_000 - a) for p, a in zip(pts, at, strict=True)) < 0.03
    assert sum(step != 960 for step in steps(pts)) < 8
    assert min(steps(pts)) > 0


def test_a_jump_is_followed_at_once():
    at = [1.0 + number * 0.02 + (0.3 if number >= 10 else 0) for number in range(20)]
    assert steps(run(AudioClock(0.0), at)) == [960] * 9 + [960 + 14_400] + [960] * 9


def test_time_never_runs_backwards():
    at = [1.0 + number * 0.02 - (0.3 if number >= 10 else 0) for number in range(60)]
    pts = run(AudioClock(0.0), at)
    assert pts.count(None) == 15  # what was given out already is not given out again
    kept = [each for each in pts if each is not None]
    assert min(steps(kept)) > 0
    assert kept[-1] == round(at[-1] * 48_000)


def test_another_publisher_has_another_count():
    clock = AudioClock(0.0)
    before = run(clock, [1.0, 1.02])
    clock.restart()
    after = run(clock, [5.0, 5.02], first_ticks=10**9)
    assert before + after == [48_000, 48_960, 240_000, 240_960]
