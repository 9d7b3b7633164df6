"""Face stills made ready: each a square crop with its mesh, what of it is surely face, and hands that it shows."""

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.app.factory import VisionFactory
from mien.config import Settings
from mien.errors import FacePhotoError
from mien.registry.runtime import Runtime
from mien.registry.store import Store
from mien.vision.analysis.landmarks import box_of_mesh
from mien.vision.mesh.regions import inner, polygon
from mien.vision.mesh.texture_map import flatten, rasterise, unwrap
from mien.vision.mesh.topology import OVAL, UV, WITH_OUTER_RING, with_outer_rings
from mien.vision.swap.occlusion import skin_matte
from mien.vision.types import Image, Matte, Mesh

CROP: Final = 256
"""Side of the picture in which occluders are composed."""
FACE: Final = 0.56
"""Height of the mesh as a share of the crop."""
MIN_FACE_PX: Final = 150
"""A still with a smaller face gives hands and textures only."""
_NOSE_TIP_ROW: Final = 66
VERTICES: Final = int(WITH_OUTER_RING.max()) + 1


@dataclass(frozen=True, slots=True)
class Still:
    """One person.

    Attributes:
        name: The file's name without its ending.
        crop: (CROP, CROP, 3) RGB around the face.
        mesh: Landmarks in the crop.
        face: (CROP, CROP) 0 to 1, how much of each pixel is face.
        known: (CROP, CROP) 0 or 1, where `face` can be trusted.
        patch: (64, 64, 3) RGB skin of the forehead and cheeks.
        scenery: (CROP, CROP, 3) RGB of the still away from the face, for textures.
        hands: RGBA cut-outs, straight alpha.
        clear: True where the face may be trained on or measured with.
    """

    name: str
    crop: Image
    mesh: Mesh
    face: Matte
    known: Matte
    patch: Image
    scenery: Image
    hands: tuple[NDArray[np.uint8], ...]
    clear: bool


@dataclass(frozen=True, slots=True)
class People:
    """Who is trained on and who measures."""

    training: list[Still]
    held_out: list[Still]


def read_picture(path: Path) -> Image:
    """Return a picture file as RGB.

    Raises:
        ValueError: It is none.
    """
    bgr = cv2.imread(str(path))
    if bgr is None:
        raise ValueError(f"{path} is no picture")
    return np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), np.uint8)


def load_people(folder: Path, notes: Path) -> People:
    """Read every still of a folder.

    Args:
        folder: Holds .jpg and .png files, one person in each.
        notes: A TOML file with two lists of names, `unclear` and `held_out`.
    """
    said = tomllib.loads(notes.read_text("utf-8"))
    maker = VisionFactory(Runtime(Store(Settings().models_dir)))
    training: list[Still] = []
    held_out: list[Still] = []
    for still in _read_all(folder, maker, set(said["unclear"])):
        (held_out if still.name in said["held_out"] else training).append(still)
    return People(training, held_out)


def _read_all(folder: Path, maker: VisionFactory, unclear: set[str]) -> Iterator[Still]:
    for path in sorted([*folder.glob("*.jpg"), *folder.glob("*.png")]):
        image = read_picture(path)
        try:
            mesh = maker.assessor.one_face(image, name=path.name).mesh
        except FacePhotoError as error:
            print(f"left out: {error}")
            continue
        box = box_of_mesh(mesh)
        large = box[3] - box[1] >= MIN_FACE_PX
        yield _still(path.stem, image, mesh, clear=path.stem not in unclear and bool(large))


def _still(name: str, image: Image, mesh: Mesh, *, clear: bool) -> Still:
    x0, y0, x1, y1 = box_of_mesh(mesh)
    scale = FACE * CROP / (y1 - y0)
    shift = np.array([CROP / 2 - scale * (x0 + x1) / 2, CROP / 2 - scale * (y0 + y1) / 2])
    matrix = np.array([[scale, 0, shift[0]], [0, scale, shift[1]]], np.float32)
    smooth = cv2.GaussianBlur(image, (0, 0), 0.4 / scale) if scale < 0.6 else image
    crop = cv2.warpAffine(smooth, matrix, (CROP, CROP), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
    placed = (mesh * scale).astype(np.float32)
    placed[:, :2] += shift.astype(np.float32)
    texture = unwrap(np.asarray(crop, np.uint8), placed, 128)
    face, known = _face_of(texture, placed)
    scenery = cv2.resize(image[: max(int(y0), 8)] if y0 > 60 else image, (CROP, CROP), interpolation=cv2.INTER_AREA)
    hands = tuple(find_hands(image, mesh))
    patch = texture[70:102, 28:60]
    return Still(name, np.asarray(crop, np.uint8), placed, face, known, patch, np.asarray(scenery), hands, clear)


def _face_of(texture: Image, mesh: Mesh) -> tuple[Matte, Matte]:
    """Say what is surely face: all of the inner face; around it what has clearly the colour of the cheeks, or not."""
    side = 128
    skin = cv2.resize(skin_matte(texture), (side, side), interpolation=cv2.INTER_LINEAR)
    within = inner(side)
    face = np.maximum(within > 0.5, skin > 0.5).astype(np.float32)
    near = cv2.dilate(polygon(UV[OVAL], side), np.ones((5, 5)))
    known = ((within > 0.5) | (skin > 0.8) | (skin < 0.15)) & (near > 0.5)
    edge = cv2.morphologyEx(face, cv2.MORPH_GRADIENT, np.ones((5, 5))) > 0.5
    known &= ~edge | (within > 0.5)
    # On the jaw what has not the colour of the cheeks may be a beard, which is face, or hair, which is not.
    known[_NOSE_TIP_ROW:] &= face[_NOSE_TIP_ROW:] > 0.5
    places = UV[:VERTICES] * side - 0.5
    values = np.column_stack([places, np.ones(VERTICES, np.float32)])
    u, v, there = cv2.split(rasterise(with_outer_rings(mesh)[:VERTICES], values, WITH_OUTER_RING, (CROP, CROP)))
    flat = np.dstack([face, known.astype(np.float32)])
    drawn = cv2.remap(flat, u, v, cv2.INTER_LINEAR)
    return np.asarray(drawn[..., 0], np.float32), np.asarray((drawn[..., 1] > 0.99) & (there > 0.99), np.float32)


def turn(still: Still, turned: Mesh, behind: Image) -> tuple[Image, Matte, Matte]:
    """Draw a still's face as it would look with its mesh turned to `turned`, before a background.

    Returns:
        The picture, `face` and `known`.
    """
    rest = with_outer_rings(still.mesh)[:VERTICES]
    values = np.column_stack([rest[:, :2], np.ones(len(rest), np.float32)])
    x, y, there = cv2.split(rasterise(with_outer_rings(turned)[:VERTICES], values, WITH_OUTER_RING, (CROP, CROP)))
    picture = cv2.remap(still.crop, x, y, cv2.INTER_LINEAR)
    there = cv2.blur(there, (3, 3))[..., None]
    drawn = np.asarray(cv2.remap(np.dstack([still.face, still.known]), x, y, cv2.INTER_LINEAR), np.float32)
    mixed = picture * there + behind * (1 - there)
    # Outside the mesh is background, which is surely not face; along its edge nobody knows.
    outside = there[..., 0] < 0.01
    known = (drawn[..., 1] > 0.99) & (there[..., 0] > 0.99) | outside
    return mixed.astype(np.uint8), drawn[..., 0] * (there[..., 0] > 0.5), known.astype(np.float32)


def peel(picture: Image, face: Matte, known: Matte, mesh: Mesh, side: int) -> tuple[Image, Matte, Matte]:
    """Unwrap a picture and its truth by one mesh.

    Returns:
        (side, side, 3) RGB, and `face` and `known`, (side, side) 0 to 1.
    """
    places = flatten(np.column_stack([mesh[:, :2], np.ones(len(mesh), np.float32)]), side)
    x, y, there = cv2.split(places)
    texture = cv2.remap(picture, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    truth = cv2.remap(np.dstack([face, known]), x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
    face, trusted = (np.asarray(truth[..., k], np.float32) for k in (0, 1))
    return np.asarray(texture, np.uint8), face, np.asarray((trusted > 0.99) * there, np.float32)


def find_hands(image: Image, mesh: Mesh) -> Iterator[NDArray[np.uint8]]:
    """Cut out hands: what has the skin's colour, well below the face, one on each side.

    Yields:
        RGBA cut-outs.
    """
    x0, y0, x1, y1 = box_of_mesh(mesh)
    tall = y1 - y0
    lab = cv2.cvtColor(image, cv2.COLOR_RGB2LAB).astype(np.float32)
    cheeks = mesh[[50, 280, 205, 425], :2].round().astype(int)
    tone = np.median([lab[y, x] for x, y in cheeks], axis=0)
    away = np.linalg.norm((lab - tone) / (60, 9, 9), axis=2)
    seed = (away < 1.3).astype(np.uint8)
    seed[: int(min(y1 + 0.9 * tall, len(seed)))] = 0
    seed = cv2.morphologyEx(seed, cv2.MORPH_OPEN, np.ones((5, 5)))
    for half in (np.s_[:, : int((x0 + x1) / 2)], np.s_[:, int((x0 + x1) / 2) :]):
        part, marks = np.ascontiguousarray(image[half]), np.zeros_like(seed[half])
        count, labels, stats, _ = cv2.connectedComponentsWithStats(np.ascontiguousarray(seed[half]))
        best = max(range(1, count), key=lambda i: stats[i, cv2.CC_STAT_AREA], default=0)
        if not best or not 0.08 < stats[best, cv2.CC_STAT_AREA] / tall**2 < 1.2:
            continue
        blob = (labels == best).astype(np.uint8)
        marks[:] = cv2.GC_BGD
        marks[cv2.dilate(blob, np.ones((15, 15))) > 0] = cv2.GC_PR_BGD
        marks[blob > 0] = cv2.GC_PR_FGD
        marks[cv2.erode(blob, np.ones((7, 7))) > 0] = cv2.GC_FGD
        unread = (0, 0, 0, 0)  # a rectangle would stand for the mask
        cv2.grabCut(part, marks, unread, np.zeros((1, 65)), np.zeros((1, 65)), 3, cv2.GC_INIT_WITH_MASK)
        hand = np.isin(marks, (cv2.GC_FGD, cv2.GC_PR_FGD)).astype(np.uint8)
        hand = np.asarray(cv2.morphologyEx(hand, cv2.MORPH_OPEN, np.ones((3, 3))), np.uint8)
        x, y, w, h = cv2.boundingRect(hand)
        alpha = cv2.GaussianBlur(cv2.erode(hand, np.ones((3, 3))) * 255.0, (0, 0), 0.8)
        rgba = np.dstack([part, alpha.astype(np.uint8)])[y : y + h, x : x + w]
        yield np.ascontiguousarray(cv2.copyMakeBorder(rgba, 4, 4, 4, 4, cv2.BORDER_CONSTANT))
