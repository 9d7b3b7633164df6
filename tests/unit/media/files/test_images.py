"""Still pictures: read upright as RGB, written without the untreated face."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image as Pillow
from PIL import ImageCms

from mien.errors import InputError, MediaError, MediaTooLargeError, MediaTruncatedError, OutputError
from mien.media.files.images import WRITABLE_SUFFIXES, decode_image, decode_still, encode_still, read_still
from mien.vision.types import Image, TreatedFrame

ORIENTATION, EXIF_THUMBNAIL, GPS = 0x0112, 0x0201, 0x8825


def corner(width: int = 40, height: int = 24) -> Image:
    """Return a grey picture with a red top-left and a green top-right corner."""
    image = np.full((height, width, 3), 90, np.uint8)
    image[: height // 2, : width // 4] = (210, 20, 20)
    image[: height // 2, -width // 4 :] = (20, 210, 20)
    return image


def file_of(picture: Pillow.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def png_chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def close(got: Image, wanted: Image, within: float = 4) -> bool:
    return got.shape == wanted.shape and float(np.abs(got.astype(int) - wanted).mean()) < within


# --- reading -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "AVIF", "TIFF", "BMP", "GIF", "JPEG2000", "PPM"])
def test_every_usual_format_is_read_as_rgb(kind):
    data = file_of(Pillow.fromarray(corner()), kind)
    assert close(decode_image(data), corner(), within=8)


@pytest.mark.parametrize(
    ("orientation", "turn"),
    [
        pytest.param(1, lambda upright: upright, id="upright"),
        pytest.param(2, lambda upright: upright[:, ::-1], id="mirrored"),
        pytest.param(3, lambda upright: np.rot90(upright, 2), id="upside down"),
        pytest.param(4, lambda upright: upright[::-1], id="flipped"),
        pytest.param(5, lambda upright: upright.transpose(1, 0, 2), id="transposed"),
        pytest.param(6, lambda upright: np.rot90(upright, 1), id="held to the right"),
        pytest.param(7, lambda upright: np.rot90(upright, 2).transpose(1, 0, 2), id="transversed"),
        pytest.param(8, lambda upright: np.rot90(upright, -1), id="held to the left"),
    ],
)
def test_a_picture_is_turned_as_the_camera_was_held(orientation, turn):
    stored = Pillow.fromarray(np.ascontiguousarray(turn(corner())))
    exif = Pillow.Exif()
    exif[ORIENTATION] = orientation
    assert close(decode_image(file_of(stored, "PNG", exif=exif)), corner())


@pytest.mark.filterwarnings("ignore:Corrupt EXIF:UserWarning")  # Pillow's own word on it
@pytest.mark.parametrize("exif", [b"Exif\x00\x00garbage", b"Exif\x00\x00II*\x00\xff\xff\xff\xff"])
def test_a_damaged_exif_block_does_not_cost_the_picture(exif):
    assert close(decode_image(file_of(Pillow.fromarray(corner()), "JPEG", exif=exif, quality=95)), corner())


@pytest.mark.parametrize("mode", ["1", "L", "P", "CMYK", "YCbCr", "LAB"])
def test_other_kinds_of_pixels_become_rgb(mode):
    kind = {"CMYK": "JPEG", "YCbCr": "JPEG"}.get(mode, "TIFF")
    picture = Pillow.fromarray(corner(64, 64))
    image = decode_image(file_of(picture.quantize(16) if mode == "P" else picture.convert(mode), kind))
    assert (image.shape, image.dtype) == ((64, 64, 3), np.uint8)
    if mode in {"P", "CMYK", "YCbCr"}:
        assert close(image, corner(64, 64), within=12)


def test_sixteen_bits_of_grey_become_eight_without_clipping():
    ramp = np.linspace(0, 65535, 256).astype(np.uint16)[None].repeat(4, axis=0)
    picture = decode_still(file_of(Pillow.fromarray(ramp), "PNG"))
    assert np.array_equal(picture.image[0, :, 0], np.arange(256))
    assert any("16 bits" in note for note in picture.notes)


@pytest.mark.parametrize("mode", ["RGBA", "LA", "PA"])
def test_no_face_hides_in_transparency_it_is_laid_on_white(mode):
    shape = np.zeros((20, 20, 4), np.uint8)  # black everywhere; only the alpha channel shows anything
    shape[5:15, 5:15, 3] = 255
    kind = "TIFF" if mode == "PA" else "PNG"
    rgba = Pillow.fromarray(shape)
    if mode == "PA":
        rgba, kind = rgba.convert("P"), "PNG"
        rgba.info["transparency"] = 0
    else:
        rgba = rgba.convert(mode)
    picture = decode_still(file_of(rgba, kind))
    assert picture.image[0, 0].tolist() == [255, 255, 255]
    assert any("transparency" in note for note in picture.notes)


def test_an_rgb_colour_profile_is_carried_over():
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    picture = decode_still(file_of(Pillow.fromarray(corner()), "PNG", icc_profile=profile))
    written = encode_still(TreatedFrame(picture.image, 0.0), suffix=".jpg", icc_profile=picture.icc_profile)
    assert Pillow.open(io.BytesIO(written)).info["icc_profile"] == profile


@pytest.mark.parametrize("profile", [b"not a profile", b"\x00" * 200])
def test_a_broken_colour_profile_is_left_out_with_a_note(profile):
    picture = decode_still(file_of(Pillow.fromarray(corner()), "PNG", icc_profile=profile))
    assert picture.icc_profile is None
    assert any("profile" in note for note in picture.notes)


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG", "TIFF"])
def test_several_pictures_in_one_file_are_refused_with_advice(kind):
    pages = [Pillow.fromarray(corner()), Pillow.fromarray(corner()[::-1])]
    data = file_of(pages[0], kind, save_all=True, append_images=pages[1:])
    with pytest.raises(MediaError, match="video or single pictures"):
        decode_image(data, name="moving")


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "BMP"])
def test_a_cut_off_picture_is_refused(kind):
    noise = np.random.default_rng(3).integers(0, 255, (64, 64, 3)).astype(np.uint8)
    data = file_of(Pillow.fromarray(noise), kind)
    with pytest.raises(MediaError):
        decode_image(data[: len(data) // 2])


def test_a_cut_off_jpeg_is_called_so():
    data = file_of(Pillow.fromarray(corner(200, 200)), "JPEG")
    with pytest.raises(MediaTruncatedError, match="ends too early"):
        decode_image(data[:-200])


def test_a_bomb_is_refused_before_it_is_unpacked():
    png = b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0))
    png += png_chunk(b"IDAT", zlib.compress(b"\x00" * 999))
    with pytest.raises(MediaTooLargeError):
        decode_image(png)


def test_more_pixels_than_allowed_are_refused_by_number():
    data = file_of(Pillow.fromarray(corner()), "PNG")
    with pytest.raises(MediaTooLargeError, match="40x24"):
        decode_image(data, max_pixels=900)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"GIF89a", id="only a beginning"),
        pytest.param(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\nshowpage\n", id="PostScript"),
        pytest.param(b"<svg xmlns='http://www.w3.org/2000/svg'/>", id="SVG"),
        pytest.param(bytes(range(256)) * 9, id="noise"),
    ],
)
def test_what_is_no_picture_is_refused_by_name(data):
    with pytest.raises(MediaError, match=r"me\.jpg"):
        decode_image(data, name="me.jpg")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(MediaError, match=r"nobody\.png"):
        read_still(tmp_path / "nobody.png")


# --- writing -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", sorted(WRITABLE_SUFFIXES))
def test_what_is_written_reads_back_the_same(suffix):
    data = encode_still(TreatedFrame(corner(), 0.0), suffix=suffix.upper())
    assert close(decode_image(data), corner(), within=3)


def test_neither_thumbnail_nor_place_of_the_original_is_carried_over():
    exif = Pillow.Exif()
    exif[0x010E] = "UNTREATED"
    exif.get_ifd(GPS)[2] = (37.0, 33.0, 59.0)
    source = file_of(Pillow.fromarray(corner()), "JPEG", exif=exif, comment=b"UNTREATED")
    picture = decode_still(source)
    for suffix in WRITABLE_SUFFIXES:
        written = encode_still(TreatedFrame(picture.image, 0.0), suffix=suffix, icc_profile=picture.icc_profile)
        reopened = Pillow.open(io.BytesIO(written))
        assert GPS not in reopened.getexif()
        assert EXIF_THUMBNAIL not in reopened.getexif()
        assert b"UNTREATED" not in written


def test_only_a_treated_frame_can_be_written():
    with pytest.raises(InputError, match="only a TreatedFrame"):
        encode_still(corner(), suffix=".png")


@pytest.mark.parametrize("suffix", ["", ".gif", ".mp4", ".heic"])
def test_an_unknown_suffix_is_refused_with_the_known_ones(suffix):
    with pytest.raises(OutputError, match=r"\.jpg \.jpeg \.png"):
        encode_still(TreatedFrame(corner(), 0.0), suffix=suffix)


def test_a_picture_too_wide_for_its_format_is_refused():
    with pytest.raises(OutputError, match="20000x1"):
        encode_still(TreatedFrame(np.zeros((1, 20_000, 3), np.uint8), 0.0), suffix=".webp")
