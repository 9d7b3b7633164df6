"""What a file is, by its first bytes: never a promise that another program would have to keep."""

import struct
from pathlib import Path

import pytest

from mien.errors import MediaError
from mien.media.files.images import is_still
from mien.media.files.kinds import check_supported, is_heif, may_be_film, read_head, unsupported_kind


def tiff(*tags: tuple[int, int], order: str = "<") -> bytes:
    entries = b"".join(struct.pack(f"{order}HHII", tag, 4, 1, value) for tag, value in tags)
    mark = b"II*\0" if order == "<" else b"MM\0*"
    return mark + struct.pack(f"{order}IH", 8, len(tags)) + entries + bytes(4)


@pytest.mark.parametrize(
    ("head", "name", "kind"),
    [
        pytest.param(tiff((256, 9), (50706, 1)), "a.tif", "raw", id="dng by its tag"),
        pytest.param(tiff((256, 9), (50706, 1), order=">"), "a", "raw", id="dng, big-endian"),
        pytest.param(tiff((254, 1), (330, 99)), "a.tif", "raw", id="a thumbnail before its picture"),
        pytest.param(tiff((256, 9)), "DSC_1.NEF", "raw", id="by its name"),
        pytest.param(b"II*\0\x10\0\0\0CR\x02\0", "a", "raw", id="cr2"),
        pytest.param(b"\0\0\0\x18ftypcrx ", "a", "raw", id="cr3"),
        pytest.param(b"FUJIFILMCCD-RAW", "a", "raw", id="raf"),
        pytest.param(b"\xef\xbb\xbf\n <svg ", "a", "SVG", id="svg behind a byte order mark"),
        pytest.param(b"<?xml?><!DOCTYPE svg><svg/>", "a", "SVG", id="svg in xml"),
        pytest.param(b"<!DOCTYPE html><p>", "a", "text", id="a page"),
        pytest.param(b"%PDF-2.0", "a.jpg", "PDF", id="pdf under another name"),
        pytest.param(b"\xff\x0a\0", "a", "JPEG XL", id="jpeg xl"),
        pytest.param(b"8BPS", "a", "Photoshop", id="psd"),
        pytest.param(bytes(128) + b"DICM", "a", "DICOM", id="dicom"),
    ],
)
def test_kinds_that_are_not_read_are_named(head, name, kind):
    assert kind in (unsupported_kind(head, name) or "")
    with pytest.raises(MediaError, match=kind):
        check_supported(head, Path(name))


@pytest.mark.parametrize(
    ("head", "name"),
    [
        pytest.param(tiff((256, 9), (254, 0), (330, 99)), "a.tif", id="a tiff with smaller copies"),
        pytest.param(tiff((256, 9)), "a.tif", id="a plain tiff"),
        pytest.param(b"\xff\xd8\xff\xe0", "a.dng", id="a jpeg under a raw's name"),
        pytest.param(b"\xff\xd8\xff\xe0", "a.svg", id="a jpeg under a drawing's name"),
        pytest.param(b"\0\0\1\0", "a.m4v", id="mpeg-4 that begins like an icon"),
        pytest.param(b"", "a", id="nothing"),
        pytest.param(b"II*\0\xff\xff\xff\xff", "a.tif", id="a tiff whose directory lies elsewhere"),
    ],
)
def test_kinds_that_are_read_are_not_refused(head, name):
    check_supported(head, Path(name))


def test_a_drawing_is_known_by_its_name_where_its_bytes_say_nothing():
    with pytest.raises(MediaError, match="SVG"):
        check_supported(b"\x1f\x8b\x08\0", Path("logo.svgz"))
    with pytest.raises(MediaError, match="icon"):
        check_supported(b"\0\0\1\0\1\0", Path("favicon.ico"))


@pytest.mark.parametrize(
    ("head", "heif", "film"),
    [
        pytest.param(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", True, False, id="heic"),
        pytest.param(b"\0\0\0\x18ftypmif1\0\0\0\0mif1heic", True, False, id="heif"),
        pytest.param(b"\0\0\0\x18ftypavif\0\0\0\0mif1avif", False, False, id="avif"),
        pytest.param(b"\0\0\0\x18ftypmif1\0\0\0\0mif1avif", False, False, id="avif that calls itself heif"),
        pytest.param(b"\0\0\0\x18ftypisom\0\0\0\0isommp42", False, True, id="mp4"),
        pytest.param(b"\x1aE\xdf\xa3", False, True, id="matroska"),
        pytest.param(b"RIFF\0\0\0\0AVI ", False, True, id="avi"),
        pytest.param(b"RIFF\0\0\0\0WEBP", False, False, id="webp"),
    ],
)
def test_pictures_and_films_in_one_container_are_told_apart(head, heif, film):
    assert (is_heif(head), may_be_film(head)) == (heif, film)


def test_a_folder_is_never_a_kind_of_file(tmp_path):
    for look in (read_head, is_still):
        with pytest.raises(MediaError, match="is a folder"):
            look(tmp_path)


def test_a_raw_stream_of_jpegs_is_a_film(tmp_path):
    (tmp_path / "a.mjpeg").write_bytes(b"\xff\xd8\xff\xe0")
    assert not is_still(tmp_path / "a.mjpeg")
