"""A drawing board for masks: the mean face rolled out flat, with brushes, a chisel and clouds.

Lengths are in *eyes*: the distance between the outer eye corners. The origin lies between the eyes, x runs to the
image's right and y down. Colours are RGB, 0 to 1.
"""

from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from typing import Final, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.vision.mesh.geometry import mesh_size
from mien.vision.mesh.regions import ramp
from mien.vision.mesh.texture_map import flatten
from mien.vision.mesh.topology import OVAL, Indices, Vertices
from mien.vision.types import Matte, Mesh

Colour: TypeAlias = tuple[float, float, float]
Curve: TypeAlias = NDArray[np.float32]
"""(N, 2) points in eyes."""
Painting: TypeAlias = NDArray[np.float32]
"""(BOARD, BOARD, 3) RGB 0 to 1."""

BOARD: Final = 1024
EYES_WIDE: Final = 3.0
"""Width and height of the board."""
_PX: Final = BOARD / EYES_WIDE
_MIDDLE: Final = np.array([BOARD / 2, BOARD * 0.38], np.float32)
_SUBPIXEL: Final = 4
_RADIUS: Final = 0.72
"""The radius of the cylinder from which the face is rolled out: about half a head's breadth, in eyes."""
_NASION: Final = 168


@cache
def mean_face() -> Mesh:
    """Return a calm, symmetric face that is nobody's, looking ahead, in eyes around its middle."""
    with files("mien.vision.swap.masks").joinpath("mean_face.npy").open("rb") as file:
        mesh = np.asarray(np.load(file, allow_pickle=False), np.float32)
    mesh = mesh / np.float32(mesh_size(mesh))
    mesh.flags.writeable = False
    return mesh


@cache
def rolled_out() -> Vertices:
    """Return (468, 2) places of the landmarks on the board, in eyes."""
    mesh = mean_face() - mean_face()[_NASION]
    angle = np.arctan2(mesh[:, 0], _RADIUS - mesh[:, 2])
    return np.column_stack([angle * _RADIUS, mesh[:, 1]]).astype(np.float32)


def spot(landmark: int, right: float = 0.0, down: float = 0.0) -> tuple[float, float]:
    """Return the place of a landmark, moved by so many eyes."""
    x, y = rolled_out()[landmark]
    return float(x) + right, float(y) + down


def outline(reach: float) -> Curve:
    """Return the face oval, `reach` eyes outside itself."""
    edge = rolled_out()[OVAL]
    away = edge - edge.mean(axis=0)
    return smooth(edge + reach * away / np.linalg.norm(away, axis=1, keepdims=True), closed=True)


def ring_of(landmarks: Indices) -> Curve:
    """Return a smooth closed curve through landmarks."""
    return smooth(rolled_out()[landmarks], closed=True)


def smooth(points: NDArray[np.float32] | Sequence[tuple[float, float]], *, closed: bool = False) -> Curve:
    """Return a Catmull-Rom curve through points, 12 steps from each to the next."""
    through = np.asarray(points, np.float32)
    if closed:
        through = np.concatenate([through[-1:], through, through[:2]])
    else:
        through = np.concatenate([2 * through[:1] - through[1:2], through, 2 * through[-1:] - through[-2:-1]])
    t = np.linspace(0, 1, 12, endpoint=False, dtype=np.float32)[:, None, None]
    a, b, c, d = (through[i : len(through) - 3 + i] for i in range(4))
    steps = b + 0.5 * t * (c - a + t * (2 * a - 5 * b + 4 * c - d + t * (3 * (b - c) + d - a)))
    curve = steps.transpose(1, 0, 2).reshape(-1, 2)
    return curve if closed else np.concatenate([curve, through[-2:-1]])


def spiral(centre: tuple[float, float], radius: float, *, start: float, turns: float) -> Curve:
    """Return a curl from its outer end to its eye; angles in turns, positive runs clockwise."""
    t = np.linspace(0, 1, 80, dtype=np.float32)
    angle = 2 * np.pi * (start + turns * t)
    shrinking = radius * (1 - 0.88 * t)
    return np.column_stack([centre[0] + shrinking * np.cos(angle), centre[1] + shrinking * np.sin(angle)])


def circle(centre: tuple[float, float], radius: float) -> Curve:
    """Return a circle."""
    angle = np.linspace(0, 2 * np.pi, 64, endpoint=False, dtype=np.float32)
    return np.column_stack([centre[0] + radius * np.cos(angle), centre[1] + radius * np.sin(angle)])


def fill(curve: Curve) -> Matte:
    """Return the inside of a closed curve."""
    drawn = np.zeros((BOARD, BOARD), np.uint8)
    places = (curve * _PX + _MIDDLE) * 2**_SUBPIXEL
    cv2.fillPoly(drawn, [np.round(places).astype(np.int32)], 255, cv2.LINE_AA, _SUBPIXEL)
    return np.asarray(drawn * np.float32(1 / 255))


def stroke(curve: Curve, width: float, *, ends: tuple[float, float] = (0.15, 0.15), swell: float = 0.5) -> Matte:
    """Return a brush stroke.

    Args:
        curve: The way of the brush.
        width: At the fullest place, in eyes.
        ends: Width at start and end, as a share.
        swell: Where on the way the fullest place lies, 0 to 1.
    """
    way = np.linspace(0, 1, len(curve), dtype=np.float32)
    wide = np.interp(way, [0, swell, 1], [ends[0], 1, ends[1]])
    wide = width / 2 * np.sin(wide * np.pi / 2)
    along = np.gradient(curve, axis=0)
    across = np.column_stack([-along[:, 1], along[:, 0]])
    across = across / np.maximum(np.linalg.norm(across, axis=1, keepdims=True), 1e-6) * wide[:, None]
    return fill(np.concatenate([curve + across, (curve - across)[::-1]]).astype(np.float32))


def line(curve: Curve, width: float) -> Matte:
    """Return a closed line of even width, lying on the curve."""
    inside = fill(curve)
    return ramp(np.abs(distance(inside)), width / 2 + 0.004, width / 2 - 0.002)


def distance(matte: Matte) -> NDArray[np.float32]:
    """Return how far each place lies from the matte's edge in eyes: above 0 outside, below 0 inside."""
    inside = (matte > 0.5).astype(np.uint8)
    out = cv2.distanceTransform(1 - inside, cv2.DIST_L2, cv2.DIST_MASK_5)
    within = cv2.distanceTransform(inside, cv2.DIST_L2, cv2.DIST_MASK_5)
    return np.asarray((out - within) / _PX, np.float32)


def union(*mattes: Matte) -> Matte:
    """Return what any of the mattes covers."""
    return np.asarray(np.maximum.reduce(mattes), np.float32)


def both_sides(*mattes: Matte) -> Matte:
    """Return the union of mattes and of their mirror images."""
    whole = union(*mattes)
    return np.maximum(whole, whole[:, ::-1])


def blur(values: NDArray[np.float32], sigma: float) -> NDArray[np.float32]:
    """Blur by so many eyes."""
    return np.asarray(cv2.GaussianBlur(values, (0, 0), sigma * _PX), np.float32)


def plain(colour: Colour) -> Painting:
    """Return a board of one colour."""
    return np.full((BOARD, BOARD, 3), colour, np.float32)


def paint(under: Painting, colour: Colour | Painting, matte: Matte) -> Painting:
    """Lay a colour over a picture."""
    cover = matte[..., None]
    return np.asarray(under * (1 - cover) + np.asarray(colour, np.float32) * cover, np.float32)


def relief_light(height: NDArray[np.float32], depth: float) -> NDArray[np.float32]:
    """Return how a relief looks under a lamp above and to the left: 1 where flat.

    Args:
        height: (BOARD, BOARD), 1 is one step of the chisel.
        depth: What a step is worth, in eyes.
    """
    slope_y, slope_x = np.gradient(height * (depth * _PX))
    hollow = np.clip((blur(height, 0.02) - height) * depth * 12, 0, 0.5)
    return np.asarray(1 + np.clip(0.45 * slope_x + 0.8 * slope_y, -0.55, 0.45) * -1 - hollow, np.float32)


def noise(seed: int, frequency: float, octaves: int = 4) -> NDArray[np.float32]:
    """Return clouds of mean 0 and spread 1.

    Args:
        seed: Same seed, same clouds.
        frequency: The coarsest octave's frequency, in changes an eye; each further one twice as fine, half as strong.
        octaves: How many.
    """
    random = np.random.default_rng(seed)
    total = np.zeros((BOARD, BOARD), np.float32)
    for octave in range(octaves):
        cells = round(EYES_WIDE * frequency * 2**octave) + 3
        coarse = random.standard_normal((cells, cells)).astype(np.float32)
        total += cv2.resize(coarse, (BOARD, BOARD), interpolation=cv2.INTER_CUBIC) * 0.5**octave
    return np.asarray((total - total.mean()) / total.std(), np.float32)


def bend(values: NDArray[np.float32], right: NDArray[np.float32], down: NDArray[np.float32]) -> NDArray[np.float32]:
    """Move a pattern by so many eyes, differently at each place."""
    y, x = np.indices(values.shape, np.float32)
    moved = cv2.remap(values, x + right * _PX, y + down * _PX, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)
    return np.asarray(moved, np.float32)


def heights() -> NDArray[np.float32]:
    """Return how far down each place of the board lies, in eyes."""
    down = (np.arange(BOARD, dtype=np.float32) - _MIDDLE[1]) / _PX
    return np.repeat(down[:, None], BOARD, axis=1)


def grain(seed: int, frequency: float, *, stretch: tuple[float, float] = (1.0, 1.0)) -> NDArray[np.float32]:
    """Return flat noise of mean 0 and spread 1 that changes `frequency` times an eye.

    Args:
        seed: Same seed, same grain.
        frequency: The frequency of the finest change.
        stretch: How many times longer the grains are, to the right and down.
    """
    noise = np.random.default_rng(seed).standard_normal((BOARD, BOARD)).astype(np.float32)
    sigma = 0.35 * _PX / frequency
    soft = cv2.GaussianBlur(noise, (0, 0), sigma * stretch[0], sigmaY=sigma * stretch[1])
    return np.asarray(soft / soft.std(), np.float32)


@cache
def _board_places(side: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    places = rolled_out() * _PX + _MIDDLE
    spread = flatten(np.column_stack([places, np.ones(len(places), np.float32)]), side)
    inside = spread[..., 2] > 0
    x, y = np.where(inside, spread[..., 0], -9), np.where(inside, spread[..., 1], -9)
    return x.astype(np.float32), y.astype(np.float32)


def to_texture(board: NDArray[np.float32], side: int) -> NDArray[np.float32]:
    """Carry a drawing from the board to the flat texture; 0 outside the first ring."""
    x, y = _board_places(side)
    return np.asarray(cv2.remap(board, x, y, cv2.INTER_AREA, borderMode=cv2.BORDER_CONSTANT), np.float32)
