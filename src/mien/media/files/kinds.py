"""Kinds of files by their first bytes: those that look like pictures or videos to a library, but are something else."""

from pathlib import Path, PurePath
from types import MappingProxyType
from typing import Literal

from mien.errors import MediaError

_RAW_SUFFIXES = frozenset(
    {
        *(".3fr", ".arw", ".cr2", ".cr3", ".crw", ".dcr", ".dng", ".erf", ".gpr", ".iiq", ".k25", ".kdc", ".mef"),
        *(".mos", ".mrw", ".nef", ".nrw", ".orf", ".pef", ".raf", ".raw", ".rw2", ".rwl", ".sr2", ".srf", ".srw"),
    }
)
_RAW_MARKS = (b"FUJIFILMCCD-RAW", b"IIU\x00", b"IIRO", b"IIRS", b"MMOR", b"FOVb", b"\x00MRM")
_DNG_VERSION, _SUB_IFDS = 50706, 330
_REDUCED, _NEW_SUBFILE = 1, 254
_HEAD_BYTES = 4096
_EXPORT = "export it as JPEG or PNG first"
_SUFFIXES = MappingProxyType(
    {
        ".svg": "an SVG drawing",
        ".svgz": "an SVG drawing",
        ".pdf": "a PDF document",
        ".eps": "a PostScript drawing",
        ".ai": "a drawing of Adobe Illustrator",
        ".psd": "a Photoshop document",
        ".xcf": "a GIMP document",
        ".ico": "a Windows icon",
    }
)
_MARKS = (
    (b"%PDF", "a PDF document"),
    (b"%!PS", "a PostScript drawing"),
    (b"\xc5\xd0\xd3\xc6", "a PostScript drawing"),
    (b"8BPS", "a Photoshop document"),
    (b"gimp xcf", "a GIMP document"),
    (b"\xff\x0a", "a JPEG XL picture"),
    (b"\x00\x00\x00\x0cJXL \x0d\x0a\x87\x0a", "a JPEG XL picture"),
    (b"v/1\x01", "an OpenEXR picture"),
    (b"#?RADIANCE", "a Radiance picture"),
    (b"#?RGBE", "a Radiance picture"),
    (b"AT&TFORM", "a DjVu document"),
    (b"\xd7\xcd\xc6\x9a", "a Windows metafile"),
    (b"SIMPLE  =", "a FITS picture"),
    (b"PK\x03\x04", "a ZIP archive or office document"),
    (b"Rar!", "an archive"),
    (b"7z\xbc\xaf\x27\x1c", "an archive"),
    (b"ID3", "a sound file"),
    (b"fLaC", "a sound file"),
)
_AVIF = frozenset({b"avif", b"avis"})
_FILM_MARKS = (b"\x1aE\xdf\xa3", b"FLV\x01", b"OggS", b"\x00\x00\x01\xba", b"0&\xb2u\x8ef\xcf\x11", b"DKIF", b"nut/")


def read_head(path: Path) -> bytes:
    """Return the first bytes of a file that is to be read.

    Raises:
        MediaError: There is none, it is a folder or empty, or may not be read.
    """
    try:
        if path.is_dir():
            raise MediaError(f"{path} is a folder; name one picture or video")
        if path.exists() and not path.is_file():
            raise MediaError(f"{path} is not a plain file")
        with path.open("rb") as file:
            head = file.read(_HEAD_BYTES)
    except FileNotFoundError as error:
        raise MediaError(f"there is no file {path}") from error
    except (OSError, ValueError) as error:
        raise MediaError(f"{path} may not be read: {getattr(error, 'strerror', None) or error}") from error
    if not head:
        raise MediaError(f"{path} is empty (0 bytes)")
    return head


def unsupported_kind(head: bytes, name: str) -> str | None:
    """Say what a file is, if it is of a kind that is known and not read.

    Args:
        head: Its first bytes; 4096 are enough.
        name: Its name: camera raws of many makers look like any TIFF, and like their own thumbnail.

    Example:
        >>> unsupported_kind(b"<svg xmlns='http://www.w3.org/2000/svg'/>", "logo"), unsupported_kind(b"GIF89a", "a.gif")
        ('an SVG drawing', None)
    """
    if _is_camera_raw(head, name):
        return "a camera's raw picture"
    for mark, kind in _MARKS:
        if head.startswith(mark):
            return kind
    if head[8:12] == b"DICM" or head[128:132] == b"DICM":
        return "a DICOM picture"
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n")
    if text.startswith(b"<svg") or (text.startswith((b"<?xml", b"<!")) and b"<svg" in head):
        return "an SVG drawing"
    if text.startswith((b"<?xml", b"<!DOCTYPE", b"<html", b"<HTML")):
        return "a text document"
    return None


def check_supported(head: bytes, path: PurePath) -> None:
    """Refuse a file of a kind that is known and not read, with a way out.

    Raises:
        MediaError: It is one.
    """
    kind = unsupported_kind(head, path.name)
    if head.startswith(b"\x1f\x8b"):
        kind = _SUFFIXES.get(path.suffix.lower(), "a compressed file")
    elif kind is None and not _is_known(head):
        kind = _SUFFIXES.get(path.suffix.lower())
    if kind is not None:
        way_out = "" if kind.startswith(("a sound", "a text")) else f"; {_EXPORT}"
        raise MediaError(f"{path} is {kind}, which mien does not read{way_out}")


def is_heif(head: bytes) -> bool:
    """Say whether a file is a HEIF picture coded in HEVC, as phones take them (HEIC)."""
    brands = _brands(head)
    named = brands & {b"heic", b"heix", b"heim", b"heis"}
    return bool(named) or (head[8:12] in {b"mif1", b"msf1"} and not brands & _AVIF)


def is_motion_jpeg(name: str) -> bool:
    """Say whether a file is called a raw stream of JPEGs: it begins like a single picture, and its name alone tells."""
    return name.lower().endswith((".mjpeg", ".mjpg"))


def may_be_film(head: bytes) -> bool:
    """Say whether a file begins like a video."""
    if head[4:8] == b"ftyp":
        return not is_heif(head) and not _brands(head) & _AVIF
    return head.startswith(_FILM_MARKS) or (head[:4] == b"RIFF" and head[8:12] == b"AVI ")


def _brands(head: bytes) -> set[bytes]:
    """Return what a file of ISO/IEC 14496-12 says that it can be read as."""
    if head[4:8] != b"ftyp":
        return set()
    size = min(int.from_bytes(head[:4], "big"), len(head))
    return {head[at : at + 4] for at in (8, *range(16, size - 3, 4))}


def _is_known(head: bytes) -> bool:
    pictures = (b"\xff\xd8\xff", b"\x89PNG", b"GIF8", b"RIFF", b"BM", b"II*\x00", b"MM\x00*")
    return head.startswith((*pictures, *_FILM_MARKS)) or head[4:8] == b"ftyp"


def _is_camera_raw(head: bytes, name: str) -> bool:
    if head.startswith(_RAW_MARKS) or head[6:14] == b"HEAPCCDR" or head[4:12] == b"ftypcrx ":
        return True
    if head[:4] not in {b"II*\x00", b"MM\x00*"}:
        return False
    tags = _tiff_tags(head)
    # What such a file shows to a reader of TIFF is a thumbnail; the picture itself lies in another directory.
    return (
        head[8:10] == b"CR"
        or _DNG_VERSION in tags
        or (_SUB_IFDS in tags and tags.get(_NEW_SUBFILE) == _REDUCED)
        or PurePath(name).suffix.lower() in _RAW_SUFFIXES
    )


def _tiff_tags(head: bytes) -> dict[int, int]:
    """Return the tags of a TIFF's first directory, as far as it lies in its first bytes, with their values."""
    order: Literal["little", "big"] = "little" if head[:2] == b"II" else "big"

    def number(at: int, size: int) -> int:
        return int.from_bytes(head[at : at + size], order)

    start = number(4, 4)
    entries = (start + 2 + 12 * index for index in range(number(start, 2)))
    return {number(at, 2): number(at + 8, 4) for at in entries if at + 12 <= len(head)}
