"""The built-in masks: personas that are nobody's face, drawn by code on first use."""

from collections.abc import Callable
from functools import cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mien.errors import PersonaError
from mien.vision.mesh.regions import ramp
from mien.vision.mesh.topology import EYE_LEFT, EYE_RIGHT, LIPS
from mien.vision.swap.masks import canvas as board
from mien.vision.swap.masks.canvas import Colour, Painting, spot
from mien.vision.swap.masks.light import Finish
from mien.vision.swap.persona import Persona
from mien.vision.types import Matte

SIDE: Final = 512
"""Side of a mask's texture: fine lines must survive a face that fills the frame."""
EDGE: Final = 0.10
"""How far a mask reaches beyond the face oval, in eyes."""
_SHADOW: Final = (0.02, 0.015, 0.01)

_GOLD: Final[Colour] = (0.80, 0.61, 0.27)
_GOLD_LIGHT: Final[Colour] = (1.0, 0.90, 0.62)
_GOLD_DEEP: Final[Colour] = (0.42, 0.27, 0.08)


def builtin_masks() -> dict[str, Persona]:
    """Return all built-in masks by name."""
    return {name: builtin_mask(name) for name in _DESIGNS}


@cache
def builtin_mask(name: str) -> Persona:
    """Return a built-in mask.

    Raises:
        PersonaError: There is none of that name.
    """
    if name not in _DESIGNS:
        raise PersonaError(f"there is no mask {name!r}; there are {', '.join(sorted(_DESIGNS))}")
    painting, finish = _DESIGNS[name]()
    painting, matte = _cut(painting)
    texture = np.clip(board.to_texture(painting, SIDE) * 255, 0, 255).astype(np.uint8)
    return Persona(name, texture, board.to_texture(matte, SIDE), finish)


def _cut(painting: Painting) -> tuple[Painting, Matte]:
    """Cut the outline and the openings, and let the edges throw their shadow on what lies behind."""
    edge = board.distance(board.fill(board.outline(EDGE)))
    eyes = board.distance(board.union(board.fill(board.ring_of(EYE_LEFT)), board.fill(board.ring_of(EYE_RIGHT))))
    solid = ramp(edge, 0.004, -0.004) * ramp(eyes, 0.016, 0.026)
    around = 0.45 * ramp(edge, 0.07, 0.0)
    within = 0.8 * ramp(eyes, -0.05, 0.02)
    matte = np.maximum(solid, np.clip(np.where(edge > 0, around, within), 0, 1))
    return board.paint(board.plain(_SHADOW), painting, solid), matte.astype(np.float32)


def _gilded(under: Painting, matte: Matte, height: NDArray[np.float32]) -> Painting:
    """Lay gold leaf: bright where the relief catches light, deep where it turns away, a little worn."""
    light = board.relief_light(height, 0.03)
    gold = board.paint(board.plain(_GOLD), _GOLD_LIGHT, np.clip((light - 1) * 2.4, 0, 1))
    gold = board.paint(gold, _GOLD_DEEP, np.clip((1 - light) * 1.6, 0, 0.8))
    wear = ramp(board.grain(5, 30.0), -2.2, -1.4)
    return board.paint(under, gold, matte * (0.6 + 0.4 * wear))


def _carved(painting: Painting, height: NDArray[np.float32], depth: float) -> Painting:
    """Light a relief cut into a material, or raised from it."""
    return np.asarray(painting * board.relief_light(height, depth)[..., None], np.float32)


def _rim(outer: float, inner: float) -> Matte:
    """Return the band between two lines along the edge of a mask."""
    return np.asarray(board.fill(board.outline(outer)) * (1 - board.fill(board.outline(inner))), np.float32)


def _around(shape: Matte, near: float, far: float) -> Matte:
    """Return the band from `near` to `far` eyes outside a shape."""
    away = board.distance(shape)
    return ramp(away, near - 0.004, near + 0.004) * ramp(away, far + 0.004, far - 0.004)


def _eyes() -> Matte:
    return board.union(board.fill(board.ring_of(EYE_LEFT)), board.fill(board.ring_of(EYE_RIGHT)))


def _lips() -> Matte:
    return board.fill(board.ring_of(LIPS))


# --- volto: a white Venetian full-face mask with gilded scrolls -------------------------------------------------


def _volto() -> tuple[Painting, Finish]:
    cloud = board.grain(3, 2.2) * 0.012 + board.grain(4, 40.0) * 0.008
    clay = np.asarray(board.plain((0.965, 0.945, 0.905)) + cloud[..., None], np.float32)
    blush = board.blur(board.both_sides(board.fill(board.circle((-0.62, 0.5), 0.2))), 0.11)
    clay = board.paint(clay, (0.93, 0.80, 0.74), 0.30 * blush)
    gold = board.union(_rim(EDGE, EDGE - 0.05), _rim(0.022, 0.01), _lips(), _volto_scrolls())
    height = board.blur(gold, 0.006) + 0.7 * board.blur(_volto_brows(), 0.03)
    return _gilded(_carved(clay, height, 0.018), gold, height), Finish(gloss=0.30, hardness=26, shade=0.50)


def _volto_brows() -> Matte:
    """Brow ridges, modelled and not painted."""
    brow = board.smooth([(-0.10, -0.06), (-0.30, -0.22), (-0.55, -0.20), (-0.78, -0.05)])
    return board.both_sides(board.stroke(brow, 0.09, swell=0.4))


def _volto_scrolls() -> Matte:
    """Gilding: a line around each eye that sweeps to the temple, curls on brow and cheek, a lily on the forehead."""
    sweep = board.smooth([spot(133, 0.09, 0.03), spot(159, 0.02, -0.10), spot(33, -0.10, -0.07), (-0.86, -0.20)])
    under = board.smooth([spot(133, 0.09, 0.03), spot(145, 0.0, 0.085), spot(33, -0.08, 0.06), (-0.80, 0.02)])
    curl = board.spiral((-0.80, -0.305), 0.115, start=0.28, turns=1.35)
    small = board.spiral((-0.735, 0.105), 0.085, start=-0.22, turns=-1.3)
    brow = board.smooth([(-0.05, -0.20), (-0.20, -0.33), (-0.42, -0.36), (-0.56, -0.30)])
    tendril = board.spiral((-0.535, -0.375), 0.075, start=0.20, turns=1.2)
    cheek = board.smooth([(-0.80, 0.16), (-0.88, 0.40), (-0.76, 0.60), (-0.60, 0.64)])
    leaf = board.spiral((-0.63, 0.575), 0.07, start=0.20, turns=-1.15)
    strokes = [
        board.stroke(sweep, 0.034, ends=(0.3, 0.7), swell=0.55),
        board.stroke(under, 0.022, ends=(0.3, 0.6), swell=0.6),
        board.stroke(curl, 0.030, ends=(0.8, 0.35), swell=0.2),
        board.stroke(small, 0.022, ends=(0.8, 0.35), swell=0.2),
        board.stroke(brow, 0.026, ends=(0.2, 0.8), swell=0.6),
        board.stroke(tendril, 0.024, ends=(0.8, 0.35), swell=0.2),
        board.stroke(cheek, 0.028, ends=(0.2, 0.8), swell=0.5),
        board.stroke(leaf, 0.024, ends=(0.8, 0.35), swell=0.2),
        *(board.fill(board.circle((x, y), r)) for x, y, r in ((-0.93, -0.12, 0.014), (-0.97, -0.04, 0.010))),
    ]
    return board.both_sides(*strokes, _lily())


def _lily() -> Matte:
    """A lily of three petals with a drop below, in the middle of the forehead."""
    petal = board.smooth([(0.0, -0.30), (-0.045, -0.42), (0.0, -0.55), (0.045, -0.42)], closed=True)
    side = board.smooth([(-0.015, -0.31), (-0.10, -0.38), (-0.155, -0.48), (-0.13, -0.545)])
    curl = board.spiral((-0.175, -0.52), 0.05, start=0.0, turns=-1.1)
    drop = board.smooth([(0.0, -0.27), (-0.022, -0.215), (0.0, -0.185), (0.022, -0.215)], closed=True)
    return board.union(
        board.fill(petal), board.fill(drop), board.stroke(side, 0.04, ends=(0.2, 0.5)), board.stroke(curl, 0.022)
    )


# --- marble: the face of a statue, veined stone ------------------------------------------------------------------


def _marble() -> tuple[Painting, Finish]:
    right, down = board.noise(11, 1.0, 4) * 0.10, board.noise(12, 1.0, 4) * 0.10
    cloud = board.bend(board.noise(13, 0.9), right, down)
    stone = board.paint(board.plain((0.945, 0.93, 0.905)), (0.70, 0.715, 0.735), 0.7 * ramp(cloud, -0.2, 2.2))
    for seed, slant, apart, width, colour, strength in (
        (24, 0.62, 1.15, 0.16, (0.62, 0.635, 0.66), 0.75),  # broad grey rivers ...
        (25, 0.62, 1.15, 0.022, (0.36, 0.38, 0.41), 0.80),  # ... with dark beds,
        (26, 0.80, 0.52, 0.012, (0.45, 0.46, 0.48), 0.60),
        (27, -0.50, 0.61, 0.012, (0.60, 0.55, 0.48), 0.50),  # and hair veins across, a little rusty
    ):
        vein = _veins(slant, apart, right, down)
        presence = ramp(board.noise(seed, 0.8, 3), -0.7, 0.8)
        thinner = vein / (0.3 + presence)
        stone = board.paint(stone, colour, strength * presence * ramp(thinner.astype(np.float32), width, 0.0))
    stone = np.asarray(stone + 0.012 * board.grain(18, 60.0)[..., None], np.float32)
    return _carved(stone, _marble_relief(), 0.03), Finish(gloss=0.26, hardness=30, shade=0.66)


def _veins(slant: float, apart: float, right: NDArray[np.float32], down: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return how far each place lies from the next of many slanting cracks, in eyes, bent as the stone was pressed."""
    y, x = (np.indices(right.shape, np.float32) / board.BOARD - 0.5) * board.EYES_WIDE
    across = (x + right * 1.6) * np.cos(slant * np.pi / 2) + (y + down * 1.6) * np.sin(slant * np.pi / 2)
    turns = across / apart + 0.31
    return np.asarray(np.abs(turns - np.round(turns)) * apart, np.float32)


def _marble_relief() -> NDArray[np.float32]:
    """Chisel brows, lids and lips, worn round by the years."""
    ridge = board.smooth([(-0.08, -0.04), (-0.28, -0.19), (-0.52, -0.17), (-0.72, -0.03)])
    brows = 1.5 * board.blur(board.stroke(ridge, 0.13, swell=0.4), 0.028)
    for along in np.linspace(0.08, 0.9, 15):
        x, y = ridge[int(along * (len(ridge) - 1))].tolist()
        lean = 0.055 - 0.07 * along
        hair = board.smooth([(x + 0.03, y + 0.035), (x - 0.005, y - lean), (x - 0.05, y - lean - 0.01)])
        brows -= 0.30 * board.blur(board.stroke(hair, 0.016, ends=(0.2, 0.1)), 0.006)
    away = board.distance(_eyes())
    lids = 0.8 * ramp(away, 0.075, 0.045) - 0.5 * ramp(np.abs(away - 0.085), 0.018, 0.0)
    lips = 0.7 * board.blur(_lips(), 0.02) - 0.4 * board.blur(_around(_lips(), 0.0, 0.02), 0.012)
    return np.asarray(np.maximum(brows, brows[:, ::-1]) + board.blur(lids, 0.008) + lips, np.float32)


# --- painted: whitewash, lacquer red and the five colours of temple eaves ----------------------------------------

_WHITEWASH: Final[Colour] = (0.95, 0.905, 0.82)
_INK: Final[Colour] = (0.075, 0.07, 0.085)
_VERMILION: Final[Colour] = (0.80, 0.17, 0.11)
_JADE: Final[Colour] = (0.07, 0.47, 0.42)
_INDIGO: Final[Colour] = (0.10, 0.20, 0.48)
_OCHRE: Final[Colour] = (0.90, 0.66, 0.20)


def _painted() -> tuple[Painting, Finish]:
    brushed = board.grain(31, 6.0, stretch=(1.0, 5.0)) * 0.022 + board.grain(32, 50.0) * 0.012
    painting = np.asarray(board.plain(_WHITEWASH) + brushed[..., None], np.float32)
    height = np.zeros(painting.shape[:2], np.float32)
    for colour, matte in [*_eaves(), *_painted_face()]:
        painting = board.paint(
            painting, np.asarray(board.plain(colour) * (1 + 2.5 * brushed[..., None]), np.float32), matte
        )
        height = height * (1 - 0.8 * matte) + 0.5 * board.blur(matte, 0.004)
    return _carved(painting, height, 0.012), Finish(gloss=0.14, hardness=16, shade=0.50)


def _eaves() -> list[tuple[Colour, Matte]]:
    """Petals of a lotus hanging from the upper edge, over them bands, as under the eaves of a temple."""
    layers: list[tuple[Colour, Matte]] = [
        (colour, board.both_sides(_petal(x, width, share)))
        for x, width in ((-0.62, 0.15), (-0.325, 0.155), (0.0, 0.165))
        for colour, share in ((_INDIGO, 1.0), (_WHITEWASH, 0.84), (_VERMILION, 0.72), (_OCHRE, 0.40))
    ]
    bands = [(_VERMILION, 0.05, -0.005), (_OCHRE, -0.005, -0.022), (_WHITEWASH, 0.05, 0.038), (_JADE, 0.10, 0.05)]
    return layers + [(colour, _rim(outer, inner)) for colour, outer, inner in bands]


def _petal(x: float, width: float, share: float) -> Matte:
    """Return a petal that hangs from the upper edge at `x`, or a smaller one inside it."""
    root = -0.60 + 0.40 * x * x
    depth, half = 0.27 * share, width * share
    side = [(half, -0.05), (0.9 * half, 0.45 * depth), (0.35 * half, 0.85 * depth)]
    left = [(x - dx, root + dy) for dx, dy in side]
    right = [(x + dx, root + dy) for dx, dy in reversed(side)]
    return board.fill(board.smooth([*left, (x, root + depth), *right]))


def _painted_face() -> list[tuple[Colour, Matte]]:
    """Brows like clouds, lined eyes, the red dots of a bride, a red mouth, a lotus bud on the chin."""
    brow = board.smooth([(-0.09, -0.09), (-0.24, -0.25), (-0.48, -0.26), (-0.70, -0.12), (-0.82, -0.17)])
    low = board.smooth([(-0.13, -0.03), (-0.27, -0.15), (-0.48, -0.16), (-0.68, -0.05)])
    upper = board.smooth([spot(133, 0.05, 0.02), spot(159, 0.04, -0.035), spot(33, -0.03, -0.025), (-0.72, -0.03)])
    lower = board.smooth([spot(133, 0.02, 0.03), spot(145, 0.0, 0.04), spot(33, -0.06, 0.015)])
    wing = board.smooth([spot(33, -0.09, 0.035), (-0.75, 0.035), (-0.87, -0.05)])
    cheeks = board.both_sides(board.fill(board.circle((-0.60, 0.50), 0.115)))
    corner = board.smooth([spot(61, -0.055, -0.02), spot(61, 0.02, 0.0)])
    shade = ramp(board.blur(_around(_eyes(), 0.0, 0.075), 0.012), 0.25, 0.8) * ramp(board.heights(), 0.09, 0.0)
    return [
        (_INK, board.both_sides(board.stroke(brow, 0.10, ends=(0.15, 0.05), swell=0.4))),
        (_JADE, board.both_sides(board.stroke(low, 0.034, ends=(0.1, 0.1)))),
        (_INDIGO, shade),
        (_INK, board.both_sides(board.stroke(upper, 0.045, ends=(0.1, 0.1), swell=0.6))),
        (_INK, board.both_sides(board.stroke(lower, 0.02, ends=(0.1, 0.2)))),
        (_VERMILION, board.both_sides(board.stroke(wing, 0.045, ends=(0.1, 0.1)))),
        (_VERMILION, cheeks),
        (_OCHRE, _around(cheeks, 0.018, 0.030)),
        (_VERMILION, _lips()),
        (_INK, board.both_sides(board.stroke(corner, 0.018))),
        *_bud(),
    ]


def _bud() -> list[tuple[Colour, Matte]]:
    """Return a lotus bud on the chin: a drop between two leaves."""
    drop = board.smooth([(0.0, 1.01), (-0.035, 1.09), (0.0, 1.14), (0.035, 1.09)], closed=True)
    leaf = board.smooth([(-0.015, 1.165), (-0.08, 1.14), (-0.13, 1.05)])
    return [
        (_JADE, board.both_sides(board.stroke(leaf, 0.04, ends=(0.2, 0.05), swell=0.4))),
        (_VERMILION, board.fill(drop)),
    ]


_DESIGNS: Final[dict[str, Callable[[], tuple[Painting, Finish]]]] = {
    "volto": _volto,
    "marble": _marble,
    "painted": _painted,
}
