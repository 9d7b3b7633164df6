"""A stage on which photos of real or synthetic people move, and a judge who tells whom a picture shows.

The judge compares pixels with the photos by normalised correlation, and knows nothing of the product's networks.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np

from mien.app.factory import VisionFactory
from mien.vision.types import Box, Image
from support.two_people import Standing, head_of

SIZE_WH: Final = (960, 540)
SHOWN: Final = 0.65
"""Correlation from which a face is shown: bare ones have 0.8 and more, hidden ones and other people's less than 0.5."""
_SCALES: Final = (0.92, 1.0, 1.08)


@dataclass(frozen=True, slots=True)
class _Actor:
    head: Image
    face: Box


class Stage:
    """Draws people at their places.

    Args:
        factory: Finds the face in each photo once.
        photos: By name.
        places: Returns where everybody is at a time in seconds; who is named first stands behind.
    """

    def __init__(
        self,
        factory: VisionFactory,
        photos: Mapping[str, Image],
        places: Callable[[float], Mapping[str, Standing | None]],
    ) -> None:
        self._actors = {name: _Actor(*head_of(factory, photo)) for name, photo in photos.items()}
        self._places = places
        rng = np.random.default_rng(4)
        self._room = np.asarray(
            cv2.resize(rng.integers(60, 190, (9, 16, 3), np.uint8), SIZE_WH, interpolation=cv2.INTER_CUBIC), np.uint8
        )

    def __call__(self, at: float) -> Image:
        """Return the picture at a time in seconds."""
        frame = self._room.copy()
        for name, place in self._places(at).items():
            if place is not None:
                self._draw(frame, self._actors[name], place, at + len(name))
        return frame

    def _draw(self, frame: Image, actor: _Actor, place: Standing, phase: float) -> None:
        middle = (actor.face[:2] + actor.face[2:]) / 2
        scale = place.face_px / float(actor.face[2] - actor.face[0])
        turn = cv2.getRotationMatrix2D(tuple(middle), 3 * np.sin(1.4 * phase), scale)
        sway = np.array([5 * np.sin(2.1 * phase), 3 * np.cos(1.7 * phase)])
        turn[:, 2] += np.array([place.x, place.y]) + sway - middle
        cv2.warpAffine(actor.head, turn, SIZE_WH, dst=frame, flags=cv2.INTER_AREA, borderMode=cv2.BORDER_TRANSPARENT)

    def likeness(self, picture: Image, name: str, *, face_px: float, within: Box | None = None) -> float:
        """Return how much of a picture looks like a person: correlation of their features, -1 to 1.

        Args:
            picture: RGB, of any size that a viewer gets.
            name: Whom to look for.
            face_px: Width of their face, had the picture the stage's size.
            within: (4,) where to look, in pixels of the stage; everywhere by default.
        """
        actor = self._actors[name]
        grey = cv2.cvtColor(cv2.resize(picture, SIZE_WH, interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2GRAY)
        if within is not None:
            x0, y0, x1, y1 = np.clip(within, 0, [*SIZE_WH, *SIZE_WH]).astype(int)
            grey = grey[y0:y1, x0:x1]
        inner = np.array([0.18, 0.2, -0.18, -0.12]) * np.tile(np.ptp(actor.face.reshape(2, 2), axis=0), 2)
        x0, y0, x1, y1 = (actor.face + inner).astype(int)
        features = cv2.cvtColor(np.ascontiguousarray(actor.head[y0:y1, x0:x1]), cv2.COLOR_RGB2GRAY)
        best = -1.0
        for scale in _SCALES:
            zoom = scale * face_px / float(actor.face[2] - actor.face[0])
            patch = cv2.resize(features, None, fx=zoom, fy=zoom, interpolation=cv2.INTER_AREA)
            if patch.shape[0] < grey.shape[0] and patch.shape[1] < grey.shape[1]:
                best = max(best, float(cv2.matchTemplate(grey, patch, cv2.TM_CCOEFF_NORMED).max()))
        return best
