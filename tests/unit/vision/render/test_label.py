"""The label on altered pictures."""

import numpy as np
import pytest

from mien.errors import InputError
from mien.vision.render.label import Label, draw_text, text_size_wh
from mien.vision.render.label_place import InTheWay

SIZES = [
    pytest.param((426, 240), id="240p"),
    pytest.param((240, 426), id="240p portrait"),
    pytest.param((1280, 720), id="720p"),
    pytest.param((3840, 2160), id="4K"),
]


def marked(size_wh: tuple[int, int], language: str = "both", ground: int = 128) -> tuple[np.ndarray, np.ndarray]:
    """Return a labelled grey picture and where it differs from plain grey."""
    width, height = size_wh
    picture = np.full((height, width, 3), ground, np.uint8)
    Label(language).draw(picture)
    return picture, (picture != ground).any(axis=2)


@pytest.mark.parametrize("size_wh", SIZES)
@pytest.mark.parametrize("language", ["en", "ko", "both"])
def test_its_letters_are_at_least_three_percent_of_the_short_side_high(size_wh, language):
    picture, _ = marked(size_wh, language)
    rows = np.flatnonzero((picture > 200).all(axis=2).any(axis=1))
    assert rows[-1] - rows[0] + 1 >= 0.03 * min(size_wh)


@pytest.mark.parametrize("size_wh", SIZES)
def test_it_stands_at_the_top_right_inside_the_title_safe_area(size_wh):
    width, height = size_wh
    rows, columns = np.nonzero(marked(size_wh)[1])
    assert rows.min() >= 0.05 * height - 1
    assert columns.max() <= 0.95 * width
    assert columns.min() >= 0.05 * width - 1
    assert rows.max() < height / 4
    assert columns.mean() > width / 2


@pytest.mark.parametrize("language", ["en", "ko", "both"])
@pytest.mark.parametrize("size_wh", [(1280, 720), (720, 1280), (1920, 1080), (640, 360), (3840, 2160), (720, 720)])
def test_it_takes_a_third_of_the_width_at_most(size_wh, language):
    columns = np.flatnonzero(marked(size_wh, language)[1].any(axis=0))
    assert columns[-1] - columns[0] < size_wh[0] / 3


@pytest.mark.parametrize("ground", [0, 128, 255])
def test_its_letters_stand_out_on_every_ground(ground):
    picture, _ = marked((640, 360), ground=ground)
    plate = picture[18:49, 413:608].astype(int).sum(axis=2) / 3
    assert plate.max() > 240
    assert np.median(plate) < 60  # most of a label is its dark plate


def test_english_and_korean_differ_and_both_is_wider_than_either():
    widths = {}
    for language in ("en", "ko", "both"):
        columns = np.flatnonzero(marked((1280, 720), language)[1].any(axis=0))
        widths[language] = columns[-1] - columns[0]
    assert widths["both"] > widths["en"] > widths["ko"]


@pytest.mark.parametrize("size_wh", [(1, 1), (16, 16), (20, 400), (400, 20), (90, 60)])
def test_it_fits_into_the_smallest_and_strangest_pictures(size_wh):
    picture, changed = marked(size_wh)
    assert picture.shape == (size_wh[1], size_wh[0], 3)
    assert changed.any()


def test_it_is_drawn_where_no_face_is():
    picture = np.full((720, 1280, 3), 128, np.uint8)
    Label().draw(picture, InTheWay(faces=[np.array([800, 0, 1280, 300], np.float32)]))
    rows, columns = np.nonzero((picture != 128).any(axis=2))
    assert columns.max() < 640
    assert rows.max() < 360


def test_one_label_serves_a_stream_whose_size_changes():
    label = Label()
    for size in ((240, 320), (720, 1280), (240, 320)):
        picture, fresh = np.zeros((*size, 3), np.uint8), np.zeros((*size, 3), np.uint8)
        label.draw(picture)
        Label().draw(fresh)
        assert np.array_equal(picture, fresh)


def test_it_touches_nothing_but_its_corner():
    picture, changed = marked((1280, 720))
    assert changed.mean() < 0.05
    assert (picture[~changed] == 128).all()


def test_an_unknown_language_is_refused_by_name():
    with pytest.raises(InputError, match="'fr'"):
        Label("fr")


def test_text_is_centred_where_it_was_asked_for():
    picture = np.zeros((200, 400, 3), np.uint8)
    draw_text(picture, "Paused / 잠시 멈춤", centre_xy=(200, 100), height_px=20)
    rows, columns = np.nonzero(picture.any(axis=2))
    assert abs((rows.min() + rows.max()) / 2 - 100) <= 1
    assert abs((columns.min() + columns.max()) / 2 - 200) <= 2


def test_text_beyond_the_edge_is_clipped():
    picture = np.zeros((40, 60, 3), np.uint8)
    draw_text(picture, "Paused", centre_xy=(60, 40), height_px=20, plate=(9, 9, 9))
    draw_text(picture, "Paused", centre_xy=(900, 900), height_px=20)
    assert picture[30:, 40:].any()
    assert not picture[:10].any()


def test_every_korean_word_we_show_has_its_glyphs():
    missing = text_size_wh("\ue000\ue000", 100)
    for word in ("변조", "잠시", "멈춤"):
        assert text_size_wh(word, 100) != missing
