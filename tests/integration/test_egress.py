"""The fan-out against real receivers: ICE, DTLS, SRTP and decoders are aiortc's, the network is loopback."""

import asyncio
import copy
import itertools
import socket
import time
from types import SimpleNamespace

import numpy as np
import pytest
from aiortc.rtp import RtcpPsfbPacket, RtcpRtpfbPacket, pack_remb_fci

from mien.media.codecs.encoded import EncodedFrame, VideoCodec
from mien.media.webrtc.egress.fan_out import FanOut
from mien.media.webrtc.packets import MAX_PAYLOAD
from support.egress import encoded_frames, encoded_tone, linked, play, without_rtx
from support.live import sharpness

RTX = 98  # payload type of VP8's retransmissions in aiortc's offers


def shown(frame):
    return np.asarray(frame.to_ndarray(format="rgb24"), np.uint8)


def sources(packets):
    """Return the packets of the media itself, without retransmissions."""
    return [packet for packet in packets if packet.payload_type == packets[0].payload_type]


def is_without_gap(packets):
    return all(
        (after.sequence_number - before.sequence_number) % 65_536 == 1 for before, after in itertools.pairwise(packets)
    )


def socket_of(link):
    line = link.viewer._frames._line
    return line._socket


@pytest.mark.parametrize("codec", VideoCodec)
async def test_a_player_sees_pictures_and_hears_sound(codec):
    fan_out = FanOut(codec)
    pictures = encoded_frames(codec, size_wh=(640, 480), count=45)
    async with linked(fan_out, codec=codec) as link:
        await play(fan_out, pictures, encoded_tone(seconds=1.5))
        await link.until(lambda: len(link.frames["video"]) >= 40 and len(link.frames["audio"]) >= 40)
        assert sharpness(shown(link.frames["video"][-1])) > 25
        assert {(frame.width, frame.height) for frame in link.frames["video"]} == {(640, 480)}
        on_rtcp = np.concatenate([frame.to_ndarray()[0, ::2] for frame in link.frames["audio"][10:40]])
        spectrum = np.abs(np.fft.rfft(on_rtcp))
        assert abs(np.argmax(spectrum) * 48_000 / len(on_rtcp) - 440) < 5
        assert is_without_gap(link.packets)
        assert link.viewer.stats().dropped == 0
        assert socket_of(link) is not None  # the fast way was taken


async def test_large_pictures_leave_whole_and_in_order_though_in_slices():
    fan_out = FanOut()
    noise = np.random.default_rng(1)
    pictures = [EncodedFrame(noise.bytes(40_000), number * 3000, is_keyframe=not number) for number in range(5)]
    async with linked(fan_out, kinds=("video",)) as link:
        for picture in pictures:
            fan_out.push_frame(picture)
            await asyncio.sleep(0.003)  # the next comes before the last has left
        await link.until(lambda: sum(packet.marker for packet in link.packets) == 5)
        assert is_without_gap(link.packets)
        received = {}
        for packet in link.packets:
            received[packet.timestamp] = received.get(packet.timestamp, b"") + packet.payload[4:]
        assert list(received.values()) == [picture.data for picture in pictures]
        assert max(len(packet.payload) for packet in link.packets) <= MAX_PAYLOAD


async def test_a_viewer_starts_at_a_keyframe_and_asks_for_one():
    fan_out, wanted = FanOut(), []
    async with linked(fan_out, want_keyframe=wanted.append) as link:
        assert wanted == [0]
        fan_out.push_frame(EncodedFrame(b"delta", 0, is_keyframe=False))
        fan_out.push_frame(EncodedFrame(b"key", 3000, is_keyframe=True))
        fan_out.push_frame(EncodedFrame(b"next", 6000, is_keyframe=False))
        await link.until(lambda: len(link.packets) == 2)
        assert [packet.payload[4:] for packet in link.packets] == [b"key", b"next"]


async def test_a_viewer_is_no_audience_before_pictures_can_go_out():
    # Else a first keyframe is made for nobody, and the one that could be sent waits until it is a while ago.
    told = []
    fan_out = FanOut(set_audience=lambda layers: told.append((layers, [each.last_report_at for each in fan_out])))
    async with linked(fan_out, kinds=("video",)):
        [(layers, last_report_at)] = told
        assert layers == {0}
        assert None not in last_report_at


async def test_what_got_lost_is_sent_again_once():
    fan_out, losses, passed, ending = FanOut(), set(), [], False

    def lose(payload_type, number):
        passed.append(number)
        if payload_type == RTX or number % 5 != 3 or not 5 <= len(passed) <= 100 or ending:
            return False
        losses.add(number)
        return True

    pictures = encoded_frames(VideoCodec.VP8, size_wh=(640, 480), count=60, keyframe_every=60)
    async with linked(fan_out, kinds=("video",), lose=lose) as link:
        await play(fan_out, pictures[:-3])
        ending = True  # of the last packets of all nobody can tell that they are missing
        await play(fan_out, pictures[-3:], speed=1000)
        await asyncio.sleep(0.3)
        assert len(losses) > 5
        restored = [int.from_bytes(packet.payload[:2], "big") for packet in link.packets if packet.payload_type == RTX]
        assert sorted(restored) == sorted(losses)
        assert link.viewer.stats().resent == len(losses)
        await link.until(lambda: len(link.frames["video"]) >= 55)


async def test_a_player_without_retransmission_format_gets_the_very_same_packet_again():
    fan_out, passed = FanOut(), []

    def lose(_payload_type, number):
        passed.append(number)
        return len(passed) == 2

    async with linked(fan_out, kinds=("video",), lose=lose, rewrite=without_rtx) as link:
        for number, data in enumerate((b"first", b"second", b"third")):
            fan_out.push_frame(EncodedFrame(data, number * 3000, is_keyframe=not number))
        await link.until(lambda: len(link.packets) >= 3)
        assert [packet.payload[4:] for packet in link.packets] == [b"first", b"third", b"second"]
        first, third, second = link.packets
        assert (second.sequence_number - first.sequence_number) % 65_536 == 1
        assert (second.timestamp - first.timestamp) % (1 << 32) == 3000
        # The time of sending too is the first one's, not that of the second sending.
        assert first.extensions.abs_send_time <= second.extensions.abs_send_time <= third.extensions.abs_send_time


async def test_requests_amplify_nothing():
    fan_out, wanted = FanOut(), []
    async with linked(fan_out, kinds=("video",), want_keyframe=wanted.append) as link:
        noise = np.random.default_rng(2)
        for number in range(60):
            fan_out.push_frame(EncodedFrame(noise.bytes(8000), number * 3000, is_keyframe=not number))
            await asyncio.sleep(0.002)
        await link.until(lambda: len(link.packets) == 420)
        receiver = link.receiver("video")
        ssrc = link.packets[0].ssrc
        storm = RtcpRtpfbPacket(1, 1, ssrc, lost=[packet.sequence_number for packet in link.packets[-250:]])
        foreign = RtcpRtpfbPacket(1, 1, ssrc, lost=list(range(0, 65_535, 200)))
        for _ in range(20):
            await receiver.transport._send_rtp(bytes(storm))
            await receiver.transport._send_rtp(bytes(foreign))
            await receiver._send_rtcp_pli(ssrc)
        await asyncio.sleep(0.5)
        # A quarter of 2 Mbit/s for half a second, and as long a burst: 62 kB of 288 kB asked for, twenty times.
        assert 20 < link.viewer.stats().resent < 62_500 / 1148 + 5
        assert 2 <= len(wanted) <= 6  # our own, three at once, then one a second


async def test_a_viewer_moves_to_another_rung_at_its_keyframe_without_a_gap():
    wanted, audiences = [], []
    fan_out = FanOut(set_audience=audiences.append)
    large = encoded_frames(VideoCodec.VP8, size_wh=(640, 480), count=120, keyframe_every=300, layer=0)
    small = encoded_frames(VideoCodec.VP8, size_wh=(320, 240), count=120, keyframe_every=15, layer=1)
    async with (
        linked(fan_out, kinds=("video",), want_keyframe=wanted.append, bit_rates=(1_000_000, 250_000)) as link,
        linked(fan_out, kinds=("video",), bit_rates=(1_000_000, 250_000)) as other,
    ):
        pictures = [one for pair in zip(large, small, strict=True) for one in pair]
        playing = asyncio.create_task(play(fan_out, pictures))
        await link.until(lambda: len(link.frames["video"]) > 10)
        ssrc = link.packets[0].ssrc
        for bit_rate in (900_000, 30_000, 20_000):
            remb = RtcpPsfbPacket(15, 1, 0, fci=pack_remb_fci(bit_rate, [ssrc]))
            await link.receiver("video").transport._send_rtp(bytes(remb))
            await asyncio.sleep(0.1)
        await link.until(lambda: link.frames["video"][-1].width == 320)
        assert audiences[-1] == {0, 1}
        assert 1 in wanted
        assert is_without_gap(sources(link.packets))
        timestamps = [packet.timestamp for packet in sources(link.packets)]
        assert all(0 <= (b - a) % (1 << 32) < 90_000 for a, b in itertools.pairwise(timestamps))
        picture_ids = [int.from_bytes(one.payload[2:4], "big") & 0x7FFF for one in link.packets if one.marker]
        assert all((b - a) % (1 << 15) == 1 for a, b in itertools.pairwise(picture_ids))
        assert {frame.width for frame in other.frames["video"]} == {640}
        playing.cancel()


async def test_where_the_kernel_cannot_cut_packets_they_leave_one_by_one():
    fan_out = FanOut()
    async with linked(fan_out, kinds=("video",)) as link:
        fan_out.push_frame(EncodedFrame(b"0", 0, is_keyframe=True))
        await link.until(lambda: link.packets)
        socket_of(link).setsockopt(socket.SOL_SOCKET, 11, 1)  # SO_NO_CHECK: Linux then refuses to segment
        fan_out.push_frame(EncodedFrame(bytes(8000), 3000, is_keyframe=False))
        await link.until(lambda: len(link.packets) == 8)
        assert link.viewer.stats().dropped == 0
        assert is_without_gap(link.packets)


class Relay:
    """A transport without a socket of its own, like that of a TURN allocation."""

    def __init__(self, inner):
        self.inner = inner

    def get_extra_info(self, _name, default=None):
        return default

    def sendto(self, data, addr):
        assert type(data) is bytes
        self.inner.sendto(data, addr)

    def __getattr__(self, name):
        return getattr(self.inner, name)


async def test_packets_follow_the_nominated_pair_even_where_it_has_no_socket():
    fan_out = FanOut()
    async with linked(fan_out) as link:
        fan_out.push_frame(EncodedFrame(b"0", 0, is_keyframe=True))
        await link.until(lambda: link.packets)
        assert socket_of(link) is not None
        nominated = link.viewer._senders["video"].transport.transport._connection._nominated
        relayed = copy.copy(nominated[1])
        relayed.protocol = copy.copy(relayed.protocol)
        relayed.protocol.transport = Relay(relayed.protocol.transport)
        nominated[1] = relayed
        fan_out.push_frame(EncodedFrame(bytes(8000), 3000, is_keyframe=False))
        await link.until(lambda: len(link.packets) == 8)
        assert socket_of(link) is None
        assert is_without_gap(link.packets)
        assert link.viewer.stats().dropped == 0


async def quiet(_data, _address):
    pass


async def test_a_dead_line_hurts_nobody_else_and_costs_nothing_after_its_time():
    audiences = []
    fan_out = FanOut(silence_timeout_s=1.5, set_audience=audiences.append)
    async with linked(fan_out, kinds=("video",)) as dead, linked(fan_out, kinds=("video",)) as alive:
        fan_out.push_frame(EncodedFrame(b"0", 0, is_keyframe=True))
        await alive.until(lambda: dead.packets and alive.packets)
        for protocol in dead.receiver("video").transport.transport._connection._protocols:
            protocol.send_data = quiet  # it goes without a word
            protocol.send_stun = lambda *_: None
        line = dead.viewer._frames._line
        line._pairs = {
            1: SimpleNamespace(protocol=line._pairs[1].protocol, remote_addr=("255.255.255.255", 9))
        }  # refused
        numbers = iter(range(1, 1000))
        async with asyncio.timeout(30):
            while len(fan_out) == 2:
                fan_out.push_frame(EncodedFrame(bytes(3000), next(numbers) * 3000, is_keyframe=False))
                await asyncio.sleep(0.03)
        assert dead.viewer.gone.is_set()
        assert not alive.viewer.gone.is_set()
        assert dead.viewer.stats().dropped > 0
        await alive.until(lambda: len(alive.packets) >= alive.viewer.stats().packets)


async def test_sender_reports_name_the_capture_time_of_both_media_and_count_right():
    fan_out, epoch = FanOut(), time.monotonic()
    pictures, (tone,) = encoded_frames(VideoCodec.VP8, count=90), encoded_tone(seconds=0.02)
    async with linked(fan_out, epoch=epoch) as link:
        began = time.monotonic() - epoch
        started = time.monotonic()
        for number, one in enumerate(pictures):
            fan_out.push_frame(EncodedFrame(one.data, one.pts + round(began * 90_000), one.is_keyframe))
            fan_out.push_audio(tone)
            await asyncio.sleep(max(started + number / 30 - time.monotonic(), 0))
        await link.until(lambda: len(link.reports.get("video", ())) >= 2 and "audio" in link.reports)
        report = link.reports["video"][-1].sender_info
        last = link.packets[-1]
        ntp = report.ntp_timestamp / (1 << 32) - 2_208_988_800
        assert abs(ntp - time.time()) < 3
        # The instant of the report on the pictures' clock, seen from a picture whose capture time is known.
        captured_at = epoch + (pictures[89].pts / 90_000 + began)
        said_at = captured_at + ((report.rtp_timestamp - last.timestamp + (1 << 31)) % (1 << 32) - (1 << 31)) / 90_000
        # Two clocks, read one after the other: a pause between the reads spoils some of them, not the median.
        wall_minus_monotonic = float(np.median([time.time() - time.monotonic() for _ in range(101)]))
        assert abs(said_at + wall_minus_monotonic - ntp) < 0.05
        before = list(link.packets)
        assert report.packet_count <= len(before)
        assert report.octet_count <= sum(len(packet.payload) for packet in before)
        assert report.packet_count >= len(before) * 0.5
        await link.until(lambda: link.viewer.stats().rtt_s is not None)
        assert 0 <= link.viewer.stats().rtt_s < time.monotonic() - started
