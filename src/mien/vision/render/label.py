"""The label that says to the eye: this picture was altered by AI; and plain text in the same letters."""

from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from io import BytesIO
from types import MappingProxyType
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow
from PIL import ImageDraw, ImageFont

from mien.errors import InputError
from mien.vision.render.label_place import NOTHING, SAFE_MARGIN, InTheWay, LabelPlace
from mien.vision.types import Image

WORDS = MappingProxyType({"en": ("AI-altered",), "ko": ("AI 변조",), "both": ("AI-altered", "AI 변조")})
TEXT_SHARE = 0.04
"""Height of a capital letter over the short side of the picture; Hangul stands a little taller."""
MOST_OF_WIDTH = 1 / 3
"""The label is at most so wide, over the width of the picture; only the smallest letters may need more."""
MIN_TEXT_PX = 12
"""Below this Hangul is a smudge."""
INK, PLATE = (255, 255, 255), (17, 17, 17)
PLATE_OPACITY = 0.86

Colour = tuple[int, int, int]


class _Patch(NamedTuple):
    """A drawing ready to be blended: `picture * keep + ink`, in 1/256."""

    ink: NDArray[np.uint16]
    keep: NDArray[np.uint16]

    @property
    def size_wh(self) -> tuple[int, int]:
        return self.ink.shape[1], self.ink.shape[0]


class Label:
    """Draws "AI-altered", "AI 변조" or both into a corner of pictures, at the top right where no face is there.

    The drawing is made once per picture size. One label serves one stream, from one thread at a time.

    Args:
        language: "en", "ko" or "both".

    Raises:
        InputError: Another language.

    Example:
        >>> picture = np.zeros((240, 320, 3), np.uint8)
        >>> Label("en").draw(picture)
        >>> bool(picture[:60, 160:].any()), bool(picture[60:].any())
        (True, False)
    """

    def __init__(self, language: str = "both") -> None:
        if language not in WORDS:
            raise InputError(f"label language must be one of {', '.join(WORDS)}, got {language!r}")
        self._words = WORDS[language]
        self._shape: tuple[int, ...] | None = None
        self._patch: _Patch | None = None
        self._place = LabelPlace()

    def draw(self, image: Image, way: InTheWay = NOTHING, *, at: float = 0.0) -> None:
        """Draw the label into `image`, in place.

        Args:
            image: RGB frame, changed in place.
            way: What the label should not cover.
            at: Capture time in seconds.
        """
        if self._patch is None or image.shape != self._shape:
            self._patch, self._shape = _label_patch(self._words, image.shape[1], image.shape[0]), image.shape
        size_wh = (image.shape[1], image.shape[0])
        _blend(image, self._patch, self._place(size_wh, self._patch.size_wh, way, at=at))


def draw_text(
    image: Image,
    text: str,
    *,
    centre_xy: tuple[float, float],
    height_px: int,
    colour: Colour = INK,
    plate: Colour | None = None,
) -> None:
    """Draw one line of text into `image`, in place, clipped at the edges.

    Args:
        image: Where to.
        text: Basic Latin, or the Korean words of the label and the slates (see `scripts/make_label_font.py`).
        centre_xy: Where the middle of the line goes.
        height_px: Height of a capital letter or Hangul block, in pixels.
        colour: RGB of the letters.
        plate: RGB of a rounded plate under the letters, or None for none.
    """
    patch = _paint([text], height_px, ink=colour, plate=plate)
    width, height = patch.size_wh
    _blend(image, patch, (round(centre_xy[0] - width / 2), round(centre_xy[1] - height / 2)))


def text_size_wh(text: str, height_px: int) -> tuple[int, int]:
    """Return how wide and high `draw_text` makes a line, in pixels.

    Example:
        >>> text_size_wh("AI", 20)[0] < text_size_wh("AI 변조", 20)[0]
        True
    """
    coverage = _line(text, height_px)
    return coverage.shape[1], coverage.shape[0]


def _label_patch(words: Sequence[str], width: int, height: int) -> _Patch:
    """Lay the words out beside each other, below each other, or as small as the picture forces them to be."""
    text_px = max(MIN_TEXT_PX, int(np.ceil(min(width, height) * TEXT_SHARE)))
    for lines in ([" · ".join(words)], list(words)):
        patch = _paint(lines, text_px, ink=INK, plate=PLATE)
        if patch.size_wh[0] <= MOST_OF_WIDTH * width:
            return patch
    smaller = max(int(text_px * MOST_OF_WIDTH * width / patch.size_wh[0]), MIN_TEXT_PX)
    patch = _paint(list(words), smaller, ink=INK, plate=PLATE)
    room = max(round(width * (1 - 2 * SAFE_MARGIN)), 1)
    if patch.size_wh[0] <= room:
        return patch
    return _paint(list(words), max(int(smaller * room / patch.size_wh[0]), 1), ink=INK, plate=PLATE)


def _paint(lines: Sequence[str], text_px: int, *, ink: Colour, plate: Colour | None) -> _Patch:
    texts = [_line(line, text_px) for line in lines]
    pad = round(text_px * 0.4) if plate else 0
    gap = round(text_px * 0.45)
    width = max(text.shape[1] for text in texts) + 2 * pad
    height = sum(text.shape[0] for text in texts) + gap * (len(texts) - 1) + 2 * pad
    letters = np.zeros((height, width), np.float32)
    top = pad
    for text in texts:
        left = (width - text.shape[1]) // 2
        letters[top : top + text.shape[0], left : left + text.shape[1]] = text
        top += text.shape[0] + gap
    ground = PLATE_OPACITY * _rounded(width, height, radius=pad) if plate else np.zeros_like(letters)
    under = (ground * (1 - letters))[..., None] * np.array(plate or (0, 0, 0), np.float32)
    over = letters[..., None] * np.array(ink, np.float32)
    keep = (1 - ground) * (1 - letters)
    return _Patch(
        np.round((under + over) * 256).astype(np.uint16),
        np.repeat(np.round(keep * 256).astype(np.uint16)[..., None], 3, axis=2),
    )


def _blend(image: Image, patch: _Patch, left_top: tuple[int, int]) -> None:
    (width, height), (left, top) = patch.size_wh, left_top
    x0, y0 = max(left, 0), max(top, 0)
    x1, y1 = min(left + width, image.shape[1]), min(top + height, image.shape[0])
    if x0 >= x1 or y0 >= y1:
        return
    region = image[y0:y1, x0:x1]
    part = (slice(y0 - top, y1 - top), slice(x0 - left, x1 - left))
    blended = np.multiply(region, patch.keep[part], dtype=np.uint16)
    blended += patch.ink[part]
    region[:] = blended >> 8


def _line(text: str, height_px: int) -> NDArray[np.float32]:
    """Return the coverage of a line of text, 0 to 1; capitals are `height_px` high."""
    font = _font(max(round(height_px * 100 / _capital_height()), 1))
    left, top, right, bottom = font.getbbox(text, anchor="ls")
    canvas = Pillow.new("L", (int(right - left), max(int(bottom - top), 1)))
    ImageDraw.Draw(canvas).text((-left, -top), text, fill=255, font=font, anchor="ls")
    return np.asarray(canvas, np.float32) / np.float32(255)


def _rounded(width: int, height: int, *, radius: int) -> NDArray[np.float32]:
    """Return the coverage of a rounded rectangle, smooth at the edge."""
    scale = 4
    canvas = Pillow.new("L", (width * scale, height * scale))
    box = (0, 0, width * scale - 1, height * scale - 1)
    ImageDraw.Draw(canvas).rounded_rectangle(box, radius * scale, fill=255)
    smooth = cv2.resize(np.asarray(canvas, np.float32), (width, height), interpolation=cv2.INTER_AREA)
    return np.asarray(smooth, np.float32) / np.float32(255)


@cache
def _font_file() -> bytes:
    return (files("mien.vision.render") / "fonts" / "mien-label.otf").read_bytes()


@cache
def _capital_height() -> float:
    """Height of a capital letter at a font size of 100."""
    _, top, _, bottom = _font(100).getbbox("AI", anchor="ls")
    return bottom - top


def _font(size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(BytesIO(_font_file()), size, layout_engine=ImageFont.Layout.BASIC)
