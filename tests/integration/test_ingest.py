"""A real publisher into a real ingest: when pictures come, what losses cost, and that sound stays as it is."""

import asyncio
import contextlib
import itertools
import random
import statistics
import time
from dataclasses import replace

import av
import numpy as np
import pytest
from aiortc import RTCSessionDescription
from aiortc.rtp import RtpPacket, is_rtcp

from mien.errors import SdpError
from mien.media.webrtc.peer import codecs
from mien.media.webrtc.sdp.parse import payload_types, read_offer
from support.ingest import ShownIngest
from support.live import Camera, Microphone, peer
from support.rtp import noise
from support.rtpdump import Recorder, Replay, read, write


def tone(at):
    return (8000 * np.sin(2 * np.pi * 440 * (at + np.arange(960) / 48_000))).astype(np.int16)


@contextlib.asynccontextmanager
async def publishing(connection, *, prepare=lambda _ingest: None, max_pixels=1920 * 1080):
    """Let `connection` publish; yield the ingest."""
    await connection.setLocalDescription(await connection.createOffer())
    offer = read_offer(connection.localDescription.sdp, direction="sendonly")
    ingest = ShownIngest(offer, start_kbps=1000, max_kbps=2000, max_pixels=max_pixels)
    try:
        answer = await ingest.answer()
        prepare(ingest)
        await connection.setRemoteDescription(RTCSessionDescription(answer, "answer"))
        async with asyncio.timeout(30):
            await ingest.connected.wait()
            yield ingest
    finally:
        await connection.close()
        await ingest.close()


def publisher(*tracks):
    connection = peer()
    for track in tracks:
        connection.addTransceiver(track, direction="sendonly")
    return connection


def losing(ingest, share, *, seed=3):
    """Lose a share of all packets that come in, retransmissions too."""
    dice = random.Random(seed)  # noqa: S311  # dice, no secret
    transport = ingest.connection.getReceivers()[0].transport
    handle = transport._handle_rtp_data

    async def rtp(data, arrival_time_ms):
        if dice.random() > share:
            await handle(data, arrival_time_ms)

    transport._handle_rtp_data = rtp


async def test_a_picture_comes_before_the_next_one_is_sent():
    drawn = []

    def draw(size_wh, number):
        drawn.append(number)
        return np.full((size_wh[1], size_wh[0], 3), level(number), np.uint8)

    def level(number):
        return 20 + number % 8 * 30

    async with publishing(publisher(Camera(draw, fps=5.0))) as ingest:
        behind, times = [], []
        async for frame, at in ingest.video():
            seen = frame.to_ndarray(format="rgb24").mean()
            # A picture that waited for the next one would be the last but one.
            behind.append(next(n for n in range(8) if abs(seen - level(drawn[-1] - n)) < 15))
            times.append((time.monotonic(), at))
            if len(times) == 12:
                break
    assert statistics.median(behind) == 0
    assert all(later[1] > earlier[1] for earlier, later in itertools.pairwise(times))
    assert all(now >= at for now, at in times)
    assert statistics.median(now - at for now, at in times) < 1


@pytest.mark.parametrize("share", [0.02, 0.1])
async def test_lost_packets_freeze_nothing_for_long(share):
    drawn = []

    def draw(size_wh, number):
        drawn.append(number)
        return noise(size_wh, number)

    connection = publisher(Camera(draw, size_wh=(320, 240), fps=20.0))
    async with publishing(connection, prepare=lambda ingest: losing(ingest, share)) as ingest:
        shown = []  # so many were drawn when one was shown: a machine that stands still draws none
        async for _frame, _at in ingest.video():
            shown.append(len(drawn))
            if shown[-1] - shown[0] > 120:
                break
    gaps = np.diff(shown)
    assert len(shown) > 120 * (0.9 if share < 0.05 else 0.6)
    assert np.percentile(gaps, 98) < (4 if share < 0.05 else 8)
    assert gaps.max() < (20 if share < 0.05 else 30)
    assert ingest._depacketizer.lost <= 10


async def test_sound_comes_as_it_was_sent_with_times_that_rise():
    sent = []

    def prepare(ingest):
        transport = ingest.connection.getReceivers()[0].transport
        handle = transport._handle_rtp_data

        async def rtp(data, arrival_time_ms):
            packet = RtpPacket.parse(data)
            if packet.payload_type == audio_type:
                sent.append(packet.payload)
            await handle(data, arrival_time_ms)

        transport._handle_rtp_data = rtp

    audio_type = 96
    async with publishing(publisher(Camera(), Microphone(tone, began=time.monotonic())), prepare=prepare) as ingest:
        sounds = []
        async for audio in ingest.audio():
            sounds.append(audio)
            if len(sounds) == 50:
                break
    assert [audio.data for audio in sounds] == sent[:50]
    assert {b.ticks - a.ticks for a, b in itertools.pairwise(sounds)} == {960}


async def test_a_publisher_that_says_goodbye_ends_the_pictures():
    connection = publisher(Camera())
    async with publishing(connection) as ingest:
        async for _ in ingest.video():
            if not ingest.gone.is_set():
                await connection.getSenders()[0].stop()
        assert ingest.gone.is_set()


@pytest.mark.parametrize("feedback", [("VP8", "H264"), ("H264", "VP8")], ids="before ".join)
async def test_a_publisher_sends_what_it_offers_first(feedback):
    connection = publisher(Camera())
    connection.getTransceivers()[0].setCodecPreferences(codecs("video", *feedback))
    async with publishing(connection) as ingest:
        assert list(dict.fromkeys(payload_types(connection.remoteDescription.sdp, "video").values())) == list(feedback)
        shown = 0
        async for _ in ingest.video():
            shown += 1
            if shown == 10:
                break
        assert ingest.dropped == 0


async def test_nothing_is_handed_on_once_a_publisher_was_let_go():
    async with publishing(publisher(Camera(fps=30.0))) as ingest:
        handed_on = []
        hand_on, ingest._sink = ingest._sink, lambda frame, at: (handed_on.append(at), hand_on(frame, at))
        async for _ in ingest.video():
            if len(handed_on) >= 3:
                break
        decoded = ingest._pass_on
        ingest.leave()
        count = len(handed_on)
        decoded(av.VideoFrame(64, 48, "yuv420p"), 1e9)  # the decoder's thread was in the middle of a frame
        await asyncio.sleep(0.2)
        assert len(handed_on) == count


async def test_an_offer_that_fails_leaves_no_decoder_behind():
    connection = publisher(Camera())
    await connection.setLocalDescription(await connection.createOffer())
    offer = read_offer(connection.localDescription.sdp, direction="sendonly")
    offer = replace(offer, text=offer.text.replace("VP8/90000", "VP9/90000").replace("H264/90000", "AV1/90000"))
    ingest = ShownIngest(offer, start_kbps=1000, max_kbps=2000, max_pixels=10**6)
    with pytest.raises(SdpError):
        await ingest.answer()
    assert not ingest._decoder._thread.is_alive()
    await connection.close()


async def test_a_recording_of_a_publisher_can_be_published_again(tmp_path):
    recorder = Recorder()
    connection = publisher(Camera(noise), Microphone(tone, began=time.monotonic()))
    async with publishing(connection, prepare=lambda ingest: recorder.attach(ingest.connection)) as ingest:
        shown = 0
        async for _ in ingest.video():
            shown += 1
            if shown == 20:
                break
    packets = read(write(tmp_path / "publisher.rtpdump", recorder.packets))
    assert [packet.data for packet in packets] == [packet.data for packet in recorder.packets]
    assert any(is_rtcp(packet.data) for packet in packets)

    types = {packet.data[1] & 0x7F for packet in packets if not is_rtcp(packet.data)}
    assert types == {96, 97}
    replay = Replay(packets)
    async with publishing(replay.connection) as ingest:
        playing = asyncio.create_task(replay.run(video=97, audio=96))
        again = 0
        async for _ in ingest.video():
            again += 1
            if again == 20:
                break
        await playing
        assert len(ingest._audio_packets) > 30
