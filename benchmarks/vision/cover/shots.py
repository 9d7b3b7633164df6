"""Pictures in which only what a cover will hide shows the person: all around it is somewhere else."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from skimage import data

from benchmarks.vision.films import SHARED
from benchmarks.vision.portraits import Portrait, View, cut_portrait, seen_as
from mien.app.factory import VisionFactory
from mien.errors import FacePhotoError
from mien.media.files.images import decode_image
from mien.vision.analysis.landmarks import box_of_mesh
from mien.vision.render.mosaic import MosaicShape, cover_box
from mien.vision.types import Box, Image, Mesh
from support.photos import astronaut, hopper

SIZES: Final = (40, 80, 160)
"""Widths of the face in pixels."""
WALLS: Final = ("coffee", "rocket", "chelsea", "retina")
SHIFT_PX: Final = 96
"""Pictures get so much more room at most: covers lie on the grid of the frame, and where a portrait's face lies in its
picture is its photographer's habit."""


@dataclass(frozen=True, slots=True)
class Shot:
    """One picture of somebody, and where a detector would see the face in it, frame by frame."""

    image: Image
    boxes: list[Box]
    mesh: Mesh


def people(maker: VisionFactory) -> list[Portrait]:
    found: list[Portrait] = []
    for path in sorted((SHARED / "faces_real_pd").glob("*/*.jpg")):
        image = decode_image(path.read_bytes(), name=path.name)
        try:
            mesh = maker.assessor.one_face(image, name=path.name).mesh
        except FacePhotoError:
            continue
        found.append(cut_portrait(path.stem, image, mesh, face_px=max(SIZES)))
    return found


def made_by_code(maker: VisionFactory) -> list[Portrait]:
    """Return eight people made of two public-domain photos: each as it is, mirrored, and both of them stretched."""
    found: list[Portrait] = []
    for name, photo in (("astronaut", astronaut()), ("hopper", hopper())):
        for way, image in (("", photo), ("mirrored", np.ascontiguousarray(photo[:, ::-1]))):
            for tall in (1.0, 1.15):
                taller = np.asarray(cv2.resize(image, None, fx=1.0, fy=tall), np.uint8)
                mesh = maker.assessor.one_face(taller, name=name).mesh
                found.append(cut_portrait(f"{name} {way} {tall}", taller, mesh, face_px=max(SIZES)))
    return found


def as_photo(size: int) -> View:
    return View(face_px=size)


def another_day(size: int, rng: np.random.Generator) -> View:
    return View(
        face_px=size * rng.uniform(0.9, 1.1),
        yaw=rng.uniform(-12, 12),
        pitch=rng.uniform(-6, 6),
        roll=rng.uniform(-6, 6),
        light=rng.uniform(0.75, 1.5),
        noise=2,
        jpeg=80,
    )


def shot(
    person: Portrait, look: View, shape: MosaicShape, rng: np.random.Generator, *, relit: bool, frames: int = 1
) -> Shot:
    """Take a picture in which what covers of this shape hide is the person, and all else somewhere else."""
    image, mesh = seen_as(person, look, seed=int(rng.integers(2**31)))
    right, down = (int(value) for value in rng.integers(0, SHIFT_PX, 2))
    image = np.pad(image, ((down, 0), (right, 0), (0, 0)), mode="edge")
    mesh = mesh + np.array([right, down, 0], np.float32)
    box = box_of_mesh(mesh)
    box = box + rng.normal(0, 0.015, 4).astype(np.float32) * (box[2] - box[0])  # no detector is exact
    if relit:
        tint = rng.uniform(0.88, 1.12, 3) * (1 + rng.uniform(-0.25, 0.25) * np.linspace(-1, 1, image.shape[1])[:, None])
        image = np.clip(image * tint[None], 0, 255).astype(np.uint8)
    boxes = [box] if frames == 1 else [_trembling(box, rng) for _ in range(frames)]
    return Shot(elsewhere(image, boxes, shape, rng), boxes, mesh)


def _trembling(box: Box, rng: np.random.Generator) -> Box:
    """Return where the cover of a face lies in a frame in which it moved by up to half a cell."""
    side = float(max(box[2:] - box[:2]))
    moved = box + np.tile(rng.uniform(-0.09, 0.09, 2), 2) * side + rng.normal(0, 0.015, 4) * side
    return np.asarray(moved, np.float32)


def elsewhere(image: Image, boxes: Sequence[Box], shape: MosaicShape, rng: np.random.Generator) -> Image:
    """Keep of a picture what the covers of all boxes hide, and nothing that one of them lets be seen."""
    wall = getattr(data, WALLS[int(rng.integers(len(WALLS)))])()
    height, width = image.shape[:2]
    y, x = rng.integers(0, 100), rng.integers(0, 100)
    there = cv2.resize(wall[y : y + 200, x : x + 200], (width, height), interpolation=cv2.INTER_LINEAR)
    there = (there * rng.uniform(0.6, 1.2)).clip(0, 255).astype(np.uint8)
    hidden = np.ones((height, width), np.uint8)
    for box in boxes:
        x0, y0, x1, y1 = (float(value) for value in cover_box(box, shape=shape))
        under = np.zeros_like(hidden)
        if shape is MosaicShape.HEAD:
            cv2.ellipse(under, (((x0 + x1) / 2, (y0 + y1) / 2), (x1 - x0, y1 - y0), 0), 1, -1)
        else:
            under[max(0, round(y0)) : round(y1), max(0, round(x0)) : round(x1)] = 1
        hidden &= under
    return np.asarray(np.where(hidden[..., None], image, there), np.uint8)
