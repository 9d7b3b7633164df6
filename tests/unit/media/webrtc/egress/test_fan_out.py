import asyncio
import itertools
import statistics

import numpy as np
import pytest
from aiortc.mediastreams import MediaStreamError

from mien.media.codecs.encoded import EncodedFrame, VideoCodec
from mien.media.webrtc.egress.fan_out import FanOut
from mien.media.webrtc.egress.subscriber import SilentTrack


class Guest:
    """A viewer who takes everything and writes down what comes."""

    def __init__(self, layers=frozenset((0,))):
        self.layers, self.got, self.gone, self.last_report_at = layers, [], asyncio.Event(), None
        self.may_be_silent, self.is_probing = False, False

    def start(self, frame, _now):
        return frame.layer in self.layers

    def send_frame(self, batch, now):
        self.got.append((batch.frame.pts, batch.first, batch.end, now))

    def consider(self, _now, *, may_probe):
        pass

    def leave(self):
        self.gone.set()


async def test_a_large_picture_is_spread_over_milliseconds_and_never_holds_up_the_next():
    fan_out, guest = FanOut(VideoCodec.VP8), Guest()
    fan_out.add(guest)
    fan_out.push_frame(EncodedFrame(bytes(60_000), 0, is_keyframe=True))
    assert len(guest.got) == 1
    async with asyncio.timeout(30):
        while fan_out._leaving:  # noqa: ASYNC110  # the last slice leaves by a timer
            await asyncio.sleep(0.005)
    times = [now for _, _, _, now in guest.got]
    assert len(times) >= 5
    gaps = [after - before for before, after in itertools.pairwise(times)]
    assert min(gaps) >= 0.0019
    assert statistics.median(gaps) < 0.02  # or the last slice would come after the next frame
    guest.got.clear()
    fan_out.push_frame(EncodedFrame(bytes(60_000), 3000, is_keyframe=False))
    fan_out.push_frame(EncodedFrame(bytes(500), 6000, is_keyframe=False))
    pieces = [(pts, first) for pts, first, _, _ in guest.got]
    assert pieces == sorted(pieces)
    assert pieces[-1] == (6000, 0)


async def test_the_rungs_that_have_an_audience_are_told_when_they_change():
    told = []
    fan_out = FanOut(set_audience=told.append)
    one, other = Guest(), Guest(frozenset((0, 1)))
    fan_out.add(one)
    fan_out.add(other)
    fan_out.discard(one)
    fan_out.discard(other)
    assert told == [{0}, {0, 1}, set()]


async def test_who_leaves_in_the_middle_of_a_picture_gets_nothing_more():
    fan_out, guest = FanOut(), Guest()
    fan_out.add(guest)
    fan_out.push_frame(EncodedFrame(bytes(60_000), 0, is_keyframe=True))
    fan_out.discard(guest)
    await asyncio.sleep(0.03)
    assert len(guest.got) == 1


async def test_a_pause_of_our_own_is_nobodys_silence():
    now = 100.0
    fan_out, guest = FanOut(silence_timeout_s=5.0, clock=lambda: now), Guest()
    guest.last_report_at = now
    fan_out.add(guest)
    for now in (100.0, 104.0, 108.0, 116.0, 116.5):  # noqa: B007  # the clock reads it
        fan_out.push_frame(EncodedFrame(b"p", 0, is_keyframe=True))
    assert len(fan_out) == 1
    for now in np.arange(117, 122, 0.5):  # noqa: B007  # as above
        fan_out.push_frame(EncodedFrame(b"p", 0, is_keyframe=True))
    assert len(fan_out) == 0
    assert guest.gone.is_set()


@pytest.mark.parametrize(("seconds", "watch"), [(10, 1), (25, 0)])
async def test_who_says_nothing_for_some_fifteen_seconds_is_let_go(seconds, watch):
    now = 100.0
    fan_out, guest = FanOut(clock=lambda: now), Guest()
    guest.last_report_at = now
    fan_out.add(guest)
    for now in np.arange(100, 100 + seconds, 0.25):  # noqa: B007  # the clock reads it
        fan_out.push_frame(EncodedFrame(b"p", 0, is_keyframe=True))
    assert len(fan_out) == watch


async def test_a_silent_track_gives_nothing_until_it_ends():
    track = SilentTrack("video")
    waiting = asyncio.create_task(track.recv())
    await asyncio.sleep(0.01)
    assert not waiting.done()
    track.stop()
    with pytest.raises(MediaStreamError):
        await waiting


class Prober(Guest):
    """A viewer whose line shall be probed as soon as that is allowed."""

    def __init__(self):
        super().__init__()
        self.filled = 0

    def consider(self, _now, *, may_probe):
        self.is_probing = self.is_probing or may_probe

    def fill(self, _now):
        self.filled += 1


async def test_four_lines_are_probed_at_a_time_and_the_others_in_their_turn():
    now = 100.0
    fan_out = FanOut(clock=lambda: now)
    guests = [Prober() for _ in range(10)]
    for guest in guests:
        fan_out.add(guest)
    began = asyncio.get_running_loop().time()
    fan_out.push_frame(EncodedFrame(b"p", 0, is_keyframe=True))
    await asyncio.sleep(0.05)
    most = (asyncio.get_running_loop().time() - began) / 0.005 + 2
    first = [guest for guest in guests if guest.is_probing]
    assert len(first) == 4
    assert all(1 <= guest.filled <= most for guest in first)  # every five milliseconds, never two at once
    for guest in first:
        fan_out.discard(guest)
    await asyncio.sleep(0.02)
    now += 0.3
    fan_out.push_frame(EncodedFrame(b"p", 3000, is_keyframe=True))
    assert sum(guest.is_probing for guest in guests if guest not in first) == 4


async def test_nothing_runs_while_no_line_is_probed():
    fan_out, guest = FanOut(), Prober()
    fan_out.add(guest)
    fan_out.push_frame(EncodedFrame(b"p", 0, is_keyframe=True))
    await asyncio.sleep(0.03)
    guest.is_probing = False
    await asyncio.sleep(0.02)
    filled = guest.filled
    await asyncio.sleep(0.03)
    assert guest.filled == filled
    assert fan_out._fill_timer is None
