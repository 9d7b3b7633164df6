"""Pictures in files: read upright as RGB, and written without anything that could show the untreated face."""

import io
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from types import MappingProxyType
from typing import Any

import numpy as np
from PIL import Image as Pillow
from PIL import ImageCms, ImageOps, UnidentifiedImageError

from mien.errors import (
    InputError,
    MediaError,
    MediaTooCostlyError,
    MediaTooLargeError,
    MediaTruncatedError,
    OutputError,
)
from mien.media.files.heif import HeifImage, decode_heif
from mien.media.files.kinds import check_supported, is_heif, is_motion_jpeg, may_be_film, read_head
from mien.vision.types import Image, TreatedFrame

MAX_IMAGE_PIXELS = 80_000_000
"""Below the size at which Pillow itself begins to warn of decompression bombs."""
DEFAULT_IMAGE_PIXELS = 24_000_000
"""Read where nobody says otherwise: a picture of that size takes 72 MB of memory once decoded, and a second."""
MAX_ICC_BYTES = 4 * 2**20
_HEAD_BYTES = 4096
_MAX_FRAME_BYTES = 2**30
"""Uncompressed, `MAX_IMAGE_PIXELS` of 16 bits and four channels take 640 MB."""
# Named one by one, because Pillow also knows formats that start an interpreter (EPS) or that nobody sends us.
READABLE_FORMATS = ("JPEG", "PNG", "WEBP", "AVIF", "TIFF", "BMP", "GIF", "JPEG2000", "PPM", "HEIF")
"""By Pillow's names, but for HEIF, which `media.heif` reads."""
WRITABLE_SUFFIXES = MappingProxyType(
    {
        ".jpg": "JPEG",
        ".jpeg": "JPEG",
        ".png": "PNG",
        ".webp": "WEBP",
        ".avif": "AVIF",
        ".tif": "TIFF",
        ".tiff": "TIFF",
        ".bmp": "BMP",
    }
)
_READABLE_SUFFIXES = frozenset({*WRITABLE_SUFFIXES, ".gif", ".jp2", ".ppm", ".pgm", ".heic", ".heif", ".hif"})
_SAVE_OPTIONS: MappingProxyType[str, dict[str, Any]] = MappingProxyType(
    {
        # 4:4:4, because the label's thin strokes and the edges of mosaic cells bleed in 4:2:0.
        "JPEG": {"quality": 92, "subsampling": 0},
        "PNG": {},
        "WEBP": {"quality": 90, "method": 4},
        "AVIF": {"quality": 80},
        "TIFF": {"compression": "tiff_deflate"},
        "BMP": {},
    }
)
# What Pillow's decoders raise on damaged files, besides UnidentifiedImageError (an OSError): each of its plugins
# stumbles in its own way.
_DECODE_ERRORS = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    LookupError,
    TypeError,
    AttributeError,
    ArithmeticError,
    RuntimeError,
    struct.error,
    zlib.error,
)


@dataclass(frozen=True, slots=True)
class StillImage:
    """A decoded picture.

    Attributes:
        image: Upright pixels.
        icc_profile: The RGB colour profile the pixels are in, or None for sRGB.
        notes: Sentences about what could not be kept.
    """

    image: Image
    icc_profile: bytes | None = None
    notes: tuple[str, ...] = ()


def is_image_name(name: str) -> bool:
    """Say whether a file of this name would be a picture.

    Example:
        >>> is_image_name("me.JPG"), is_image_name("me.mp4")
        (True, False)
    """
    return PurePath(name).suffix.lower() in _READABLE_SUFFIXES


def is_still(path: Path) -> bool:
    """Look into a file: is it a picture? An animated GIF is a video.

    Raises:
        MediaError: There is no such file, or it is of a kind that is known and not read.
    """
    head = read_head(path)
    check_supported(head, path)
    if is_heif(head):
        return True
    if is_motion_jpeg(path.name):
        return False
    try:
        with Pillow.open(path, formats=_for_pillow(READABLE_FORMATS)) as opened:
            return opened.format != "GIF" or getattr(opened, "n_frames", 1) == 1
    except (Pillow.DecompressionBombError, Pillow.DecompressionBombWarning):
        return True
    except _DECODE_ERRORS:
        # No header that makes sense: by its name, `decode_still` or the video reader shall say what is wrong.
        return not may_be_film(head) and is_image_name(path.name) and path.suffix.lower() != ".gif"


def decode_image(
    data: bytes,
    *,
    name: str = "picture",
    max_pixels: int = DEFAULT_IMAGE_PIXELS,
    formats: Sequence[str] = READABLE_FORMATS,
) -> Image:
    """Decode the bytes of a picture file to upright pixels; see `decode_still`.

    Raises:
        MediaError: The bytes are no single picture that can be read.
    """
    return decode_still(data, name=name, max_pixels=max_pixels, formats=formats).image


def decode_still(
    data: bytes,
    *,
    name: str = "picture",
    max_pixels: int = DEFAULT_IMAGE_PIXELS,
    formats: Sequence[str] = READABLE_FORMATS,
) -> StillImage:
    """Decode the bytes of a picture file, with what must be carried over to its treated copy.

    Greyscale, palette, CMYK and 16-bit pictures become 8-bit RGB; transparency is laid on white, so that no
    face can hide in an alpha channel; the orientation of the camera is applied.

    Args:
        data: The file.
        name: How to call it in errors.
        max_pixels: Refuse larger ones before decoding them.
        formats: Those to read, by Pillow's names.

    Raises:
        MediaTooLargeError: It has more than `max_pixels`.
        MediaTooCostlyError: There is not enough memory for it.
        MediaTruncatedError: It ends too early.
        MediaError: It is empty, animated, or no picture that can be read.
    """
    if not data:
        raise MediaError(f"{name} is empty (0 bytes)")
    head = data[:_HEAD_BYTES]
    check_supported(head, PurePath(name))
    if "HEIF" in formats and is_heif(head):
        return _checked(decode_heif(data, name=name, max_pixels=max_pixels))
    try:
        with Pillow.open(io.BytesIO(data), formats=_for_pillow(formats)) as opened:
            _check_opened(opened, name, max_pixels)
            opened.load()
            return _upright_rgb(opened)
    except (Pillow.DecompressionBombError, Pillow.DecompressionBombWarning) as error:
        raise MediaTooLargeError(f"{name} has too many pixels, at most {max_pixels} are read") from error
    except MemoryError as error:
        raise MediaTooCostlyError(f"{name} takes more memory than there is") from error
    except UnidentifiedImageError as error:
        raise MediaError(f"{name} is not a picture mien can read ({_names(formats)})") from error
    except _DECODE_ERRORS as error:
        if "truncated" in str(error).lower():
            raise MediaTruncatedError(f"{name} ends too early: {error}") from error
        raise MediaError(f"{name} cannot be decoded: {error}") from error


def _check_opened(opened: Pillow.Image, name: str, max_pixels: int) -> None:
    """Let a picture pass of which no pixel is decoded yet."""
    width, height = opened.size
    if width * height > max_pixels:
        raise MediaTooLargeError(f"{name} has {width}x{height} pixels, at most {max_pixels} are read")
    # The further pictures of an MPO are a stereo pair or a preview; it still counts as one picture.
    if getattr(opened, "n_frames", 1) > 1 and opened.format != "MPO":
        raise MediaError(f"{name} is animated or has several pages; make a video or single pictures of it first")


def read_still(path: Path, *, max_pixels: int = DEFAULT_IMAGE_PIXELS) -> StillImage:
    """Read a picture file.

    Raises:
        MediaTooLargeError: As `decode_still`, or the file itself is huge.
        MediaError: As `decode_still`, or the file cannot be read.
    """
    try:
        size = path.stat().st_size
        if size > _MAX_FRAME_BYTES:
            raise MediaTooLargeError(f"{path} has {size} bytes, of a picture at most {_MAX_FRAME_BYTES} are read")
        data = path.read_bytes()
    except OSError as error:
        raise MediaError(f"cannot read {path}: {error.strerror or error}") from error
    return decode_still(data, name=str(path), max_pixels=max_pixels)


def encode_still(frame: TreatedFrame, *, suffix: str, icc_profile: bytes | None = None) -> bytes:
    """Encode a treated frame as a picture file.

    Nothing of the original file's metadata goes in: an EXIF block carries a thumbnail of the untreated face
    and the place where it was taken.

    Args:
        frame: The only kind of picture that may leave.
        suffix: ".jpg", ".png", ... as in `WRITABLE_SUFFIXES`.
        icc_profile: The colour profile of the pixels.

    Raises:
        OutputError: No such format, or the picture does not fit into it.
    """
    if not isinstance(frame, TreatedFrame):
        raise InputError(f"only a TreatedFrame may be written, got {type(frame).__name__}")
    kind = still_format(suffix)
    profile = {} if icc_profile is None or kind == "BMP" else {"icc_profile": icc_profile}
    buffer = io.BytesIO()
    try:
        Pillow.fromarray(frame.image).save(buffer, kind, **_SAVE_OPTIONS[kind], **profile)
    except (OSError, ValueError, struct.error) as error:
        height, width = frame.image.shape[:2]
        raise OutputError(f"a picture of {width}x{height} cannot be written as {kind}: {error}") from error
    return buffer.getvalue()


def still_format(suffix: str) -> str:
    """Return the name of the format that a file suffix stands for.

    Raises:
        OutputError: Pictures are not written in that format.
    """
    try:
        return WRITABLE_SUFFIXES[suffix.lower()]
    except KeyError:
        known = " ".join(WRITABLE_SUFFIXES)
        raise OutputError(f"pictures are written as {known}, not {suffix or 'a name without suffix'!r}") from None


def _checked(still: HeifImage) -> StillImage:
    profile = _rgb_profile(still.icc_profile)
    lost = still.icc_profile and profile is None
    notes = (*still.notes, *(["the colour profile was unusable and is left out"] if lost else []))
    return StillImage(still.image, profile, notes)


def _for_pillow(formats: Sequence[str]) -> tuple[str, ...]:
    return tuple(name for name in formats if name != "HEIF")


def _upright_rgb(opened: Pillow.Image) -> StillImage:
    notes: list[str] = []
    icc = opened.info.get("icc_profile")
    upright = _upright(opened)
    if opened.format == "MPO" and getattr(opened, "n_frames", 1) > 1:
        notes.append("only the first of several pictures in the file was used")
    if upright.mode == "F":
        raise ValueError("floating-point pixels have no agreed range")
    if upright.mode.startswith("I"):
        notes.append("16 bits per colour became 8")
        upright = Pillow.fromarray(_to_8_bit(np.asarray(upright)))
    if "A" in upright.getbands() or "transparency" in upright.info:
        notes.append("transparency was laid on white")
        rgba = upright.convert("RGBA")
        white = Pillow.new("RGBA", rgba.size, (255, 255, 255, 255))
        upright = Pillow.alpha_composite(white, rgba).convert("RGB")
    if upright.mode == "RGB":
        rgb, profile = upright, _rgb_profile(icc)
        if icc and profile is None:
            notes.append("the colour profile was unusable and is left out")
    else:
        rgb, profile = _to_srgb(upright, icc), None
    return StillImage(np.array(rgb, np.uint8), profile, tuple(notes))


def _upright(opened: Pillow.Image) -> Pillow.Image:
    try:
        return ImageOps.exif_transpose(opened)
    except _DECODE_ERRORS:
        return opened  # a damaged EXIF block says nothing about orientation; the pixels are fine


def _to_8_bit(samples: np.ndarray[Any, np.dtype[Any]]) -> Image:
    # Mode "I" holds 16-bit PNG values in 32-bit integers; anything beyond 16 bits has no agreed range.
    eight: Image = (np.clip(samples, 0, 65535).astype(np.uint16) // 257).astype(np.uint8)
    return eight


def _rgb_profile(icc: bytes | None) -> bytes | None:
    """Return the profile if it is one and describes RGB."""
    if not icc or len(icc) > MAX_ICC_BYTES:
        return None
    try:
        profile = ImageCms.ImageCmsProfile(io.BytesIO(icc))
    except (OSError, ImageCms.PyCMSError):
        return None
    return icc if profile.profile.xcolor_space.strip() == "RGB" else None


def _to_srgb(still: Pillow.Image, icc: bytes | None) -> Pillow.Image:
    """Convert grey, palette, CMYK and Lab pixels, by their own profile where it fits."""
    if icc and len(icc) <= MAX_ICC_BYTES and still.mode in {"L", "CMYK", "LAB"}:
        try:
            source = ImageCms.ImageCmsProfile(io.BytesIO(icc))
            srgb = ImageCms.createProfile("sRGB")
            converted = ImageCms.profileToProfile(still, source, srgb, outputMode="RGB")
        except (OSError, ValueError, ImageCms.PyCMSError):
            converted = None  # the profile is for other pixels than these; fall back to the plain formula
        if converted is not None:
            return converted
    return still.convert("RGB")


def _names(formats: Sequence[str]) -> str:
    return ", ".join(formats)
