"""Bad lines, made by the test itself: packets that get lost, and a line that carries little."""

import asyncio
import contextlib
import itertools
import random
import time

from mien.media.codecs.encoded import EncodedFrame, VideoCodec
from mien.media.webrtc.aiortc_internals import take_packets
from mien.media.webrtc.egress.fan_out import FanOut
from mien.media.webrtc.ingest.depacketizer import Depacketizer
from mien.media.webrtc.sdp.parse import payload_types
from support.egress import FPS, linked, without_rtx

RATES = (2_000_000, 400_000)


class Screen:
    """Puts a link's packets together into pictures, and asks for what got lost, as ingest does.

    Args:
        link: Brings them.
        source: Makes the pictures. They are the clock: a machine that stands still makes none meanwhile.

    Attributes:
        shown: For each picture, when it was whole in seconds of the source's, and its height.
    """

    def __init__(self, link, source):
        self.shown = []
        self._source = source
        self._height = 0
        types = payload_types(link.connection.remoteDescription.sdp, "video")
        self._depacketizer = Depacketizer({number: VideoCodec.VP8 for number, name in types.items() if name == "VP8"})
        take_packets(link.receiver("video"), self._take)

    def _take(self, packet):
        now = time.monotonic()
        for frame in self._depacketizer.add(packet, now):
            if frame.is_keyframe:  # RFC 6386, 9.1
                self._height = int.from_bytes(frame.data[8:10], "little") & 0x3FFF
            self.shown.append((self._source.at, self._height))
        return self._depacketizer.feedback(now)

    def gaps(self):
        return [after - before for (before, _), (after, _) in itertools.pairwise(self.shown)]


def squeeze(link, bit_rate, *, holds_s=0.2):
    """Let the receiver have no more than `bit_rate`; what would wait longer than `holds_s` is lost."""
    network = link.receiver("video").transport.transport._connection
    arrive, loop, free_at = network.data_received, asyncio.get_running_loop(), 0.0

    def data_received(data, component):
        nonlocal free_at
        now = loop.time()
        if free_at - now > holds_s:
            return
        free_at = max(free_at, now) + len(data) * 8 / bit_rate
        loop.call_at(free_at, arrive, data, component)

    network.data_received = data_received


class Source:
    """Makes pictures of the sizes of a broadcast's, in real time or later: nobody decodes them.

    Args:
        fan_out: Gets them.
        answers: Whether a wish for a keyframe is granted, after the first one.

    Attributes:
        at: The time of the newest picture, in seconds from the first.
    """

    def __init__(self, fan_out, *, answers=True):
        self.at = 0.0
        self._fan_out = fan_out
        self._answers = answers
        self._wanted = {0, 1}
        self._noise = random.Random(1)  # noqa: S311  # the same pictures each time

    def want_keyframe(self, layer):
        if self._answers:
            self._wanted.add(layer)

    async def play(self, seconds, *, until=lambda: False):
        """Play for so long, or for two seconds more from when `until` holds."""
        due, last = time.monotonic(), seconds * FPS
        for number in range(seconds * FPS):
            last = min(last, number + 2 * FPS) if until() else last
            if number >= last:
                return
            await asyncio.sleep(max(due - time.monotonic(), 0))
            due = max(due, time.monotonic() - 0.5 / FPS) + 1 / FPS  # who is late does not hurry after it
            self.at += 1 / FPS
            for layer, bit_rate in enumerate(RATES):
                self._fan_out.push_frame(self._frame(number, layer, bit_rate // 8 // FPS))

    def _frame(self, number, layer, size):
        is_keyframe = layer in self._wanted
        self._wanted.discard(layer)
        # RFC 6386, 9.1: the first bit tells a keyframe, which goes on with a start code and its size.
        width, height = (1280 >> layer, 720 >> layer)
        head = b"\x10\0\0\x9d\x01\x2a" + width.to_bytes(2, "little") + height.to_bytes(2, "little")
        data = (head if is_keyframe else b"\x11\0\0") + self._noise.randbytes(size * (3 if is_keyframe else 1))
        return EncodedFrame(data, number * 90_000 // FPS, is_keyframe=is_keyframe, layer=layer)


@contextlib.asynccontextmanager
async def losing(share, *, seconds, grants_keyframes):
    """Lose a share of the packets, sent again or not, of some seconds; yield the link and what its end shows."""
    chance, fan_out = random.Random(1), FanOut()  # noqa: S311  # the same losses each time
    source = Source(fan_out, answers=grants_keyframes)
    options = {"kinds": ("video",), "bit_rates": RATES[:1], "want_keyframe": source.want_keyframe}
    async with linked(fan_out, lose=lambda *_: chance.random() < share, **options) as link:
        screen = Screen(link, source)
        await source.play(seconds)
        await asyncio.sleep(0.5)
        yield link, screen


async def test_retransmissions_alone_keep_the_picture_going_when_two_packets_in_a_hundred_get_lost():
    async with losing(0.02, seconds=6, grants_keyframes=False) as (link, screen):
        assert link.viewer.stats().resent > 15
        assert len(screen.shown) > 5.5 * FPS
        assert max(screen.gaps()) < 0.4


async def test_the_picture_comes_back_by_itself_when_every_tenth_packet_gets_lost():
    async with losing(0.1, seconds=6, grants_keyframes=True) as (link, screen):
        assert link.viewer.stats().resent > 75
        assert len(screen.shown) > 4.5 * FPS
        assert max(screen.gaps()) < 1


async def test_a_viewer_with_a_narrow_line_sees_moving_pictures_while_another_keeps_the_full_size():
    fan_out = FanOut()
    source = Source(fan_out)
    options = {"kinds": ("video",), "bit_rates": RATES, "want_keyframe": source.want_keyframe}
    async with linked(fan_out, **options) as narrow, linked(fan_out, **options) as wide:
        squeezed, free = Screen(narrow, source), Screen(wide, source)
        squeeze(narrow, 600_000)
        await source.play(9)
        late = [height for at, height in squeezed.shown if at > 5]
        assert set(late) == {360}
        assert len(late) > 3 * FPS  # of four seconds
        assert {height for _, height in free.shown} == {720}
        assert max(free.gaps()) < 0.4


@contextlib.asynccontextmanager
async def on_the_lower_layer(bit_rate=None, **options):
    """Yield a link that soon looks for more, what its end shows and a source."""
    fan_out = FanOut()
    source = Source(fan_out)
    options |= {"kinds": ("video",), "bit_rates": RATES, "want_keyframe": source.want_keyframe}
    async with linked(fan_out, **options) as link:
        screen = Screen(link, source)
        link.viewer.layer_selector.layer, link.viewer.layer_selector._patience_s = 1, 1.0
        if bit_rate is not None:
            squeeze(link, bit_rate)
        yield link, screen, source


async def test_a_narrow_line_is_probed_and_its_viewer_sees_nothing_of_it():
    async with on_the_lower_layer(600_000) as (link, screen, source):
        await source.play(14, until=lambda: link.viewer.stats().padded > 40)
        assert link.viewer.stats().padded > 20
        assert {height for _, height in screen.shown} == {360}
        assert max(screen.gaps()) < 0.4
        assert len(screen.shown) > (source.at - 1) * FPS


async def test_a_wide_line_is_filled_and_then_gets_the_better_picture():
    async with on_the_lower_layer() as (link, screen, source):
        await source.play(60, until=lambda: screen.shown and screen.shown[-1][1] == 720)
        probed = link.viewer.stats()
        assert probed.layer == 0
        assert probed.resent < 0.01 * probed.packets  # none, unless the machine stood still and left a socket full
        assert probed.padded > 500
        assert [height for height, _ in itertools.groupby(height for _, height in screen.shown)] == [360, 720]
        assert max(screen.gaps()) < 0.4
        await source.play(2)
        assert link.viewer.stats().padded == probed.padded


async def test_whoever_takes_no_retransmissions_is_given_the_better_picture_on_trial():
    async with on_the_lower_layer(rewrite=without_rtx) as (link, screen, source):
        await source.play(4)
        assert link.viewer.stats().padded == 0
        assert screen.shown[-1][1] == 720
