"""Heads drawn by code, with their landmarks: for tests of what is done to a face, not of finding one."""

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.vision.mesh.topology import BROW_LEFT, BROW_RIGHT, EYE_LEFT, EYE_RIGHT, LIPS, UV, Indices
from mien.vision.swap.masks.preview import nobody, turned
from mien.vision.swap.render_texture import render_texture
from mien.vision.types import Image, Mesh

SIDE = 256
FRAME_WH = (640, 480)
FACE_HEIGHT = 240


def drawn_mesh(
    *, yaw: float = 0.0, pitch: float = 0.0, at: tuple[float, float] = (320, 240), scale: float = 1.0
) -> Mesh:
    """Return nobody's mesh, turned by degrees, its middle at a place, `FACE_HEIGHT` high at scale 1."""
    mesh = nobody()
    mesh = (mesh - mesh.mean(axis=0)) * np.float32(scale * FACE_HEIGHT / np.ptp(mesh[:, 1]))
    return np.asarray(turned(mesh, yaw, pitch) + np.array([*at, 0], np.float32), np.float32)


def drawn_face(person: int) -> Image:
    """Return the flat texture of somebody: own freckles, brows and lips on a skin of the same mean for all."""
    random = np.random.default_rng(person)
    freckles = cv2.GaussianBlur(random.standard_normal((SIDE, SIDE)).astype(np.float32), (0, 0), 3.0)
    skin = np.array([190, 145, 120], np.float32) * (1 + 0.12 * (freckles / freckles.std()))[..., None]
    texture = np.asarray(np.clip(skin, 0, 255), np.uint8)
    for ring, colour in ((BROW_LEFT, 60), (BROW_RIGHT, 60), (LIPS, 110)):
        _fill(texture, ring, tuple(int(colour * k) for k in random.uniform(0.7, 1.2, 3)))
    for ring in (EYE_LEFT, EYE_RIGHT):
        _fill(texture, ring, (235, 235, 230))
    return texture


def drawn_head(person: int, mesh: Mesh, *, light: NDArray[np.float32] | float = 1.0) -> Image:
    """Return a frame in which somebody stands before a grey wall, in a light given as factors."""
    under = np.full((FRAME_WH[1], FRAME_WH[0], 3), 96, np.uint8)
    whole = np.ones((SIDE, SIDE), np.float32)
    frame, _alpha = render_texture(under, mesh, np.ones(len(mesh), np.float32), drawn_face(person), whole)
    return np.asarray(np.clip(frame * np.asarray(light, np.float32), 0, 255), np.uint8)


def _fill(texture: Image, ring: Indices, colour: tuple[int, ...]) -> None:
    hull = cv2.convexHull(np.round(UV[ring] * SIDE).astype(np.int32))
    cv2.fillPoly(texture, [hull], colour, cv2.LINE_AA)


def with_irises(
    frame: Image, mesh: Mesh, colour: tuple[int, int, int], *, look: tuple[float, float] = (0.0, 0.0)
) -> Image:
    """Return a frame with an iris and a pupil in both eyes, off the middle of each by widths of the eye."""
    seen = frame.copy()
    for ring in (EYE_LEFT, EYE_RIGHT):
        lids = mesh[ring, :2]
        width = float(np.linalg.norm(lids[len(ring) // 2] - lids[0]))
        centre = np.round((lids.mean(axis=0) + np.array(look) * width) * 16).astype(int)
        drawn, inside = seen.copy(), np.zeros(frame.shape[:2], np.uint8)
        for radius, tone in ((0.2, colour), (0.08, (20, 20, 20))):
            place = (int(centre[0]), int(centre[1]))
            cv2.circle(drawn, place, round(radius * width * 16), tone, -1, cv2.LINE_AA, 4)
        cv2.fillPoly(inside, [np.round(lids * 16).astype(np.int32)], 1, cv2.LINE_8, 4)
        seen[inside > 0] = drawn[inside > 0]
    return seen
