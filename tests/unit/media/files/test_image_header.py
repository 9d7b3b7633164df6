import io
import struct
import time

import pytest
from PIL import Image

from mien.errors import MediaError, MediaTooLargeError
from mien.media.files.image_header import check_photo_header, photo_format, photo_size


def encoded(form, size_wh=(640, 480), **options):
    file = io.BytesIO()
    Image.new("RGB", size_wh, (9, 80, 200)).save(file, form, **options)
    return file.getvalue()


def box(kind, content):
    return struct.pack("!I", 8 + len(content)) + kind + content


def heif(*sizes):
    """The boxes of a HEIF that hold its sizes, and nothing to decode."""
    properties = b"".join(box(b"ispe", struct.pack("!III", 0, *size)) for size in sizes)
    meta = box(b"meta", bytes(4) + box(b"hdlr", bytes(20)) + box(b"iprp", box(b"ipco", properties)))
    return box(b"ftyp", b"heic\0\0\0\0mif1heic") + meta


@pytest.mark.parametrize("size_wh", [(640, 480), (33, 7), (4000, 3001)])
@pytest.mark.parametrize(
    ("form", "options"),
    [
        pytest.param("JPEG", {}, id="jpeg"),
        pytest.param("JPEG", {"progressive": True, "exif": b"Exif\0\0" + bytes(60_000)}, id="progressive, long exif"),
        pytest.param("PNG", {}, id="png"),
        pytest.param("WEBP", {}, id="webp"),
        pytest.param("WEBP", {"lossless": True}, id="lossless webp"),
        pytest.param("WEBP", {"icc_profile": bytes(200)}, id="extended webp"),
        pytest.param("AVIF", {"speed": 10}, id="avif"),
    ],
)
def test_the_header_of_a_photo_tells_its_kind_and_size(form, options, size_wh):
    photo = encoded(form, size_wh, **options)
    assert (photo_format(photo), photo_size(photo)) == (form, size_wh)


def test_a_heif_is_as_large_as_the_largest_of_its_pictures():
    photo = heif((512, 512), (8000, 6000), (320, 240))
    assert (photo_format(photo), photo_size(photo)) == ("HEIF", (8000, 6000))


@pytest.mark.parametrize("form", ["GIF", "BMP", "TIFF", "PPM", "JPEG2000"])
def test_pictures_that_no_camera_makes_are_refused(form):
    with pytest.raises(MediaError, match="JPEG, PNG, WEBP, AVIF, HEIF"):
        check_photo_header(encoded(form), name="the photo", max_pixels=10**9)


def test_a_photo_of_too_many_pixels_is_refused_by_its_header():
    with pytest.raises(MediaTooLargeError, match="8000x6000"):
        check_photo_header(heif((8000, 6000)), name="the photo", max_pixels=24_000_000)
    check_photo_header(heif((6000, 4000)), name="the photo", max_pixels=24_000_000)


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "AVIF"])
def test_no_beginning_of_a_photo_breaks_the_reader_of_headers(form):
    photo = encoded(form, (64, 48))
    for length in range(min(len(photo), 700)):
        assert photo_size(photo[:length]) in {None, (64, 48)}


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"\xff\xd8" + b"\xff" * 500_000, id="jpeg of padding"),
        pytest.param(b"\xff\xd8" + b"\xff\xe0\0\2" * 200_000, id="jpeg of empty segments"),
        pytest.param(b"\xff\xd8" + b"\xff\x01" * 200_000, id="jpeg of lone markers"),
        pytest.param(
            box(b"ftyp", b"avif\0\0\0\0") + box(b"meta", bytes(4) + box(b"iprp", bytes(100))) * 5000, id="boxes"
        ),
        pytest.param(box(b"ftyp", b"avif\0\0\0\0") + b"\0\0\0\1meta" + b"\xff" * 8, id="box without end"),
    ],
)
def test_a_header_that_never_ends_is_given_up(data):
    assert photo_size(data) is None


def test_fill_bytes_before_a_marker_are_passed_over():
    photo = encoded("JPEG")
    assert photo_size(photo[:2] + b"\xff" * 300 + photo[2:]) == (640, 480)


@pytest.mark.parametrize(
    "photo",
    [
        pytest.param(b"\xff\xd8" + b"\xff" * 12_000_000, id="fill bytes"),
        pytest.param(b"\xff\xd8" + b"\xff\xe1\0\x02" * 3_000_000, id="empty segments"),
        pytest.param(
            b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + box(b"meta", bytes(4) + box(b"iprp", b"") * 365) * 4096,
            id="boxes in boxes",
        ),
    ],
)
def test_a_header_that_does_not_come_to_the_point_is_given_up(photo):
    """The event loop reads it: it may cost some milliseconds, and these would take a second."""
    began = time.thread_time()
    assert photo_size(photo) is None
    assert time.thread_time() - began < 0.15
