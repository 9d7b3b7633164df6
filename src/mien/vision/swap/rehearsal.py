"""A rehearsal: swaps drawn on nobody's face, so that the first frame of a stream need not make what is made once."""

from typing import Final

import numpy as np

from mien.vision.swap.masks.light import Finish
from mien.vision.swap.masks.preview import HEIGHT, SIDE, nobody
from mien.vision.swap.occlusion import FINE_SIDE, LearntOcclusion
from mien.vision.swap.persona import Persona, persona_from_photo
from mien.vision.swap.swapper import MeshSwapper
from mien.vision.types import Image, Net

_FRAMES: Final = 2
"""The first frame of a face is drawn in other ways than those after it."""
_SKIN: Final = (190, 150, 130)
_MASK_SIDE: Final = 256


def rehearse_swaps(occlusion: Net) -> None:
    """Draw a photo and a mask on a mean face, and run the network that tells what is in front of it.

    What is drawn goes nowhere. What stays are the regions of the flat texture, which are made on first use: without,
    the first frame of a swap takes four times as long as the next.

    Args:
        occlusion: As in `LearntOcclusion`.
    """
    LearntOcclusion(occlusion)(np.zeros((FINE_SIDE, FINE_SIDE, 3), np.uint8), dt=1 / 30)
    for persona in (persona_from_photo(_frame(), nobody(), "nobody"), _plain_mask()):
        swapper = MeshSwapper(persona)  # by the rule, a face of one colour is covered; the network might refuse it
        for number in range(_FRAMES):
            swapper(_frame(), nobody(), at=number / 30)


def _frame() -> Image:
    """Return a head of one colour, somewhat uneven, where `nobody` has theirs."""
    uneven = np.random.default_rng(1).normal(0, 2, (SIDE, SIDE, 3))
    rows, columns = np.ogrid[-1 : 1 : SIDE * 1j, -1 : 1 : SIDE * 1j]
    head = (rows / HEIGHT) ** 2 + (columns / (0.8 * HEIGHT)) ** 2 < 1
    return np.clip(np.where(head[..., None], _SKIN, 60) + uneven, 0, 255).astype(np.uint8)


def _plain_mask() -> Persona:
    texture = np.full((_MASK_SIDE, _MASK_SIDE, 3), 200, np.uint8)
    matte = np.ones((_MASK_SIDE, _MASK_SIDE), np.float32)
    return Persona("plain", texture, matte, Finish(gloss=0.3, hardness=20.0, shade=0.5))
