"""Grimaces composed by code: a portrait's mouth torn open, its eyes screwed up, as far as one photo allows."""

from dataclasses import replace
from typing import Final

import cv2
import numpy as np

from benchmarks.vision.portraits import Portrait
from mien.vision.mesh.texture_map import rasterise
from mien.vision.mesh.topology import EYE_LEFT, EYE_RIGHT, OUTERMOST_RING_POINTS, SURROUNDED, with_outer_rings
from mien.vision.types import Mesh

INNER_UPPER: Final = [78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308]
INNER_LOWER: Final = [78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308]
FOREHEAD, CHIN = 10, 152


def grimacing(portrait: Portrait, *, mouth: float, squint: float = 0.0) -> Portrait:
    """Open the mouth by `mouth`, a share of the face's height, and close the eyes by `squint`, 0 to 1.

    What the mouth shows inside is painted dark; cheeks and jaw stretch. Nothing that the photo does not show appears.
    """
    before = portrait.mesh
    after = _moved(before, mouth, squint)
    old, new = with_outer_rings(before), with_outer_rings(after)
    new[OUTERMOST_RING_POINTS] = old[OUTERMOST_RING_POINTS]
    height, width = portrait.image.shape[:2]
    values = np.column_stack([old[:, :2], np.ones(len(old), np.float32)])
    source = rasterise(new, values, SURROUNDED, (width, height))
    places = np.stack(np.meshgrid(np.arange(width), np.arange(height)), -1).astype(np.float32)
    places = np.where(source[..., 2:] > 0.5, source[..., :2], places)
    flat = cv2.remap(portrait.image, places[..., 0], places[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    image = np.array(flat, dtype=np.float32)
    if mouth > 0:
        ring = np.concatenate([after[INNER_UPPER, :2], after[INNER_LOWER[::-1], :2]])
        hole = np.zeros((height, width), np.float32)
        cv2.fillPoly(hole, [np.round(ring * 8).astype(np.int32)], 1.0, lineType=cv2.LINE_AA, shift=3)
        soft = cv2.GaussianBlur(hole, (0, 0), 0.012 * float(np.ptp(before[:, 1])))[..., None]
        image = np.asarray(image * (1 - soft) + np.array([52, 18, 20], np.float32) * soft, np.float32)
    return replace(portrait, image=np.asarray(np.clip(image, 0, 255), np.uint8), mesh=after)


def _moved(mesh: Mesh, mouth: float, squint: float) -> Mesh:
    """Return the landmarks of the grimace: all below the mouth moves along the face, lids move to their middle."""
    after = mesh.copy()
    down = (mesh[CHIN] - mesh[FOREHEAD]).astype(np.float32)
    height = float(np.linalg.norm(down))
    along = (mesh - mesh[FOREHEAD]) @ (down / height)
    seam = (mesh[INNER_UPPER] + mesh[INNER_LOWER]).mean(axis=0) / 2
    below = np.clip((along - float((seam - mesh[FOREHEAD]) @ (down / height))) / (0.06 * height), 0, 1)
    below[INNER_LOWER[1:-1]], below[INNER_UPPER] = 1.0, 0.0
    after += (below[:, None] * mouth * down).astype(np.float32)
    for ring in (EYE_LEFT, EYE_RIGHT):
        middle = mesh[ring].mean(axis=0)
        offset = (mesh[ring] - middle) @ (down / height)
        after[ring] -= squint * 0.8 * offset[:, None] * (down / height)
    return after.astype(np.float32)
