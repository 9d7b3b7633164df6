"""Personas read from photos."""

import cv2
import numpy as np
import pytest

from mien.errors import FacePhotoError, ShapeError
from mien.vision.mesh.regions import brows, inner, openings, shrink
from mien.vision.mesh.texture_map import unwrap
from mien.vision.mesh.topology import UV
from mien.vision.swap.occlusion import SIDE as COVER_SIDE
from mien.vision.swap.occlusion import covered_share
from mien.vision.swap.persona import SIDE, persona_from_photo, persona_from_photos
from support.drawn_heads import drawn_face, drawn_head, drawn_mesh

MESH = drawn_mesh()
PHOTO = drawn_head(1, MESH)
INNER = inner(SIDE) > 0.99


def test_a_photo_gives_back_the_face_that_was_drawn_on_it():
    persona = persona_from_photo(PHOTO, MESH, "Ada")
    sure = persona.matte > 0.9
    assert (persona.name, persona.kind) == ("Ada", "photo")
    assert np.abs(persona.texture[sure].astype(int) - drawn_face(1)[sure]).mean() < 8


def test_the_persona_covers_the_inner_face_and_leaves_the_eyes_live():
    persona = persona_from_photo(PHOTO, MESH, "Ada")
    facing = np.ones((COVER_SIDE, COVER_SIDE), np.float32)
    assert covered_share(shrink(persona.matte, COVER_SIDE), facing) > 0.97
    assert persona.matte[openings(SIDE) > 0.99].max() < 0.02


def test_a_large_photo_is_read_like_a_small_one():
    factor = 4
    large = np.kron(PHOTO, np.ones((factor, factor, 1), np.uint8))
    mesh = ((MESH + 0.5) * factor - 0.5).astype(np.float32)
    small, big = persona_from_photo(PHOTO, MESH, "a"), persona_from_photo(large, mesh, "b")
    sure = small.matte > 0.9
    assert np.abs(small.texture.astype(int) - big.texture)[sure].mean() < 5


@pytest.mark.parametrize("yaw", [-45, 45])
def test_the_side_that_a_turned_photo_hides_is_filled_from_the_other(yaw):
    mesh = drawn_mesh(yaw=yaw)
    texture = persona_from_photo(drawn_head(1, mesh), mesh, "Ada").texture.astype(int)
    raw = unwrap(drawn_head(1, mesh), mesh, SIDE).astype(int)
    temples = (np.s_[112:180, 25:50], np.s_[112:180, 206:231])
    hidden = max(temples, key=lambda side: np.abs(raw - drawn_face(1))[side].mean())
    unlike_its_mirror = np.abs(texture - texture[:, ::-1])[hidden].mean()
    assert unlike_its_mirror < 0.4 * np.abs(raw - raw[:, ::-1])[hidden].mean()


@pytest.mark.parametrize(
    ("mesh", "words"),
    [
        pytest.param(drawn_mesh(scale=0.15), "pixels apart", id="too small"),
        pytest.param(drawn_mesh(yaw=75), "look at the camera", id="profile"),
    ],
)
def test_a_face_that_cannot_serve_is_refused_with_a_reason(mesh, words):
    with pytest.raises(FacePhotoError, match=words):
        persona_from_photo(PHOTO, mesh, "Ada")


@pytest.mark.parametrize(
    "mesh",
    [
        pytest.param(MESH[:400], id="too few"),
        pytest.param(MESH.astype(np.float64), id="wrong type"),
        pytest.param(np.where(np.arange(468)[:, None] == 7, np.float32(np.nan), MESH), id="not a number"),
    ],
)
def test_a_malformed_mesh_is_refused(mesh):
    with pytest.raises(ShapeError, match="mesh"):
        persona_from_photo(PHOTO, mesh, "Ada")


def test_a_grey_picture_is_refused():
    with pytest.raises(ShapeError, match="image"):
        persona_from_photo(PHOTO[..., 0], MESH, "Ada")


def fringed(colour):
    """Return somebody's photo with hair over the forehead, down to the brows."""
    frame = PHOTO.copy()
    top, bottom = MESH[10, 1] - 20, MESH[[105, 334], 1].min() - 6
    left, right = MESH[127, 0] - 10, MESH[356, 0] + 10
    frame[int(top) : int(bottom), int(left) : int(right)] = colour
    return frame


@pytest.mark.parametrize(
    "colour", [(40, 30, 25), (170, 40, 20), (120, 85, 65)], ids=["black", "red", "as brown as skin"]
)
def test_skin_is_painted_where_a_fringe_hides_the_forehead(colour):
    persona = persona_from_photo(fringed(colour), MESH, "Ada")
    middle = np.s_[52:62, 108:148]
    raw = unwrap(fringed(colour), MESH, SIDE)
    assert np.abs(raw[middle].astype(int) - colour).mean() < 8
    skin = persona.texture[110:130, 70:90].reshape(-1, 3).mean(axis=0)
    np.testing.assert_allclose(persona.texture[middle].reshape(-1, 3).mean(axis=0), skin, rtol=0.2)
    assert persona.matte[middle].min() > 0.5  # it fades towards the hair


def test_the_brows_stay_as_they_are():
    persona = persona_from_photo(PHOTO, MESH, "Ada")
    raw = unwrap(PHOTO, MESH, SIDE)
    brow = brows(SIDE) > 0.99
    assert np.abs(persona.texture[brow].astype(int) - raw[brow]).max() <= 1


def test_a_beard_belongs_to_the_persona():
    frame = PHOTO.copy()
    jaw = MESH[[148, 152, 377], :2].mean(axis=0).astype(int)
    frame[jaw[1] - 25 : jaw[1] + 5, jaw[0] - 40 : jaw[0] + 40] = (50, 40, 35)
    persona = persona_from_photo(frame, MESH, "Ada")
    x, y = (UV[[199, 175]].mean(axis=0) * SIDE).astype(int)
    assert persona.texture[y, x].mean() < 80
    assert persona.matte[y, x] > 0.9


def test_what_one_photo_hides_another_shows():
    turned = drawn_mesh(yaw=40)
    one, other = (drawn_head(1, turned), turned), (drawn_head(1, drawn_mesh(yaw=-30)), drawn_mesh(yaw=-30))
    alone, both = persona_from_photos([one], "Ada"), persona_from_photos([one, other], "Ada")
    sides = np.zeros((SIDE, SIDE), bool)
    sides[112:180, 40:70] = sides[112:180, 186:216] = True

    def likeness(texture):
        return np.corrcoef(texture[sides, 1].astype(float), drawn_face(1)[sides, 1].astype(float))[0, 1]

    assert likeness(both.texture) > likeness(alone.texture) + 0.1


def test_a_photo_in_another_light_does_not_change_the_colour_of_the_first():
    dim = drawn_mesh(yaw=35)
    alone = persona_from_photo(PHOTO, MESH, "Ada").texture
    both = persona_from_photos([(PHOTO, MESH), (drawn_head(1, dim, light=0.4), dim)], "Ada").texture
    assert np.abs(both[INNER].astype(int) - alone[INNER]).mean() < 6


def test_a_sharp_photo_leads_a_blurred_one_that_is_a_little_more_frontal():
    grain = np.random.default_rng(1).normal(0, 12, (480, 640, 1))
    turned = drawn_mesh(yaw=6)
    sharp = np.clip(drawn_head(1, turned) + grain, 0, 255).astype(np.uint8)
    blurred = cv2.GaussianBlur(PHOTO, (0, 0), 4)
    both = persona_from_photos([(blurred, MESH), (sharp, turned)], "Ada").texture
    alone = persona_from_photos([(sharp, turned)], "Ada").texture
    assert np.abs(both[INNER].astype(int) - alone[INNER]).mean() < 2


def test_the_build_is_the_mean_of_the_photos_wherever_they_stand():
    moved = drawn_mesh(at=(400, 200), scale=1.2)
    persona = persona_from_photos([(PHOTO, MESH), (drawn_head(1, moved), moved)], "Ada")
    assert np.abs(persona.mesh - MESH).max() < 1.0


def test_a_persona_of_no_photo_is_refused():
    with pytest.raises(ShapeError, match="photo"):
        persona_from_photos([], "Ada")
