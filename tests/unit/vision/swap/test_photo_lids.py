"""A persona's eyes shut: skin comes down over them, in the light of the rest, and nothing of the live eye shows."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from mien.vision.mesh.topology import EYE_LEFT, EYE_RIGHT, UV, lid_pairs
from mien.vision.swap.photo_lids import draw_lids, read_lids
from mien.vision.swap.swapper import MeshSwapper, persona_from_photo
from support.drawn_heads import drawn_head, drawn_mesh, with_irises

BROWN, GREEN = (70, 45, 30), (40, 120, 60)
MESH = drawn_mesh(scale=1.4)
PERSONA = persona_from_photo(with_irises(drawn_head(1, MESH), MESH, GREEN), MESH, "Ada")
OPEN = with_irises(drawn_head(2, MESH), MESH, BROWN)


def lids_lower(share):
    mesh = MESH.copy()
    for ring in (EYE_LEFT, EYE_RIGHT):
        upper, lower = lid_pairs(ring)
        mesh[upper] += share * (mesh[lower] - mesh[upper])
    return mesh


def closed(colour):
    """Return the live head with lids of a colour where the mesh believes the eyes half open."""
    frame, mesh = drawn_head(2, MESH), lids_lower(0.35)
    for ring in (EYE_LEFT, EYE_RIGHT):
        cv2.fillPoly(frame, [np.round(mesh[ring, :2]).astype(np.int32)], colour)
    return frame, mesh


def after_open_eyes(live, mesh, persona=PERSONA):
    swapper = MeshSwapper(persona, shape=0)
    for i in range(12):
        frame, at_mesh = (OPEN, MESH) if i < 6 else (live, mesh)
        after = frame.copy()
        assert swapper(after, at_mesh, at=i / 30)
    return after


def inside(image, mesh, ring):
    drawn = np.zeros(image.shape[:2], np.uint8)
    cv2.fillPoly(drawn, [np.round(mesh[ring, :2]).astype(np.int32)], 1)
    return image[drawn > 0].astype(float)


def test_what_shuts_is_the_photos_skin_and_no_live_lid():
    plain, odd = (after_open_eyes(*closed(colour)) for colour in ((180, 135, 112), (90, 70, 190)))
    mesh = lids_lower(0.35)
    for ring in (EYE_LEFT, EYE_RIGHT):
        apart = np.abs(inside(plain, mesh, ring) - inside(odd, mesh, ring)).mean()
        assert apart < 10
    bare = replace(PERSONA, lids=None)
    shown = [after_open_eyes(*closed(colour), bare) for colour in ((180, 135, 112), (90, 70, 190))]
    assert np.abs(inside(shown[0], mesh, EYE_LEFT) - inside(shown[1], mesh, EYE_LEFT)).mean() > 20


def around(texture, ring):
    """Return the colour of a texture a little above an eye, and in its middle."""
    side = len(texture)
    x, y = (UV[ring].mean(axis=0) * side).round().astype(int)
    top = int(UV[ring, 1].min() * side)
    return texture[top - 2, x].astype(float), texture[y, x].astype(float)


def test_skin_lies_around_the_slit_and_lashes_in_it():
    texture = PERSONA.texture.copy()
    draw_lids(texture, PERSONA.lids, np.ones(2, np.float32))
    cheek = texture[int(0.6 * len(texture)), int(0.3 * len(texture))].astype(float)
    for ring in (EYE_LEFT, EYE_RIGHT):
        lid, lashes = around(texture, ring)
        assert np.abs(lid - cheek).max() < 25
        assert lashes.mean() < 0.75 * lid.mean()


@pytest.mark.parametrize("shut", [(1, 0), (0, 1)])
def test_a_wink_leaves_the_other_eye(shut):
    texture = PERSONA.texture.copy()
    draw_lids(texture, PERSONA.lids, np.array(shut, np.float32))
    half = texture.shape[1] // 2
    changed = [(texture[:, part] != PERSONA.texture[:, part]).any() for part in (slice(half), slice(half, None))]
    assert changed == [bool(amount) for amount in shut]


def test_lids_take_the_light_of_the_skin_around():
    lit = (PERSONA.texture * np.array((0.8, 0.5, 0.3))).astype(np.uint8)
    plain = PERSONA.texture.copy()
    for texture in (lit, plain):
        draw_lids(texture, PERSONA.lids, np.ones(2, np.float32))
    ratio = around(lit, EYE_LEFT)[0] / around(plain, EYE_LEFT)[0]
    assert np.abs(ratio - (0.8, 0.5, 0.3)).max() < 0.06


def test_a_photo_whose_eyes_cannot_be_read_leaves_the_live_ones():
    """They would stare as they stare in the photo."""
    unread, never = replace(PERSONA, eyes=None), replace(PERSONA, eyes=None, eye_matte=None)
    np.testing.assert_array_equal(after_open_eyes(OPEN, MESH, unread), after_open_eyes(OPEN, MESH, never))


def test_nothing_is_shut_behind_dark_glass():
    photo = with_irises(drawn_head(1, MESH), MESH, GREEN)
    for ring in (EYE_LEFT, EYE_RIGHT):
        x, y = (int(value) for value in MESH[ring, :2].mean(axis=0))
        cv2.circle(photo, (x, y), 26, (25, 25, 28), -1)
    assert persona_from_photo(photo, MESH, "Ada").lids is None
    assert read_lids(PERSONA.texture).painted.max() > 0.9
