"""The colours of video frames: what their tags mean, and the way to RGB and back without a shift."""

from dataclasses import dataclass

import numpy as np
from av import VideoFrame
from av.video.reformatter import ColorRange, Colorspace, Interpolation, VideoReformatter

from mien.vision.types import Image

# ITU-T H.273 code points.
_RGB, _BT709, _UNSPECIFIED, _SMPTE170M, _BT2020 = 0, 1, 2, 6, 9
_PQ, _HLG = 16, 18
_KNOWN_MATRICES = frozenset({1, 4, 5, 6, 7, 9})
_HD_HEIGHT, _HD_WIDTH = 720, 1280
# Measured on flat patches, there and back: off by at most 1 in limited range and 2 in full range, against 3 with
# swscale's defaults; costs 2.2 ms a 720p frame to RGB, 1.6 ms back.
_CAREFUL = Interpolation.BILINEAR | Interpolation.FULL_CHR_H_INT | Interpolation.ACCURATE_RND


@dataclass(frozen=True, slots=True)
class Colour:
    """How YCbCr samples stand for light, in the code points of ITU-T H.273.

    Attributes:
        matrix: Between YCbCr and RGB.
        full_range: 0 to 255 instead of 16 to 235.
        primaries: Which red, green and blue.
        transfer: Between samples and light.
    """

    matrix: int = _BT709
    full_range: bool = False
    primaries: int = _UNSPECIFIED
    transfer: int = _UNSPECIFIED

    @property
    def is_hdr(self) -> bool:
        """True for PQ and HLG."""
        return self.transfer in {_PQ, _HLG}

    @property
    def range_code(self) -> ColorRange:
        """The range as FFmpeg says it."""
        return ColorRange.JPEG if self.full_range else ColorRange.MPEG

    def for_output(self) -> "Colour":
        """Return the colours to write frames of these colours in: the same, but HDR becomes BT.709."""
        return Colour(_BT709, full_range=False, primaries=_BT709, transfer=_BT709) if self.is_hdr else self


def colour_of(frame: VideoFrame) -> Colour:
    """Read a frame's colour tags; where they are silent, guess as players do, by the size of the picture."""
    planes_are_rgb = frame.format.is_rgb
    matrix = int(frame.colorspace)
    if planes_are_rgb:
        matrix = _BT709
    elif matrix not in _KNOWN_MATRICES:
        is_hd = frame.height >= _HD_HEIGHT or frame.width >= _HD_WIDTH
        matrix = _BT709 if is_hd else _SMPTE170M
    full = not planes_are_rgb and (
        int(frame.color_range) == int(ColorRange.JPEG) or frame.format.name.startswith("yuvj")
    )
    return Colour(matrix, full, _tag(frame.color_primaries), _tag(frame.color_trc))


class ToRgb:
    """Turns decoded frames into upright-sized RGB images; one stream, one thread.

    Transparency is laid on white, as in still pictures.

    Attributes:
        saw_transparency: Whether any frame was not opaque.
    """

    def __init__(self) -> None:
        self._reformatter = VideoReformatter()
        self.saw_transparency = False

    def __call__(self, frame: VideoFrame, colour: Colour, size_wh: tuple[int, int]) -> Image:
        """Return (H, W, 3) RGB of `size_wh`; HDR is brought down to what a plain screen shows."""
        target = colour.for_output()
        has_alpha = any(component.is_alpha for component in frame.format.components)
        rgb = self._reformatter.reformat(
            frame,
            width=size_wh[0],
            height=size_wh[1],
            format="rgba" if has_alpha else "rgb24",
            interpolation=_CAREFUL,
            src_colorspace=_for_swscale(colour.matrix),
            dst_colorspace=_for_swscale(target.matrix),
            src_color_range=ColorRange.JPEG if frame.format.is_rgb else colour.range_code,
            dst_color_range=ColorRange.JPEG,
            dst_color_trc=target.transfer if colour.is_hdr else None,
            dst_color_primaries=target.primaries if colour.is_hdr else None,
        )
        image = np.asarray(rgb.to_ndarray(), np.uint8)
        return self._on_white(image) if has_alpha else image

    def _on_white(self, rgba: Image) -> Image:
        rgb, alpha = rgba[..., :3], rgba[..., 3:]
        if alpha.min() == 255:
            return np.ascontiguousarray(rgb)
        self.saw_transparency = True
        weight = alpha.astype(np.uint16)
        return np.asarray((rgb * weight + 255 * (255 - weight) + 127) // 255, np.uint8)


class FromRgb:
    """Turns RGB images into tagged 4:2:0 frames; one stream, one thread."""

    def __init__(self, colour: Colour) -> None:
        self._colour = colour
        self._reformatter = VideoReformatter()

    def __call__(self, image: Image) -> VideoFrame:
        """Return a yuv420p frame of the same size."""
        frame = VideoFrame.from_ndarray(image, format="rgb24")
        yuv = self._reformatter.reformat(
            frame,
            format="yuv420p",
            interpolation=_CAREFUL,
            src_colorspace=Colorspace.ITU709,
            dst_colorspace=_for_swscale(self._colour.matrix),
            src_color_range=ColorRange.JPEG,
            dst_color_range=self._colour.range_code,
        )
        yuv.colorspace = self._colour.matrix
        yuv.color_primaries = self._colour.primaries
        yuv.color_trc = self._colour.transfer
        return yuv


def _for_swscale(matrix: int) -> int:
    """Return the matrix by the number swscale listens to: BT.601 has two code points, and it knows one."""
    return int(Colorspace.ITU601) if matrix == _SMPTE170M else matrix


def _tag(value: int) -> int:
    return int(value) if value else _UNSPECIFIED
