"""The mesh is held to the skin: what trembles is calmed, what moves is followed."""

import numpy as np
import pytest

from mien.vision.mesh.geometry import mesh_size
from mien.vision.swap.stabiliser import LandmarkStabiliser
from support.drawn_heads import drawn_head, drawn_mesh

DT = 1 / 30


def tremor(seed, mesh, share=0.008):
    noise = np.random.default_rng(seed).normal(0, share * mesh_size(mesh), mesh.shape)
    return (mesh + noise).astype(np.float32)


def play(true_meshes, *, seen=tremor):
    """Return how far the seen and the steadied landmarks are from the true ones, by frame, in pixels."""
    stabilise = LandmarkStabiliser()
    raw, calm = [], []
    for i, mesh in enumerate(true_meshes):
        laid = seen(i, mesh)
        steadied = stabilise(drawn_head(1, mesh), laid, dt=DT)
        raw.append(laid - mesh)
        calm.append(steadied - mesh)
    return np.array(raw)[..., :2], np.array(calm)[..., :2]


def shaking(errors):
    return float(np.abs(np.diff(errors[5:], axis=0)).mean())


def test_a_face_at_rest_does_not_tremble():
    raw, calm = play([drawn_mesh()] * 20)
    assert shaking(calm) < 0.35 * shaking(raw)


def test_a_moving_face_is_followed_without_lag_and_still_does_not_tremble():
    raw, calm = play([drawn_mesh(at=(250 + 5 * i, 240), yaw=i) for i in range(20)])
    assert shaking(calm) < 0.5 * shaking(raw)
    assert np.abs(calm[5:].mean(axis=(0, 1))).max() < 1.0


def test_landmarks_that_the_network_sees_elsewhere_for_good_are_believed():
    mesh = drawn_mesh()
    opened = mesh.copy()
    opened[[14, 87, 317, 178, 402], 1] += 14
    stabilise, picture = LandmarkStabiliser(), drawn_head(1, mesh)
    for _ in range(5):
        stabilise(picture, mesh, dt=DT)
    for _ in range(6):
        after = stabilise(picture, opened, dt=DT)
    assert after[14, 1] == pytest.approx(opened[14, 1], abs=3.0)


def test_a_face_at_the_border_or_beyond_does_no_harm():
    stabilise = LandmarkStabiliser()
    for at in ((2, 2), (639, 479), (-500, 240), (5000, 5000)):
        mesh = drawn_mesh(at=at)
        assert np.isfinite(stabilise(drawn_head(1, drawn_mesh()), mesh, dt=DT)).all()
