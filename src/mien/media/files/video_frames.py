"""What a video file gives: its frames as a viewer would see them, and what is known of it before."""

from __future__ import annotations  # av.Packet takes a type only in its stubs

from dataclasses import dataclass
from fractions import Fraction
from typing import Any, NamedTuple, TypeAlias

import av

from mien.media.colour import Colour
from mien.media.files.upright import (
    is_right_angle,
    is_transposed,
    square_pixels,
)
from mien.vision.types import Image

MAX_FRAME_PIXELS = 8192 * 4320
CarriedPacket: TypeAlias = "av.Packet[Any]"
"""A packet of audio or subtitles, as it came."""


@dataclass(frozen=True, slots=True)
class VideoImage:
    """One frame as a viewer would see it.

    Attributes:
        image: Upright, square pixels.
        pts: Time in units of the video's time base.
        at: The same time in seconds.
        duration: In units of the time base; 0 where the file does not say.
        cut: Nothing known about the frames before holds for this one: the picture changed its size or turned, or the
            file's clock jumped.
    """

    image: Image
    pts: int
    at: float
    duration: int
    cut: bool = False


@dataclass(frozen=True, slots=True)
class VideoInfo:
    """What is known of a video once its first frame is decoded.

    Attributes:
        size_wh: Width and height of the upright frame, in square pixels.
        time_base: Unit of the time stamps, in seconds.
        rate: Frames per second, on average or nominally.
        colour: The colour space of the file's frames.
        frames: How many frames there should be, or None.
    """

    size_wh: tuple[int, int]
    time_base: Fraction
    rate: Fraction
    colour: Colour
    frames: int | None


class FrameForm(NamedTuple):
    """What decides how a coded frame lies in the picture; where it changes, the film begins anew."""

    size_wh: tuple[int, int]
    pixel_shape: Fraction
    matrix: tuple[int, ...] | None

    @property
    def square_wh(self) -> tuple[int, int]:
        """Size in square pixels, before any turn."""
        return square_pixels(*self.size_wh, self.pixel_shape)

    @property
    def upright_wh(self) -> tuple[int, int]:
        """Size as a viewer sees it."""
        width, height = self.square_wh
        return (height, width) if is_transposed(self.matrix) else (width, height)


def notes_about(frame: av.VideoFrame, colour: Colour, form: FrameForm) -> list[str]:
    """Return what cannot be kept of a video, as far as its first frame shows."""
    notes = []
    if colour.is_hdr:
        notes.append("HDR was brought down to standard range (BT.709)")
    elif any(component.bits > 8 for component in frame.format.components):
        notes.append("more than 8 bits per colour became 8")
    if frame.interlaced_frame:
        notes.append("the video is interlaced and was treated as it is, both fields at once")
    if form.square_wh != form.size_wh:
        notes.append("oblong pixels became square ones")
    if form.matrix is not None and not is_right_angle(form.matrix):
        notes.append("the file asks for a turn by an odd angle; the nearest quarter turn was taken")
    return notes
