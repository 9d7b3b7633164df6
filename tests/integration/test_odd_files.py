"""Every odd file ends in a result that opens again, or in one clear line with a code, and leaves nothing else."""

import re
from pathlib import Path

import av
import pytest
from PIL import Image as Pillow

from mien.app.files.treat import TreatReport, treat_file
from mien.errors import MienError
from support.clips import Keep
from support.odd_files import ODD_FILES

VIDEO_SUFFIXES = (".mp4", ".mkv", ".mov", ".webm")
REFUSED = {
    "sizes like none": "media.truncated",
    "sound alone, m4a": "media.unreadable",
    "sound alone, mp3": "media.unreadable",
    "sound alone, wav": "media.unreadable",
    "sound alone, ogg": "media.unreadable",
    "text alone, srt": "media.unreadable",
    "text alone, mkv": "media.unreadable",
    "a cover alone": "media.unreadable",
    "film without a decoder": "media.unreadable",
    "film without a decoder in mkv": "media.unreadable",
    "empty": "media.unreadable",
    "a letter": "media.unreadable",
    "zeros": "media.unreadable",
    "noise": "media.unreadable",
    "ftyp alone": "media.truncated",
    "an mkv's head alone": "media.truncated",
    "an endless box": "media.truncated",
    "cut off mp4": "media.truncated",
    "a png like none": "media.too_large",
    "animated WEBP": "media.unreadable",
    "animated PNG": "media.unreadable",
    "animated TIFF": "media.unreadable",
    "animated AVIF": "media.unreadable",
    "a cut off jpeg": "media.truncated",
    "a cut off heic": "media.unreadable",
    **dict.fromkeys(
        (
            "dng",
            "a dng called tif",
            "cr2",
            "nef",
            "arw",
            "raf",
            "cr3",
            "svg",
            "svgz",
            "pdf",
            "psd",
            "jpeg xl",
            "eps",
            "zip",
        ),
        "media.unreadable",
    ),
    "a folder": "media.unreadable",
    "a dangling link": "media.unreadable",
    "a pipe": "media.unreadable",
    "a playlist": "media.unreadable",
}
MAY_BE_EITHER = re.compile(r"cut off|holes in|noise in|garbage after")
"""How much of a damaged file can be read depends on where its keyframes came to lie."""


def target_for(name: str, source: Path) -> Path:
    """Return where to write: pictures to PNG, films to each kind of file in turn."""
    number = list(ODD_FILES).index(name)
    is_picture = source.suffix in {".png", ".webp", ".avif", ".tiff", ".bmp", ".jpeg", ".heic", ".svg", ".tif"}
    return source.with_name("out.png" if is_picture else "out" + VIDEO_SUFFIXES[number % len(VIDEO_SUFFIXES)])


def attempt(source: Path, target: Path) -> tuple[TreatReport | None, MienError | None]:
    """Treat a file and return what came of it."""
    try:
        return treat_file(source, target, lambda **_: Keep(3)), None
    except MienError as error:
        return None, error


def plays(path: Path) -> int:
    """Decode a result whole and return how many frames it has."""
    if path.suffix == ".png":
        with Pillow.open(path) as opened:
            opened.load()
        return 1
    with av.open(str(path)) as container:
        frames = sum(1 for _ in container.decode(video=0))
    for index in range(len(container.streams.audio)):
        with av.open(str(path)) as again:
            assert sum(frame.samples for frame in again.decode(audio=index)) >= 0
    return frames


def test_the_corpus_is_large():
    assert len(ODD_FILES) >= 120


@pytest.mark.parametrize("name", ODD_FILES)
def test_an_odd_file_ends_in_a_result_or_in_one_clear_line(tmp_path, name):
    source = ODD_FILES[name](tmp_path)
    target = target_for(name, source)
    report, error = attempt(source, target)
    if error is not None and error.code == "output" and target.suffix != ".png":  # a picture under a film's name
        target = target.with_name("out.png")
        report, error = attempt(source, target)
    code = None if error is None else error.code
    assert not re.search(r"\n|\.part|Errno|Traceback|<none>|\b0x", str(error or ""))
    assert {path.name for path in tmp_path.iterdir()} == {source.name, *([target.name] if report else [])}
    if MAY_BE_EITHER.match(name):
        assert code in {None, "media.truncated", "media.unreadable"}
    else:
        assert code == REFUSED.get(name)
    if isinstance(report, TreatReport):
        assert plays(target) == report.frames > 0
        assert all("\n" not in note and "Errno" not in note for note in report.notes)
