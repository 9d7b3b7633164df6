import asyncio

import av
import pytest
from aiortc.mediastreams import MediaStreamError

from mien.media.egress import PictureTrack, SoundTrack
from mien.media.encoder import VIDEO_TIME_BASE


def packet(number: int, *, key: bool = False) -> av.Packet:
    made = av.Packet(bytes([number % 256]))
    made.pts, made.time_base, made.is_keyframe = number, VIDEO_TIME_BASE, key
    return made


async def start(track) -> "asyncio.Task[av.Packet]":
    first = asyncio.create_task(track.recv())
    await asyncio.sleep(0)
    return first


async def test_a_viewer_starts_at_a_keyframe_and_asks_for_it():
    wanted = []
    track = PictureTrack(lambda: wanted.append(1), epoch=0.0)
    track.put(packet(0, key=True))  # nobody is connected yet: not for this viewer
    first = await start(track)
    assert wanted == [1]
    track.put(packet(1))
    track.put(packet(2, key=True))
    track.put(packet(3))
    assert [(await first).pts, (await track.recv()).pts] == [2, 3]


async def test_a_viewer_who_is_too_late_starts_again_at_the_next_keyframe_and_holds_little():
    wanted = []
    track = PictureTrack(lambda: wanted.append(1), epoch=0.0)
    first = await start(track)
    track.put(packet(0, key=True))
    assert (await first).pts == 0
    for number in range(1, 100):
        track.put(packet(number))
    wanted.clear()
    track.put(packet(100))
    assert wanted
    track.put(packet(101, key=True))
    track.put(packet(102))
    assert [(await track.recv()).pts, (await track.recv()).pts] == [101, 102]
    assert track.dropped == 100


async def test_sound_that_is_too_late_is_dropped_from_the_front():
    track = SoundTrack(epoch=0.0)
    first = await start(track)
    for number in range(60):
        track.put(packet(number))
    assert (await first).pts == 10
    assert track.dropped == 10


async def test_a_stopped_track_lets_its_sender_go():
    track = SoundTrack(epoch=0.0)
    waiting = await start(track)
    track.stop()
    with pytest.raises(MediaStreamError):
        await waiting
