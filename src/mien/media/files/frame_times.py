"""The time of each decoded frame: as stamped, sorted, or counted where a file stamps its frames badly or not at all."""

from __future__ import annotations  # av.Packet takes a type only in its stubs

import heapq
from collections.abc import Sequence
from fractions import Fraction
from typing import Protocol

import av

_RAW = frozenset({"h264", "hevc", "m4v", "mjpeg", "mpegvideo"})
"""Streams without a container: they carry no times, and FFmpeg counts them at 25 a second whatever they say."""
_MAX_WAITING = 64


class FrameTimes(Protocol):
    """Tells the times of one stream's frames, growing from frame to frame."""

    def expect(self, packet: av.Packet[av.VideoStream]) -> None:
        """Note a packet before it is decoded."""

    def forget(self, packet: av.Packet[av.VideoStream]) -> None:
        """Take it back: it could not be decoded."""

    def __call__(self, frame: av.VideoFrame) -> int:
        """Return the frame's time in the stream's time base."""
        ...


def backdate(frames: Sequence[av.VideoFrame], step: Fraction) -> bool:
    """Give frames without a time, before the first that has one, the times at which they come before it.

    Some demuxers leave out the times below 0.

    Returns:
        Whether there was such a frame; if not, none was changed.
    """
    stamped = next((place for place, frame in enumerate(frames) if frame.pts is not None), None)
    if stamped is None:
        return False
    for place, frame in enumerate(frames[:stamped]):
        frame.pts = (frames[stamped].pts or 0) - round((stamped - place) * max(step, Fraction(1)))
    return True


def is_raw(format_name: str) -> bool:
    """Say whether a kind of file is a bare stream of frames."""
    return format_name in _RAW


def frame_times(format_name: str, step: Fraction) -> FrameTimes:
    """Return what tells the times of frames in a kind of file.

    Args:
        format_name: As FFmpeg calls it.
        step: From frame to frame, nominally, in ticks of the stream's time base.
    """
    if is_raw(format_name):
        return _Counted(step)
    return _Sorted(step) if format_name == "avi" else _Stamped(step)


class _Stamped:
    """Takes the frames' own times; a missing one is made up and a repeated one moved by the least step."""

    def __init__(self, step: Fraction) -> None:
        self._step = max(round(step), 1)
        self._last: int | None = None

    def expect(self, packet: av.Packet[av.VideoStream]) -> None:
        """Nothing to note: the decoder passes the times on."""

    def forget(self, packet: av.Packet[av.VideoStream]) -> None:
        """Nothing was noted."""

    def __call__(self, frame: av.VideoFrame) -> int:
        return self._grown(frame.pts)

    def _grown(self, ticks: int | None) -> int:
        if self._last is None:
            self._last = ticks or 0
        elif ticks is None:
            self._last += self._step
        else:
            self._last = max(ticks, self._last + 1)
        return self._last


class _Sorted(_Stamped):
    """Gives the packets' times, the smallest first, to frames in the order in which they are shown.

    AVI stamps frames in the order in which they are stored: with B-frames the stamps that come out of the decoder
    jump back and forth.
    """

    def __init__(self, step: Fraction) -> None:
        super().__init__(step)
        self._waiting: list[int] = []

    def expect(self, packet: av.Packet[av.VideoStream]) -> None:
        if packet.dts is not None:
            heapq.heappush(self._waiting, packet.dts)
        if len(self._waiting) > _MAX_WAITING:  # packets that gave no frame
            heapq.heappop(self._waiting)

    def forget(self, packet: av.Packet[av.VideoStream]) -> None:
        if packet.dts in self._waiting:
            self._waiting.remove(packet.dts)
            heapq.heapify(self._waiting)

    def __call__(self, frame: av.VideoFrame) -> int:  # noqa: ARG002  # its own stamps are in another order
        return self._grown(heapq.heappop(self._waiting) if self._waiting else None)


class _Counted:
    """Counts frames at the stream's nominal rate."""

    def __init__(self, step: Fraction) -> None:
        self._step = max(step, Fraction(1))
        self._frames = -1

    def expect(self, packet: av.Packet[av.VideoStream]) -> None:
        """Nothing to note: raw streams have no times."""

    def forget(self, packet: av.Packet[av.VideoStream]) -> None:
        """Nothing was noted."""

    def __call__(self, frame: av.VideoFrame) -> int:  # noqa: ARG002  # its own stamps are made up
        self._frames += 1
        return round(self._frames * self._step)
