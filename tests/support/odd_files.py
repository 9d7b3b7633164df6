"""A hundred odd files, made by code: what strangers hand in. `ODD_FILES` maps a name to what writes the file."""

import io
import os
import struct
import zlib
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from types import MappingProxyType
from typing import TypeAlias

import numpy as np
from av.stream import Disposition
from PIL import Image as Pillow

from support.clips import patches
from support.heif import heic
from support.muxing import Audio, Film, mux

Maker: TypeAlias = Callable[[Path], Path]
"""Writes a file into a folder and returns its path."""

_NOBODY = Disposition(0)
_TINY = Film(pts=range(4))
_B = Film(b_frames=2, pts=range(12))


def _film(name: str, *tracks: Film | Audio, **options: object) -> Maker:
    return lambda folder: mux(folder / name, *tracks, **options)  # type: ignore[arg-type]


def _bytes(name: str, data: bytes | Callable[[], bytes]) -> Maker:
    def make(folder: Path) -> Path:
        path = folder / name
        path.write_bytes(data if isinstance(data, bytes) else data())
        return path

    return make


def _changed(name: str, make: Maker, change: Callable[[bytes], bytes]) -> Maker:
    """Make a file, change its bytes, and give it another name."""

    def made(folder: Path) -> Path:
        first = make(folder)
        data = first.read_bytes()
        first.unlink()
        (folder / name).write_bytes(change(data))
        return folder / name

    return made


def _joined(name: str, *makes: Maker) -> Maker:
    def make(folder: Path) -> Path:
        parts = []
        for one in makes:
            path = one(folder)
            parts.append(path.read_bytes())
            path.unlink()
        (folder / name).write_bytes(b"".join(parts))
        return folder / name

    return make


def _still(name: str, kind: str, frame: Callable[[], Pillow.Image], **options: object) -> Maker:
    def data() -> bytes:
        buffer = io.BytesIO()
        frame().save(buffer, kind, **options)
        return buffer.getvalue()

    return _bytes(name, data)


def _photo(mode: str = "RGB", size_wh: tuple[int, int] = (60, 44)) -> Callable[[], Pillow.Image]:
    return lambda: Pillow.fromarray(patches(size_wh)).convert(mode)


def _later(seconds: float, *, frames: int = 8) -> tuple[Film, Audio]:
    start = round(seconds * 25)
    return Film(pts=range(start, start + frames)), Audio("mp2", start_s=seconds)


def _png(head: bytes, rows: bytes) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def _png16(colour_type: int, channels: int) -> bytes:
    rows = b"".join(b"\0" + bytes(range(2 * channels)) * 9 for _ in range(7))
    return _png(struct.pack(">IIBBBBB", 9, 7, 16, colour_type, 0, 0, 0), rows)


def _huge_png() -> bytes:
    return _png(struct.pack(">IIBBBBB", 50_000, 50_000, 8, 2, 0, 0, 0), bytes(999))


def _tiff(tags: dict[int, int], *, mark: bytes = b"II*\0") -> bytes:
    """Return a TIFF of one grey pixel with some tags more."""
    all_tags = {256: 1, 257: 1, 258: 8, 259: 1, 262: 1, 273: 8, 277: 1, 278: 1, 279: 1} | tags
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in sorted(all_tags.items()))
    return mark + struct.pack("<I", 16) + b"\x80" + bytes(7) + struct.pack("<H", len(all_tags)) + entries + bytes(4)


def _wav() -> bytes:
    samples = np.zeros(800, np.int16).tobytes()
    form = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, 8000, 16000, 2, 16)
    return (
        struct.pack("<4sI4s", b"RIFF", 36 + len(samples), b"WAVE") + form + struct.pack("<4sI", b"data", 1600) + samples
    )


def _pipe(folder: Path) -> Path:
    os.mkfifo(folder / "pipe.mp4")
    return folder / "pipe.mp4"


def _folder(folder: Path) -> Path:
    (folder / "album.mp4").mkdir()
    return folder / "album.mp4"


def _dangling(folder: Path) -> Path:
    (folder / "lost.mp4").symlink_to(folder / "nowhere")
    return folder / "lost.mp4"


def _cut(share: float) -> Callable[[bytes], bytes]:
    return lambda data: data[: int(len(data) * share)]


def _hole(data: bytes) -> bytes:
    middle, size = len(data) // 2, max(len(data) // 8, 1)
    return data[:middle] + bytes(size) + data[middle + size :]


def _noise(data: bytes) -> bytes:
    spoilt = bytearray(data)
    for place in np.random.default_rng(7).integers(len(data) // 4, len(data), 40):
        spoilt[place] ^= 0x5A
    return bytes(spoilt)


def _garbage(data: bytes) -> bytes:
    return data[:200] + np.random.default_rng(8).bytes(4000)


def _renamed(old: bytes, new: bytes) -> Callable[[bytes], bytes]:
    return lambda data: data.replace(old, new)


_MP4 = _film("in.mp4", _B, Audio())
_MKV = _film("in.mkv", _B, Audio())
_TS = _film("in.ts", Film(b_frames=2), Audio("mp2"))
_AVI = _film("in.avi", Film("mpeg4", b_frames=2, pts=range(12)), Audio("libmp3lame"))
_FLV = _film("in.flv", Film("flv1"), Audio("libmp3lame", rate=44_100))
_VOB = _film("in.vob", Film("mpeg2video"), Audio("mp2"), form="vob")
_WEBM = _film("in.webm", Film("libvpx", pts=range(4)), Audio("libopus"))
_CONTAINERS = {"mp4": _MP4, "mkv": _MKV, "ts": _TS, "avi": _AVI, "flv": _FLV, "vob": _VOB, "webm": _WEBM}
_HDR_TAGS = {"x265-params": "log-level=none:colorprim=9:transfer=16:colormatrix=9", "preset": "ultrafast"}

_ODD: dict[str, Maker] = {
    # codecs and containers
    **{f"plain {name}": make for name, make in _CONTAINERS.items()},
    "h264 with B-frames in avi": _film("in.avi", _B, Audio("libmp3lame")),
    "mjpeg in avi": _film("in.avi", Film("mjpeg", pix_fmt="yuvj420p")),
    "huffyuv in avi": _film("in.avi", Film("huffyuv", pix_fmt="yuv422p")),
    "h264 in flv": _film("in.flv", _B, Audio()),
    "wmv": _film("in.wmv", Film("wmv2"), Audio("libmp3lame", rate=44_100), form="asf"),
    "vp8 in ogg": _film("in.ogv", Film("libvpx"), form="ogg"),
    "vp8 in ivf": _film("in.ivf", Film("libvpx"), form="ivf"),
    "vp9 in webm": _film("in.webm", Film("libvpx-vp9", pts=range(3))),
    "ffv1 in nut": _film("in.nut", Film("ffv1"), Audio("pcm_s16le")),
    "mpeg2 in mxf": _film("in.mxf", Film("mpeg2video", size_wh=(96, 64)), form="mxf"),
    "mpeg1 program stream": _film("in.mpg", Film("mpeg1video"), Audio("mp2"), form="mpeg"),
    "prores 4444 with alpha": _film("in.mov", Film("prores_ks", pix_fmt="yuva444p10le", alpha=90)),
    "qtrle with alpha": _film("in.mov", Film("qtrle", pix_fmt="argb", alpha=0)),
    "png film": _film("in.mov", Film("png", pix_fmt="rgba", alpha=200)),
    "raw pixels in mov": _film("in.mov", Film("rawvideo", pix_fmt="rgb24")),
    "grey ffv1": _film("in.mkv", Film("ffv1", pix_fmt="gray")),
    "grey 16-bit ffv1": _film("in.mkv", Film("ffv1", pix_fmt="gray16le")),
    "16 bits of 4:4:4": _film("in.mkv", Film("ffv1", pix_fmt="yuv444p16le")),
    "10-bit hevc": _film("in.mkv", Film("libx265", pix_fmt="yuv420p10le", pts=range(4))),
    "hdr hevc": _film("in.mov", Film("libx265", pix_fmt="yuv420p10le", pts=range(4), options=_HDR_TAGS)),
    "h263 in 3gp": _film("in.3gp", Film("h263", size_wh=(176, 144)), form="3gp"),
    "yuv4mpeg": _film("in.y4m", Film("wrapped_avframe"), form="yuv4mpegpipe"),
    "gif": _film("in.gif", Film("gif", pix_fmt="rgb8")),
    "raw h264": _film("in.h264", _B, form="h264"),
    "raw hevc": _film("in.hevc", Film("libx265", pts=range(4)), form="hevc"),
    "raw mpeg4": _film("in.m4v", Film("mpeg4", rate=Fraction(15)), form="m4v"),
    "raw mpeg2": _film("in.m2v", Film("mpeg2video"), form="mpeg2video"),
    "raw mjpeg": _film("in.mjpeg", Film("mjpeg", pix_fmt="yuvj420p"), form="mjpeg"),
    # times
    "one frame": _film("in.mp4", Film(pts=(0,))),
    "an hour a frame": _film("in.mp4", Film(pts=(0, 3600, 7200), time_base=Fraction(1))),
    "a thousand frames a second": _film("in.mkv", Film(pts=range(30), time_base=Fraction(1, 1000))),
    "uneven times": _film("in.mkv", Film(pts=(0, 3, 4, 50, 51, 400), time_base=Fraction(1, 1000))),
    "negative times in mkv": _film(
        "in.mkv", Film(pts=range(-6, 6)), Audio(start_s=-0.24), options={"avoid_negative_ts": "disabled"}
    ),
    "negative times in ts": _film(
        "in.ts", Film(pts=range(-6, 6)), Audio("mp2", start_s=-0.24), options={"avoid_negative_ts": "disabled"}
    ),
    "sound longer than the film": _film("in.mkv", _TINY, Audio(seconds=3)),
    "film longer than the sound": _film("in.mkv", Film(pts=range(60)), Audio(seconds=0.1)),
    "a film that starts late": _film("in.mkv", Film(pts=range(50, 56)), Audio(seconds=2.3)),
    "an edit list": _film("in.mp4", Film(pts=range(10, 20), b_frames=2), Audio(start_s=0.4)),
    "a fragmented mp4": _film("in.mp4", _B, Audio(), options={"movflags": "frag_keyframe+empty_moov"}),
    "a clock about to wrap": _film("in.ts", *_later(95_443.6, frames=12), options={"avoid_negative_ts": "disabled"}),
    "two takes in one ts": _joined("in.ts", _film("a.ts", *_later(0)), _film("b.ts", *_later(0))),
    "two takes in one vob": _joined("in.vob", _VOB, _VOB),
    "two takes in one flv": _joined("in.flv", _FLV, _FLV),
    "two mp4s in one": _joined("in.mp4", _MP4, _MP4),
    "two mkvs in one": _joined("in.mkv", _MKV, _MKV),
    "a leap by an hour": _joined("in.ts", _film("a.ts", *_later(0)), _film("b.ts", *_later(3600))),
    "a leap back": _joined("in.ts", _film("a.ts", *_later(500)), _film("b.ts", *_later(20))),
    # sizes
    "one pixel": _film("in.mov", Film("png", size_wh=(1, 1), pix_fmt="rgb24")),
    "two by two": _film("in.mkv", Film("ffv1", size_wh=(2, 2), pix_fmt="yuv444p")),
    "odd sides": _film("in.mkv", Film("ffv1", size_wh=(65, 49), pix_fmt="yuv444p")),
    "thin": _film("in.mkv", Film("ffv1", size_wh=(2048, 16))),
    "tall": _film("in.mkv", Film("ffv1", size_wh=(16, 2048))),
    "oblong pixels": _film("in.mp4", Film(pixel_shape=Fraction(64, 45))),
    "absurd pixels": _film("in.mkv", Film(pixel_shape=Fraction(1, 200))),
    "turned": _film("in.mp4", Film(rotation=90)),
    "turned by an odd angle": _film("in.mp4", Film(rotation=33)),
    "interlaced": _film("in.ts", Film("mpeg2video", size_wh=(96, 64), interlaced=True)),
    "a film that turns": _joined("in.ts", _film("a.ts", _TINY), _film("b.ts", Film(size_wh=(48, 64), pts=range(4, 8)))),
    "a film that grows": _joined(
        "in.ts", _film("a.ts", _TINY), _film("b.ts", Film(size_wh=(320, 16), pts=range(4, 8)))
    ),
    "pixels that change": _joined(
        "in.mjpeg",
        *(_film(f"{n}.mjpeg", Film("mjpeg", pix_fmt=f"yuvj{n}p", pts=range(3)), form="mjpeg") for n in (420, 444, 422)),
    ),
    "sizes like none": _changed(
        "in.mov",
        _film("a.mov", Film("png", pix_fmt="rgb24")),
        _renamed(struct.pack(">II", 64, 48), struct.pack(">II", 60_000, 60_000)),
    ),
    # tracks
    "sound alone, m4a": _film("in.m4a", Audio(), form="ipod"),
    "sound alone, mp3": _film("in.mp3", Audio("libmp3lame"), form="mp3"),
    "sound alone, wav": _bytes("in.wav", _wav),
    "sound alone, ogg": _film("in.ogg", Audio("libopus"), form="ogg"),
    "text alone, srt": _bytes("in.srt", b"1\n00:00:00,000 --> 00:00:01,000\nhello\n"),
    "text alone, mkv": _film("in.mkv", words=((0.1, "hello"),)),
    "a cover alone": _film(
        "in.mov", Film("mjpeg", pix_fmt="yuvj420p", pts=(0,), disposition=Disposition.attached_pic), Audio()
    ),
    "a cover beside": _film("in.mkv", _B, Audio(), attachment=b"\xff\xd8\xff cover"),
    "two films": _film("in.mkv", _B, Film("mjpeg", pix_fmt="yuvj420p", disposition=_NOBODY)),
    "chapters and words": _film("in.mkv", _B, words=((0.1, "hello"),), chapters=((0, 0.2, "one"), (0.2, 0.4, "two"))),
    "words without a decoder": _changed(
        "in.mkv", _film("a.mkv", _B, words=((0.1, "hello"),)), _renamed(b"S_TEXT/UTF8", b"S_TEXT/QQQQ")
    ),
    "sound without a decoder": _changed("in.mkv", _MKV, _renamed(b"A_AAC", b"A_QQQ")),
    "sound without a decoder in mov": _changed(
        "in.mov", _film("a.mov", _B, Audio("pcm_s16be")), _renamed(b"twos", b"qqqq")
    ),
    "film without a decoder": _changed("in.mov", _film("a.mov", _B, Audio()), _renamed(b"avc1", b"zzzz")),
    "film without a decoder in mkv": _changed("in.mkv", _MKV, _renamed(b"V_MPEG4/ISO/AVC", b"V_MPEG4/ISO/QQQ")),
    "stereo then mono": _joined(
        "in.ts",
        _film("a.ts", _TINY, Audio("mp2")),
        _film("b.ts", Film(pts=range(9, 13)), Audio("mp2", layout="mono", rate=44_100, start_s=0.36)),
    ),
    # damage
    "empty": _bytes("in.mp4", b""),
    "a letter": _bytes("in.mp4", b"dear all, " * 500),
    "zeros": _bytes("in.mp4", bytes(65_536)),
    "noise": _bytes("in.mkv", np.random.default_rng(9).bytes(50_000)),
    "ftyp alone": _bytes("in.mp4", b"\0\0\0\x18ftypisom\0\0\2\0isomiso2"),
    "an mkv's head alone": _bytes("in.mkv", b"\x1aE\xdf\xa3\x01\0\0\0\0\0\0\x1f"),
    "an endless box": _bytes("in.mp4", b"\0\0\0\x18ftypisom\0\0\2\0isomiso2" + b"\0\0\0\1moov" + b"\xff" * 8),
    **{f"cut off {name}": _changed(f"cut.{name}", make, _cut(0.6)) for name, make in _CONTAINERS.items()},
    **{f"holes in {name}": _changed(f"hole.{name}", make, _hole) for name, make in _CONTAINERS.items()},
    **{f"noise in {name}": _changed(f"noise.{name}", make, _noise) for name, make in _CONTAINERS.items()},
    **{
        f"garbage after the head of {name}": _changed(f"g.{name}", make, _garbage) for name, make in _CONTAINERS.items()
    },
    "from the middle of a ts": _changed(
        "in.ts", _film("a.ts", Film(pts=range(30), options={"g": "3"})), lambda data: data[len(data) // 3 + 7 :]
    ),
    "junk behind an mp4": _changed("in.mp4", _MP4, lambda data: data + b"junk" * 999),
    "an mkv called mp4": _changed("in.mp4", _MKV, bytes),
    "an mp4 called jpg": _changed("in.jpg", _MP4, bytes),
    "a jpeg called mp4": _still("in.mp4", "JPEG", _photo()),
    "a name with a newline and quotes": _film("a 'b' \"c\" %d 한.mp4", _TINY),
    # pictures
    **{
        f"{kind} picture": _still(f"in.{kind.lower()}", kind, _photo())
        for kind in ("JPEG", "PNG", "WEBP", "AVIF", "TIFF", "BMP")
    },
    "cmyk": _still("in.jpg", "JPEG", _photo("CMYK")),
    "palette": _still("in.png", "PNG", _photo("P")),
    "one bit": _still("in.png", "PNG", _photo("1")),
    "grey and alpha": _still("in.png", "PNG", _photo("LA")),
    **{f"16 bits, colour type {n}": _bytes("in.png", _png16(n, c)) for n, c in ((0, 1), (2, 3), (4, 2), (6, 4))},
    "one pixel png": _still("in.png", "PNG", _photo("RGB", (1, 1))),
    "thin png": _still("in.png", "PNG", _photo("RGB", (3000, 2))),
    "a png like none": _bytes("in.png", _huge_png),
    **{
        f"animated {kind}": _still(
            f"in.{kind.lower()}", kind, _photo(), save_all=True, append_images=[Pillow.new("RGB", (60, 44))]
        )
        for kind in ("GIF", "WEBP", "PNG", "TIFF", "AVIF")
    },
    "a cut off jpeg": _changed("in.jpg", _still("a.jpg", "JPEG", _photo("RGB", (300, 200))), _cut(0.5)),
    "heic": _bytes("in.heic", lambda: heic(patches((60, 44)))),
    "heic of tiles, called jpg": _bytes("in.jpg", lambda: heic(patches((100, 70)), tile=64)),
    "a cut off heic": _changed("in.heic", _bytes("a.heic", lambda: heic(patches((60, 44)))), _cut(0.5)),
    "a jpeg called heic": _still("in.heic", "JPEG", _photo()),
    "dng": _bytes("in.dng", _tiff({50706: 0x0401})),
    "a dng called tif": _bytes("in.tif", _tiff({50706: 0x0401})),
    "cr2": _bytes("in.cr2", b"II*\0\x10\0\0\0CR\2\0" + bytes(400)),
    "nef": _bytes("in.nef", _tiff({254: 1, 330: 8})),
    "arw": _bytes("in.arw", _tiff({})),
    "raf": _bytes("in.raf", b"FUJIFILMCCD-RAW 0201" + bytes(400)),
    "cr3": _bytes("in.cr3", b"\0\0\0\x18ftypcrx \0\0\0\1crx isom" + bytes(400)),
    "svg": _bytes("in.svg", b"<?xml version='1.0'?><!-- x --><svg xmlns='http://www.w3.org/2000/svg'/>"),
    "svgz": _bytes("in.svgz", b"\x1f\x8b\x08" + bytes(40)),
    "pdf": _bytes("in.pdf", b"%PDF-1.7\n" + bytes(99)),
    "psd": _bytes("in.psd", b"8BPS\0\1" + bytes(99)),
    "jpeg xl": _bytes("in.jxl", b"\xff\x0a" + bytes(99)),
    "eps": _bytes("in.eps", b"%!PS-Adobe-3.0 EPSF-3.0\n"),
    "zip": _bytes("in.zip", b"PK\3\4" + bytes(99)),
    "a folder": _folder,
    "a dangling link": _dangling,
    "a pipe": _pipe,
    "a playlist": _bytes("in.m3u8", b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n"),
}
ODD_FILES = MappingProxyType(_ODD)
