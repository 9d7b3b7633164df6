"""HEIC: what phones write is read as it was taken, and nothing in such a file is believed."""

import numpy as np
import pytest
from PIL import ImageCms

from mien.errors import MediaError, MediaTooLargeError
from mien.media.files.heif import decode_heif
from mien.media.files.images import decode_image, decode_still, is_image_name, is_still
from mien.vision.types import Image
from support.heif import heic


def corner(width: int = 96, height: int = 80) -> Image:
    """Return a grey picture with a red top-left and a green top-right corner."""
    image = np.full((height, width, 3), 90, np.uint8)
    image[: height // 2, : width // 4] = (210, 20, 20)
    image[: height // 2, -width // 4 :] = (20, 210, 20)
    return image


def off(got: Image, wanted: Image) -> float:
    return float(np.abs(got.astype(int) - wanted).mean()) if got.shape == wanted.shape else 255.0


@pytest.fixture(scope="module")
def plain() -> bytes:
    return heic(corner())


def test_a_single_coded_picture_is_read(plain):
    assert off(decode_image(plain), corner()) < 4


@pytest.mark.parametrize("size_wh", [(128, 128), (100, 70), (65, 129)])
def test_a_grid_of_tiles_as_phones_write_it_is_put_together_and_cut_to_its_size(size_wh):
    picture = corner(*size_wh)
    assert off(decode_image(heic(picture, tile=64)), picture) < 4


@pytest.mark.parametrize("rotation", [0, 1, 2, 3])
@pytest.mark.parametrize("mirror", [None, 0, 1])
def test_it_is_turned_and_mirrored_in_the_order_of_its_properties(rotation, mirror):
    wanted = np.rot90(corner(), rotation)
    if mirror is not None:
        wanted = wanted[:, ::-1] if mirror else wanted[::-1]
    assert off(decode_image(heic(corner(), rotation=rotation, mirror=mirror)), wanted) < 4


def test_its_colour_profile_is_carried_over_and_ten_bits_are_said():
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    picture = decode_still(heic(corner(), profile=profile, bits=10))
    assert picture.icc_profile == profile
    assert picture.notes == ("more than 8 bits per colour became 8",)
    assert off(picture.image, corner()) < 4


def test_a_broken_profile_is_left_out_with_a_note():
    picture = decode_still(heic(corner(), profile=b"no profile"))
    assert (picture.icc_profile, len(picture.notes)) == (None, 1)


@pytest.mark.parametrize("brand", [b"heic", b"heix", b"mif1"])
def test_a_file_is_known_by_its_content(tmp_path, brand):
    (tmp_path / "photo.jpg").write_bytes(heic(corner(), brand=brand))
    assert is_still(tmp_path / "photo.jpg")
    assert is_image_name("IMG_0001.HEIC")


def test_more_pixels_than_allowed_are_refused_by_the_header_alone(plain):
    bomb = heic(corner(), says_wh=(40_000, 40_000))
    with pytest.raises(MediaTooLargeError, match="40000x40000"):
        decode_image(bomb)
    with pytest.raises(MediaTooLargeError, match="96x80"):
        decode_image(plain, max_pixels=7_000)


@pytest.mark.parametrize("tile", [0, 64])
def test_a_size_that_the_pixels_do_not_fill_is_refused(tile):
    with pytest.raises(MediaError, match="HEIF"):
        decode_image(heic(corner(), tile=tile, says_wh=(900, 900)))


def test_no_damage_ends_otherwise_than_in_a_picture_or_one_of_our_errors(plain):
    rng = np.random.default_rng(11)
    index = plain.index(b"mdat") + 200
    words: list[str] = []
    for _ in range(300):
        data = bytearray(plain)
        for place in rng.integers(12, index, rng.integers(1, 6)):
            data[place] = rng.integers(256)
        try:
            decode_heif(bytes(data[: rng.integers(index, len(data) + 1)]), name="it", max_pixels=100_000)
        except MediaError as error:
            words.append(str(error))
    assert len(words) > 50
    assert all("\n" not in word for word in words)


@pytest.mark.parametrize("share", [0.05, 0.3, 0.6])
def test_a_cut_off_file_is_refused(plain, share):
    with pytest.raises(MediaError):
        decode_image(plain[: int(len(plain) * share)])
