"""The renderer: turns a frame, what is known of it and a policy into the treated frame.

It owns what must not flicker from frame to frame: the swappers, one for each face track, and the label. Who is who it
is told; it remembers nobody.
"""

from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from mien.vision.frame_analysis import FrameAnalysis, LatePlace
from mien.vision.overlay_mask import OverlayMask
from mien.vision.policy import Mosaic, Policy, Show, Swap
from mien.vision.ports import Span, Swapper, no_span
from mien.vision.render.label import Label
from mien.vision.render.label_place import InTheWay, features_of
from mien.vision.render.mosaic import Cover, MosaicShape, MosaicStyle, cover_box, draw_covers
from mien.vision.swap.persona import Persona, usable
from mien.vision.swap.swapper import MeshSwapper
from mien.vision.types import Face, FaceTold, Image, TreatedFrame

GROWTH_PER_S = 1.2
"""How much larger the cover of a face becomes for each second in which it was not seen."""
LABEL_HOLD_S = 1.5
"""The label stays for so long after the last altered frame: a label that flickers cannot be read."""


@dataclass(frozen=True, slots=True)
class Drawing:
    """A frame in which the swaps are drawn, and nothing is hidden yet. It must not leave as it is.

    Attributes:
        image: The frame, drawn into.
        treatments: The name of the treatment that each face gets, by face track.
        covers: What must be hidden of the faces, with their face tracks.
        overlays: Where personas were drawn, by face track; they stand before the covers.
    """

    image: Image
    treatments: dict[int, str] = field(default_factory=dict)
    covers: list[tuple[int, Cover]] = field(default_factory=list)
    overlays: dict[int, OverlayMask] = field(default_factory=dict)


class FrameRenderer:
    """Give every face of a frame its treatment. One stream, one thread, capture order.

    Args:
        label: Marks altered frames.
        make_swapper: Makes what draws a persona over one face track.
        mosaic_style: How hidden faces are painted over.
        mosaic_shape: How much of a head is hidden.
        span: Times the stages.
    """

    def __init__(
        self,
        label: Label,
        *,
        make_swapper: Callable[[Persona], Swapper] = MeshSwapper,
        mosaic_style: MosaicStyle = MosaicStyle.CELLS,
        mosaic_shape: MosaicShape = MosaicShape.BOX,
        span: Span = no_span,
    ) -> None:
        self._label, self._make_swapper, self._span = label, make_swapper, span
        self._mosaic_style, self._mosaic_shape = mosaic_style, mosaic_shape
        self._swappers: dict[int, tuple[Swap, Swapper]] = {}
        self._altered_at = -LABEL_HOLD_S

    def __call__(self, image: Image, analysis: FrameAnalysis, policy: Policy) -> TreatedFrame:
        """Return the frame to send; `image` is drawn into."""
        return self.finish(self.draw(image, analysis, policy), analysis)

    def draw(
        self, image: Image, analysis: FrameAnalysis, policy: Policy, *, never_show: Collection[int] = ()
    ) -> Drawing:
        """Draw the swaps of a frame and note what must be hidden.

        Args:
            image: RGB frame as it was captured; it is drawn into.
            analysis: What is known of it.
            policy: What is to be done with whom.
            never_show: Face tracks that are hidden where the policy would show them.
        """
        drawing = Drawing(image)
        for face in analysis.faces:
            number = face.face_track_id
            treatment = policy.treatment(face, primary_id=analysis.primary_id)
            if isinstance(treatment, Show) and number in never_show:
                treatment = Mosaic()
            mosaic_opacity = self._swap(drawing, face, treatment, analysis.at) if isinstance(treatment, Swap) else 0.0
            if isinstance(treatment, Show | Swap) and mosaic_opacity < 1:
                drawing.treatments[number] = treatment.name
            else:
                drawing.treatments[number], mosaic_opacity = Mosaic.name, 1.0
            if mosaic_opacity > 0:
                drawing.covers.append((number, replace(self._cover(face), strength=mosaic_opacity)))
        return drawing

    def finish(self, drawing: Drawing, analysis: FrameAnalysis, *, void: Collection[int] = ()) -> TreatedFrame:
        """Hide what must be hidden, and label the frame if it was altered.

        Args:
            drawing: What `draw` returned, perhaps some frames ago.
            analysis: What is known of the frame by now. A face that is not in it any more was none.
            void: Face tracks whose drawing was wrong, as is known by now; they are hidden.
        """
        present = {face.face_track_id for face in analysis.faces}
        treatments = {number: name for number, name in drawing.treatments.items() if number in present}
        covers = [cover for number, cover in drawing.covers if number in present]
        for face in analysis.faces:
            if face.face_track_id in void:
                covers.append(self._cover(face))
                treatments[face.face_track_id] = Mosaic.name
        covers += [self._late_cover(place) for place in analysis.late_places]
        untrusted = analysis.astray | set(void)
        overlays = [overlay for number, overlay in drawing.overlays.items() if number not in untrusted]
        with self._span("mosaic"):
            # All at once and over everything else: none may take its colours from what another hides.
            draw_covers(drawing.image, covers, style=self._mosaic_style, shape=self._mosaic_shape, overlays=overlays)
        counts = Counter(treatments.values())
        altered = bool(analysis.late_places) or counts[Swap.name] + counts[Mosaic.name] > 0
        self._mark(drawing.image, analysis, treatments, altered=altered)
        known = frozenset(face.identity for face in analysis.faces if face.identity is not None)
        told = _told(drawing.image, analysis, treatments)
        return TreatedFrame(drawing.image, analysis.at, dict(counts), altered, known, told)

    def begin_scene(self) -> None:
        """Forget the swappers: no face of a new scene is one of the last."""
        self._swappers.clear()

    def keep_only(self, face_track_ids: Collection[int]) -> None:
        """Forget the swappers of faces that are gone."""
        for gone in self._swappers.keys() - set(face_track_ids):
            del self._swappers[gone]

    def take_over(self, other: "FrameRenderer") -> None:
        """Keep the label where `other`, which is not used any more, has drawn it."""
        self._label, self._altered_at = other._label, other._altered_at  # noqa: SLF001  # its own kind

    def _swap(self, drawing: Drawing, face: Face, swap: Swap, at: float) -> float:
        """Draw the persona over the face; return how much of it must be hidden even so: 1 where it is not drawn."""
        number = face.face_track_id
        known = self._swappers.get(number)
        if known is None or known[0] is not swap:
            known = (swap, self._make_swapper(usable(swap.persona)))
            self._swappers[number] = known
        swapper = known[1]
        if face.mesh is None or not face.seen:
            swapper.pause(at=at)
            return 1.0
        with self._span("swap"):
            mosaic_opacity = swapper.mosaic_opacity if swapper(drawing.image, face.mesh, at=at) else 1.0
        if swapper.overlay_mask is not None:
            for other, overlay in drawing.overlays.items():
                drawing.overlays[other] = overlay.below(swapper.overlay_mask)
            if mosaic_opacity == 0:  # what lies over it now is not its own
                drawing.overlays[number] = swapper.overlay_mask
        return mosaic_opacity

    def _cover(self, face: Face) -> Cover:
        """Return what to hide of `face`; one not seen now may be anywhere near."""
        grow = 1 + GROWTH_PER_S * face.unseen_s
        return Cover(cover_box(face.swept_box_xyxy, grow=grow, shape=self._mosaic_shape))

    def _late_cover(self, place: LatePlace) -> Cover:
        return Cover(cover_box(place.box_xyxy, grow=place.grow, shape=self._mosaic_shape))

    def _mark(self, image: Image, analysis: FrameAnalysis, treatments: dict[int, str], *, altered: bool) -> None:
        """Draw the label, clear of faces and above all of what is meant to be seen of them."""
        if altered:
            self._altered_at = analysis.at
        if analysis.at - self._altered_at < LABEL_HOLD_S:
            faces = analysis.faces
            seen = [f.mesh for f in faces if f.mesh is not None and treatments[f.face_track_id] != Mosaic.name]
            features = [box for mesh in seen for box in features_of(mesh)]
            with self._span("label"):
                self._label.draw(image, InTheWay([f.box_xyxy for f in faces], features), at=analysis.at)


def _told(image: Image, analysis: FrameAnalysis, treatments: Mapping[int, str]) -> tuple[FaceTold, ...]:
    """Return what became of the faces of a frame, the largest first."""
    height, width = image.shape[:2]
    shares = np.array([face.box_xyxy for face in analysis.faces], np.float32).reshape(-1, 4)
    shares = (shares / np.array([width, height] * 2, np.float32)).clip(0, 1)
    order = np.argsort(-(shares[:, 2] - shares[:, 0]) * (shares[:, 3] - shares[:, 1]), kind="stable")
    told = []
    for number, (x0, y0, x1, y1) in zip(order.tolist(), shares[order].tolist(), strict=True):
        face = analysis.faces[number]
        told.append(
            FaceTold(
                face.face_track_id,
                (x0, y0, x1, y1),
                treatments.get(face.face_track_id, Mosaic.name),
                face.face_track_id == analysis.primary_id,
                face.identity or face.likely_identity,
                None if face.identity is not None else face.doubt,
            )
        )
    return tuple(told)
