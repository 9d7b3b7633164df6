"""The mesh's topology."""

from collections import Counter

import numpy as np
import pytest

from mien.vision.mesh.topology import (
    FACE,
    HOLES,
    LANDMARKS,
    OUTER_RING_POINTS,
    OUTERMOST_RING_POINTS,
    OVAL,
    SURFACE,
    SURROUNDED,
    UV,
    WITH_OUTER_RING,
    close_hole,
    lid_pairs,
    with_outer_rings,
)


def area(triangles):
    a, b, c = (UV[triangles[:, corner]] for corner in range(3))
    return (b - a)[:, 0] * (c - a)[:, 1] - (b - a)[:, 1] * (c - a)[:, 0]


def border(triangles):
    """Return the edges that only one triangle has."""
    edges = np.sort(np.concatenate([triangles[:, pair] for pair in ((0, 1), (1, 2), (2, 0))]), axis=1)
    return {edge for edge, times in Counter(map(tuple, edges.tolist())).items() if times == 1}


@pytest.mark.parametrize(
    "triangles",
    [
        pytest.param(SURFACE, id="published"),
        pytest.param(FACE, id="eyes and mouth closed"),
        pytest.param(WITH_OUTER_RING, id="with skirt"),
        pytest.param(SURROUNDED, id="with hem"),
    ],
)
def test_no_triangle_is_folded_over_in_the_texture(triangles):
    assert (area(triangles) < 0).all()


@pytest.mark.parametrize(
    ("triangles", "ring"),
    [
        pytest.param(FACE, OVAL, id="face ends at the oval"),
        pytest.param(WITH_OUTER_RING, OUTER_RING_POINTS, id="skirt"),
        pytest.param(SURROUNDED, OUTERMOST_RING_POINTS, id="hem"),
    ],
)
def test_the_mesh_has_no_hole_and_one_border(triangles, ring):
    assert border(triangles) == {
        tuple(sorted(pair)) for pair in zip(ring.tolist(), np.roll(ring, -1).tolist(), strict=True)
    }


def test_face_and_skirt_lie_inside_the_texture():
    with_outer_ring = UV[: WITH_OUTER_RING.max() + 1]
    assert with_outer_ring.min() > 0
    assert with_outer_ring.max() < 1


@pytest.mark.parametrize("ring", HOLES, ids=["left eye", "right eye", "mouth"])
def test_the_edges_of_a_hole_face_each_other(ring):
    upper, lower = lid_pairs(ring)
    assert len(upper) == len(lower) == len(ring) // 2 - 1
    assert (UV[upper, 1] < UV[lower, 1]).all()
    assert np.abs(UV[upper, 0] - UV[lower, 0]).max() < 0.02
    assert len(close_hole(ring)) == len(ring) - 2


def test_the_skirt_follows_the_landmarks_wherever_they_move():
    points = np.random.default_rng(1).normal(size=(LANDMARKS, 3)).astype(np.float32)
    moved = with_outer_rings(points * 2 + np.float32(5))
    np.testing.assert_allclose(moved, with_outer_rings(points) * 2 + 5, atol=1e-4)
