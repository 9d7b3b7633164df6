"""The built-in masks, their light and their preview."""

import numpy as np
import pytest

from mien.errors import PersonaError
from mien.vision.mesh.geometry import vertex_normals
from mien.vision.mesh.regions import inner, openings
from mien.vision.mesh.texture_map import flatten
from mien.vision.swap.harmonise import COARSE
from mien.vision.swap.masks.builtin import SIDE, builtin_mask, builtin_masks
from mien.vision.swap.masks.light import STUDIO, MaskLight, guess_lamp
from mien.vision.swap.masks.preview import SIDE as PREVIEW
from mien.vision.swap.masks.preview import mask_preview
from support.drawn_heads import drawn_face, drawn_mesh

NAMES = ["volto", "marble", "painted"]
MESH = drawn_mesh()
ALL = np.ones((64, 64), np.float32)


def test_there_are_three_masks_and_they_are_nobodys_face():
    masks = builtin_masks()
    assert list(masks) == NAMES
    assert {mask.kind for mask in masks.values()} == {"mask"}
    assert all(mask.mesh is None for mask in masks.values())


def test_a_mask_that_is_not_there_is_named_with_those_that_are():
    with pytest.raises(PersonaError, match="'zorro'; there are marble, painted, volto"):
        builtin_mask("zorro")


@pytest.mark.parametrize("name", NAMES)
def test_a_mask_hides_the_whole_inner_face_but_the_eyes(name):
    mask = builtin_mask(name)
    covered = (inner(SIDE) > 0.01) & (openings(SIDE) < 0.01)
    assert mask.texture.shape == (SIDE, SIDE, 3)
    assert (mask.matte[covered] > 0.999).mean() > 0.98
    assert mask.matte[openings(SIDE) > 0.999].mean() < 0.7  # a hole, shaded towards its edge


@pytest.mark.parametrize("name", ["volto", "painted"])
def test_the_drawn_masks_are_symmetric_but_for_light_and_brushwork(name):
    texture = builtin_mask(name).texture[:, :, 1].astype(float)
    assert np.corrcoef(texture.ravel(), texture[:, ::-1].ravel())[0, 1] > 0.9


def test_masks_differ_clearly_from_each_other():
    face = inner(SIDE) > 0.9
    textures = [mask.texture[face].astype(int) for mask in builtin_masks().values()]
    for i in range(3):
        assert np.abs(textures[i] - textures[i - 1]).mean() > 15


@pytest.mark.parametrize("name", NAMES)
def test_the_preview_shows_the_mask_before_a_dark_ground(name):
    preview = mask_preview(name)
    assert preview.shape == (PREVIEW, PREVIEW, 3)
    assert preview[:8].mean() < 90 < preview[150:260, 130:220].mean()


def lamp_of(live):
    return guess_lamp(live, ALL, flatten(vertex_normals(MESH), COARSE))


@pytest.mark.parametrize(("bright", "sign"), [("left", -1), ("right", 1)])
def test_the_lamp_stands_where_the_live_face_is_brighter(bright, sign):
    fall = np.linspace(1.3, 0.4, 256)[::-sign][None, :, None]
    lamp = lamp_of(np.clip(drawn_face(1) * fall, 0, 255).astype(np.uint8))
    assert lamp.direction[0] * sign > 0.2, bright
    assert np.linalg.norm(lamp.direction) == pytest.approx(1, abs=1e-4)


def test_an_evenly_lit_face_leaves_the_lamp_in_the_studio():
    flat = np.full((64, 64, 3), 150, np.uint8)
    assert float(lamp_of(flat).direction @ STUDIO.direction) > 0.9


def test_a_mask_in_a_dim_room_is_dim():
    mask = builtin_mask("volto")
    levels = []
    for gain in (1.0, 0.3):
        light = MaskLight(mask.surface)
        levels.append(light(mask.texture, (drawn_face(1) * gain).astype(np.uint8), ALL, MESH, dt=1 / 30).mean())
    assert levels[1] < 0.75 * levels[0]


def test_light_on_a_mask_changes_calmly():
    mask = builtin_mask("volto")
    light = MaskLight(mask.surface)
    lives = [drawn_face(1)] * 2 + [(drawn_face(1) * 0.3).astype(np.uint8)] * 60
    levels = [light(mask.texture, live, ALL, MESH, dt=1 / 30).mean() for live in lives]
    assert np.abs(np.diff(levels)).max() < 0.3 * (levels[0] - levels[-1])
