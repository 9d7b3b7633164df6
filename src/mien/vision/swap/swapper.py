"""Draw a persona over a live face, or refuse where it would not cover the face."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Final

import cv2
import numpy as np

from mien.native import address, kernels
from mien.vision.mesh.geometry import ShapeTransfer, bounds, mesh_size, turned_away
from mien.vision.mesh.regions import core, ramp, shrink
from mien.vision.mesh.texture_map import flatten, rasterise, rasterise_by, rows_of, unwrap
from mien.vision.mesh.topology import (
    LANDMARKS,
    OUTERMOST_RING_POINTS,
    OVAL,
    SURROUNDED,
    Vertices,
    with_outer_rings,
)
from mien.vision.overlay_mask import OverlayMask
from mien.vision.ports import Restorer
from mien.vision.scaling import scaled
from mien.vision.swap.gaze import Gaze, GazeReader, with_shut_lids
from mien.vision.swap.occlusion import SIDE, covered_share
from mien.vision.swap.paint import paint_of
from mien.vision.swap.persona import Persona, check_mesh, persona_from_photo
from mien.vision.swap.photo_eyes import draw_eyes, levels_around
from mien.vision.swap.render_texture import facing, render_texture
from mien.vision.swap.restore import DetailMatch
from mien.vision.swap.stabiliser import LandmarkStabiliser
from mien.vision.types import Image, Matte, Mesh, Net, check_image

__all__ = ["MeshSwapper", "Persona", "SwapLimits", "persona_from_photo"]

_ANALYSIS_PX: Final = 80
"""How much longer than a texture the picture's longer side is from which it is peeled to judge light and cover."""
_MAX_TRAIL: Final = 0.03
"""How far the calmed mesh may trail the live one on average, in distances of the outer eye corners."""
_JUMP: Final = 0.7
"""A mesh that moves so far from one frame to the next, in the same unit, is not the same face in motion."""
_EYE_TONE: Final = 0.8
"""The soft light and shade of a photo's eyes make a likeness; a mask has holes there."""
_FADE_FROM: Final = 0.92
"""At which share of the largest turn a cover begins to come over the swap, so that it does not end at one blow."""
_FADE_S: Final = 0.2
"""In how many seconds it lifts after a swap was refused."""
_BELOW: Final = 0.95
"""How much of the rest of the face must be covered where spectacles hide the surroundings of the eyes."""
_WARP_STEP: Final = 4
"""A change of shape is smooth: it is drawn at a quarter of the resolution."""


@dataclass(frozen=True, slots=True)
class SwapLimits:
    """When a swap is refused; the face must then be hidden in another way.

    Attributes:
        max_turn: Largest angle between the face's direction and the viewer's, in degrees.
        min_eye_distance_px: Smallest distance of the outer eye corners.
        min_inside: Smallest share of landmarks inside the frame.
        min_cover: Smallest share of the visible inner face that the persona covers when a swap begins or returns.
        spectacled_cover: The same where all but the surroundings of the eyes is covered, as behind thick spectacles.
        kept_cover: Smallest share with which a swap goes on while a network sees something pass in front of the face.
        max_fall: How far that share may fall from one frame to the next. What falls farther is no hand: it is a mesh
            that has come to lie beside the face, as after a cut.
        edge_on: Where the persona fades out as the face turns away from the viewer: the normals' z at which it is
            gone, and at which it is whole. A mask may bend around the edge of a face; a photo's skin may not.
        return_margin: After a refusal, how much better than the limits a face must be, as a share.
    """

    max_turn: float
    min_eye_distance_px: float = 12.0
    min_inside: float = 0.75
    min_cover: float = 0.8
    spectacled_cover: float = 0.65
    kept_cover: float = 0.5
    max_fall: float = 0.25
    edge_on: tuple[float, float] = (0.05, 0.3)
    return_margin: float = 0.1


PHOTO_LIMITS: Final = SwapLimits(max_turn=52.0)
MASK_LIMITS: Final = SwapLimits(max_turn=65.0, edge_on=(-0.25, 0.0))


class MeshSwapper:
    """Swaps one face track to one persona. Holds what must not flicker, so each face track needs its own.

    Args:
        persona: Who is drawn.
        shape: How much of the persona's build the live face takes on, 0 to 1.
        fps: Frame rate for the first frame's smoothing.
        limits: When to refuse; by default by the persona's kind.
        restorer: Makes what gives a photo's face its last touch; a mask is drawn as it is.
        occlusion: Tells what is in front of the face (see `LearntOcclusion`); without it a rule does.
    """

    def __init__(
        self,
        persona: Persona,
        *,
        shape: float = 0.7,
        fps: float = 30.0,
        limits: SwapLimits | None = None,
        restorer: Callable[[], Restorer] = DetailMatch,
        occlusion: Net | None = None,
    ) -> None:
        self._persona, self._net = persona, occlusion
        self._cover: float | None = None
        self._limits = limits or (PHOTO_LIMITS if persona.kind == "photo" else MASK_LIMITS)
        self._shape = shape
        self._make_restorer = restorer
        self._eye_tone = _EYE_TONE if persona.kind == "photo" else 0.0
        self._plain_levels = levels_around(persona.texture).mean(axis=1) + 4
        self._begin()
        self._frame_s = 1 / fps
        self._last_at: float | None = None
        self._last_mesh: Mesh | None = None
        self._refused = False
        self._mosaic_opacity, self._mosaic_opacity_at = 0.0, -np.inf
        self._overlay: OverlayMask | None = None
        self._shrunk: tuple[Matte, Matte] | None = None

    @property
    def overlay_mask(self) -> OverlayMask | None:
        """Where the persona was drawn in the last frame; None where it was not."""
        return self._overlay

    @property
    def mosaic_opacity(self) -> float:
        """How much of the face a cover should hide in the last frame, 0 to 1: it comes as the swap nears its end."""
        return self._mosaic_opacity

    def __call__(self, image: Image, mesh: Mesh, *, at: float) -> bool:
        """Draw the persona over the face, in place.

        Args:
            image: RGB frame; only the face and a ring around it are touched.
            mesh: The face's landmarks in this frame.
            at: Capture time in seconds.

        Returns:
            True where the persona covers the face. False where it would not; then `image` is as it was, and
            the face must be hidden in another way.

        Raises:
            ShapeError: `image` or `mesh` is malformed.
        """
        check_image(image)
        check_mesh(mesh)
        self._overlay = None
        turn = turned_away(mesh)
        drawn = self._draw(image, mesh, at) if self._within_limits(image, mesh, turn) else False
        self._refused = not drawn
        lifted = self._mosaic_opacity - (at - self._mosaic_opacity_at) / _FADE_S
        self._mosaic_opacity = max(lifted, self._nearly_too_far(turn)) if drawn else 1.0
        self._mosaic_opacity_at = at
        return drawn

    def pause(self, *, at: float) -> None:
        """Take note that the face is hidden in another way in the frame captured at `at`."""
        self._overlay = None
        self._mosaic_opacity, self._mosaic_opacity_at = 1.0, at

    def _nearly_too_far(self, turn: float) -> float:
        most = self._limits.max_turn
        return float(ramp(np.array([turn], np.float32), _FADE_FROM * most, most)[0])

    def _covers(self, matte: Matte, facing: Matte) -> bool:
        """Judge how much of the face the persona would cover. Only what was seen to come may hide more of it."""
        limits, cover = self._limits, covered_share(matte, facing)
        last, self._cover = self._cover, cover
        seen_to_come = last is not None and last - cover <= limits.max_fall
        if self._net is not None and not self._refused and seen_to_come:
            return cover >= limits.kept_cover
        if limits.spectacled_cover <= cover < limits.min_cover:
            return covered_share(matte, facing, spectacles=False) >= _BELOW
        return cover >= limits.min_cover

    def _within_limits(self, image: Image, mesh: Mesh, turn: float) -> bool:
        """Judge size, direction and place of the face."""
        slack = self._limits.return_margin if self._refused else 0.0
        height, width = image.shape[:2]
        inside = ((mesh[:, :2] >= 0) & (mesh[:, :2] < (width, height))).all(axis=1).mean()
        return bool(
            mesh_size(mesh) >= self._limits.min_eye_distance_px * (1 + slack)
            and turn <= self._limits.max_turn * (1 - slack)
            and inside >= self._limits.min_inside
        )

    def _begin(self) -> None:
        """Forget the face: what is known of its place, build and light."""
        mesh = self._persona.mesh
        self._cover = None
        self._stabilise = LandmarkStabiliser()
        self._reshape = None if mesh is None or not self._shape else ShapeTransfer(mesh, amount=self._shape)
        self._paint = paint_of(self._persona, self._net)
        self._gaze = GazeReader() if self._persona.kind == "photo" else None
        self._restore = self._make_restorer() if self._persona.kind == "photo" else None

    def _calmed(self, image: Image, mesh: Mesh, dt: float) -> Mesh:
        """Take the tremor out of the mesh, but never trail it far: drawn where it was, a face would be bare."""
        size = mesh_size(mesh)
        if self._last_mesh is not None and _apart(mesh, self._last_mesh) > _JUMP * size:
            self._begin()
        self._last_mesh = mesh.copy()
        calm = self._stabilise(image, mesh, dt=dt)
        trail = _apart(calm, mesh) / size
        return calm if trail <= _MAX_TRAIL else mesh + (calm - mesh) * np.float32(_MAX_TRAIL / trail)

    def _draw(self, image: Image, mesh: Mesh, at: float) -> bool:
        dt = self._frame_s if self._last_at is None else max(at - self._last_at, 1e-3)
        self._last_at = at
        source = self._calmed(image, mesh, dt)
        target = source if self._reshape is None else self._reshape(source)
        area = _Area.around(
            with_outer_rings(source), with_outer_rings(target), image, outermost=self._reshape is not None
        )
        roi = image[area.slices]
        source, target = area.inside(source), area.inside(target)
        towards = facing(target)
        # Lips, lids and nostrils have sides that look elsewhere on every face: they must not let it show through.
        opacity = np.maximum(ramp(towards, *self._limits.edge_on), core())
        gaze = None if self._gaze is None else self._gaze(roi, source, dt=dt)
        if gaze is not None and gaze.shut.any():
            target = with_shut_lids(target, gaze.shut)
        texture, matte = self._paint(_small_unwrap(roi, source, self._paint.side), source, dt, gaze)
        seen = flatten(np.column_stack([np.maximum(towards, 0), opacity, opacity]), SIDE)
        if self._shrunk is None or self._shrunk[0] is not matte:  # a mask's stays the same
            self._shrunk = matte, shrink(matte, SIDE)
        if not self._covers(self._shrunk[1] * seen[..., 1], seen[..., 0]):
            return False
        under = roi if self._reshape is None else _reshaped(roi, source, target)
        finish = None if self._restore is None else partial(self._restore, live=under, mesh=target, dt=dt)
        eyes = (
            None
            if gaze is None or self._persona.eyes is None or not gaze.sure.any()
            else partial(self._draw_eyes, live=under, mesh=target, texture=texture, gaze=gaze)
        )
        tone = self._eye_tone
        roi[...], alpha = render_texture(
            under, target, opacity, texture, matte, draw_eyes=eyes, finish=finish, eye_tone=tone
        )
        self._overlay = OverlayMask(area.slices, alpha, target)
        return True

    def _draw_eyes(self, face: Image, *, live: Image, mesh: Mesh, texture: Image, gaze: Gaze) -> None:
        """Draw the persona's eyes into its face, in the light around them."""
        if self._persona.eyes is not None:
            gains = (levels_around(texture).mean(axis=1) + 4) / self._plain_levels
            draw_eyes(face, live, mesh, self._persona.eyes, gaze, gains)


def _apart(one: Mesh, other: Mesh) -> float:
    """Return the mean distance between the landmarks of two meshes."""
    return float(np.linalg.norm(one - other, axis=1).mean())


@dataclass(frozen=True, slots=True)
class _Area:
    """The part of the frame that a swap may touch."""

    x: int
    y: int
    slices: tuple[slice, slice]

    @classmethod
    def around(cls, source: Vertices, target: Vertices, image: Image, *, outermost: bool) -> "_Area":
        count = len(source) if outermost else int(OUTERMOST_RING_POINTS[0])
        low, high = bounds(np.concatenate([source[:count], target[:count]]))
        x0, y0 = np.maximum(np.floor(low).astype(int) - 2, 0)
        x1, y1 = np.minimum(np.ceil(high).astype(int) + 3, image.shape[1::-1])
        return cls(int(x0), int(y0), (slice(int(y0), int(y1)), slice(int(x0), int(x1))))

    def inside(self, mesh: Mesh) -> Mesh:
        """Return the mesh in pixels of this area."""
        return mesh - np.array([self.x, self.y, 0], np.float32)


def _small_unwrap(roi: Image, mesh: Mesh, side: int) -> Image:
    """Peel the live face at the resolution in which light and cover are judged."""
    factor = min(1.0, (side + _ANALYSIS_PX) / max(roi.shape[:2]))
    small = scaled(roi, max(1, round(roi.shape[1] * factor)), max(1, round(roi.shape[0] * factor)))
    zoom = np.array(small.shape[1::-1], np.float32) / roi.shape[1::-1]
    return unwrap(small, ((mesh[:, :2] + 0.5) * zoom - 0.5).astype(np.float32), side)


def _reshaped(roi: Image, source: Mesh, target: Mesh) -> Image:
    """Move the live pixels, contour, eyes and mouth, to where the target shape wants them."""
    rest, outermost = with_outer_rings(source)[:, :2], int(OUTERMOST_RING_POINTS[0])
    goal = with_outer_rings(target)[:, :2]
    goal[outermost:] = rest[outermost:]
    goal[LANDMARKS:outermost] = rest[LANDMARKS:outermost] + 0.6 * (goal[OVAL] - rest[OVAL])
    shift = np.column_stack([rest - goal, np.zeros(len(rest), np.float32)])
    height, width = roi.shape[:2]
    size_wh = (-(-width // _WARP_STEP), -(-height // _WARP_STEP))
    places = ((goal + 0.5) / _WARP_STEP - 0.5).astype(np.float32)
    if kernels is not None:
        drawn = rasterise_by(kernels, places, shift, SURROUNDED, size_wh)
        (pixels, stride), moved = rows_of(roi), np.empty(roi.shape, np.uint8)
        kernels.mien_move(address(pixels), stride, width, height, address(drawn), _WARP_STEP, address(moved))
        return moved
    moves = np.ascontiguousarray(rasterise(places, shift, SURROUNDED, size_wh)[..., :2])
    full = cv2.resize(moves, (size_wh[0] * _WARP_STEP, size_wh[1] * _WARP_STEP), interpolation=cv2.INTER_LINEAR)
    part = full[:height, :width]
    how = cv2.INTER_LINEAR | cv2.WARP_RELATIVE_MAP
    drawn = cv2.remap(roi, part, None, how, borderMode=cv2.BORDER_REPLICATE)  # type: ignore[call-overload]  # one map, of both axes
    return np.asarray(drawn, np.uint8)
