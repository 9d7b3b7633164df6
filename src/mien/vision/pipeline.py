"""One frame's way through vision: find, follow, know, decide, treat, label. Nothing leaves by another door."""

from collections import Counter, deque
from collections.abc import Callable, Collection, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from typing import TypeAlias

import numpy as np

from mien.errors import PolicyError, ShapeError
from mien.vision.analysis.appearance import appearance_of
from mien.vision.analysis.clearance import Clearance, ClearanceRules, FaceQuality, face_quality_of
from mien.vision.analysis.cuts import CutDetector, surely_cut
from mien.vision.analysis.embedder import DlibEmbedder, Gallery
from mien.vision.analysis.evidence import Evidence
from mien.vision.analysis.flow import carried
from mien.vision.analysis.landmarks import box_of_mesh
from mien.vision.analysis.primary import LargestInStill, PrimaryFace, PrimaryPerson, Verdict
from mien.vision.analysis.redetection import roll_of
from mien.vision.analysis.tiles import Pace, Tile, TiledDetector, TileSchedule, moving, thorough
from mien.vision.analysis.tracker import HOLD_S, TWINS, FaceTrack, FaceTracker, RoiRedetection, iou
from mien.vision.policy import Mosaic, Policy, Show, Swap
from mien.vision.render.label import Label
from mien.vision.render.label_place import InTheWay, features_of
from mien.vision.render.mosaic import Cover, MosaicShape, MosaicStyle, cover_box, draw_covers
from mien.vision.swap.overlay_mask import OverlayMask
from mien.vision.swap.swapper import MeshSwapper
from mien.vision.types import Box, Detection, Face, Image, Net, TreatedFrame, check_image

Span: TypeAlias = Callable[[str], AbstractContextManager[object]]
"""Times a stage: `with span("find"): ...`. Vision has no clock of its own."""

GROWTH_PER_S = 1.2
"""How much larger the cover of a face becomes for each second in which it was not seen."""
LATE_GROWTH, LATE_GROWTH_A_FRAME, LATE_GROWTH_FRAMES = 1.15, 0.25, 3
"""How much larger the cover of a face is in frames that waited when it was found, and for each without a sign."""
THRIFTY_KNOW_S = 0.5
"""Where time is short, nobody is recognised sooner than so long after the last look at any face."""
LABEL_HOLD_S = 1.5
"""The label stays for so long after the last altered frame: a label that flickers cannot be read."""


def no_span(_name: str) -> AbstractContextManager[object]:
    """Do not time anything."""
    return nullcontext()


@dataclass(frozen=True, slots=True)
class Eyes:
    """The parts that see, shared by the frames of one stream.

    Attributes:
        find: Detects faces.
        tracker: Follows them; holds state.
        redetect: Follows a face found late back through the frames that wait; None covers its surroundings in them.
        embed: Turns a face into a vector; None where nobody is to be recognised, and no swap is bound to one person.
        gallery: The enrolled people.
        rules: When a face counts as recognised.
        occlusion: Tells what is in front of a face that is swapped; None leaves it to a rule.
        evidence: Refutes large candidates that nothing confirms; None hides them all.
    """

    find: TiledDetector
    tracker: FaceTracker
    redetect: RoiRedetection | None = None
    embed: DlibEmbedder | None = None
    gallery: Gallery = field(default_factory=lambda: Gallery({}))
    rules: ClearanceRules = field(default_factory=ClearanceRules)
    occlusion: Net | None = None
    evidence: Evidence | None = None


@dataclass(slots=True)
class _Held:
    """A frame in the delay line, with what was seen in it then and what was understood since.

    Attributes:
        image: Untreated, then drawn into.
        before: A copy of the untreated image, where the frame was drawn while it waits.
        at: When it was captured.
        faces: What is known of the faces in it.
        unseen_s: For how long each face had not been seen then, by face track.
        late_covers: What must be hidden because of a face that was found afterwards, with its face track, if any.
        drawn: The name of the treatment that each face got, by face track; None until the swaps are drawn.
        covers: What must be hidden of the faces that were seen in it, with their face tracks; drawn when it leaves.
        doubted: Faces that lost their name after they were drawn.
        overlays: Where personas were drawn, by face track; they stand before the covers.
        astray: Face tracks whose persona may have been drawn beside the face.
        wearer: The face track that surely is the chosen person, or None.
    """

    image: Image
    at: float
    faces: list[Face]
    unseen_s: dict[int, float]
    before: Image | None = None
    late_covers: list[tuple[int | None, Cover]] = field(default_factory=list)
    drawn: dict[int, str] | None = None
    covers: list[tuple[int, Cover]] = field(default_factory=list)
    doubted: list[Face] = field(default_factory=list)
    overlays: dict[int, OverlayMask] = field(default_factory=dict)
    astray: set[int] = field(default_factory=set)
    wearer: int | None = None

    @property
    def untreated(self) -> Image:
        """The picture as it was captured."""
        return self.image if self.before is None else self.before

    def undo(self) -> None:
        """Take back what was drawn ahead of time."""
        self.image, self.before = self.untreated, None
        self.drawn, self.covers, self.overlays = None, [], {}

    def undrawn(self, *, keep_wearer: bool) -> "_Held":
        """Return the frame as if nothing had been drawn in it and nobody had a name."""
        faces = [replace(face, identity=None) for face in self.faces]
        wearer = self.wearer if keep_wearer else None
        return _Held(
            self.untreated,
            self.at,
            faces,
            self.unseen_s,
            late_covers=self.late_covers,
            astray=self.astray,
            wearer=wearer,
        )

    def uncover(self, face_track_ids: Collection[int]) -> None:
        """Hide no more what turned out to be no face."""
        self.faces = [face for face in self.faces if face.face_track_id not in face_track_ids]
        self.doubted = [face for face in self.doubted if face.face_track_id not in face_track_ids]
        self.covers = [(owner, cover) for owner, cover in self.covers if owner not in face_track_ids]
        self.late_covers = [(owner, cover) for owner, cover in self.late_covers if owner not in face_track_ids]
        if self.drawn is not None:
            self.drawn = {number: name for number, name in self.drawn.items() if number not in face_track_ids}


class FacePipeline:
    """See every face of every frame and give each its treatment.

    The images passed in become the pipeline's own and are drawn into. One stream, one thread, capture order.

    Args:
        eyes: What sees.
        policy: What is to be done with whom.
        label: Marks altered frames.
        delay_frames: Length of the delay line. A face first seen now is hidden in that many frames before.
        pace: How much of each frame is looked at.
        shape: How far a swap takes on the persona's face shape, 0 to 1.
        fps: Frame rate that swappers smooth for.
        mosaic_style: How hidden faces are painted over.
        mosaic_shape: How much of a head is hidden.
        still: Every frame is a picture by itself, to be searched as thoroughly as can be.
        span: Times the stages.

    Raises:
        PolicyError: A swap is to be bound to one person, and nothing can tell who that is.
    """

    def __init__(
        self,
        eyes: Eyes,
        policy: Policy,
        label: Label,
        *,
        delay_frames: int = 0,
        pace: Pace = Pace.LIVE,
        shape: float = 0.7,
        fps: float = 30.0,
        mosaic_style: MosaicStyle = MosaicStyle.CELLS,
        mosaic_shape: MosaicShape = MosaicShape.BOX,
        still: bool = False,
        span: Span = no_span,
    ) -> None:
        self._eyes, self._policy, self._label = eyes, policy, label
        self._delay, self._pace = delay_frames, pace
        self._shape, self._fps, self._span = shape, fps, span
        self._mosaic_style, self._mosaic_shape = mosaic_style, mosaic_shape
        self._held: deque[_Held] = deque()
        self._is_cut = CutDetector()
        self._still = still
        self._schedule: TileSchedule | None = None
        self._tiles: list[Tile] = []
        self._is_sure = True
        self._clearances: dict[int, Clearance] = {}
        self._swappers: dict[int, tuple[Swap, MeshSwapper]] = {}
        self._altered_at = -LABEL_HOLD_S
        self._last_at = -np.inf
        self._scene_at = -np.inf
        self._known_every_s, self._known_at = 0.0, -np.inf
        self._chosen: PrimaryFace | LargestInStill | None = None
        if policy.primary is not None:
            if eyes.embed is None:
                raise PolicyError("a swap that is bound to one person needs an embedder")
            self._chosen = LargestInStill() if still else PrimaryFace(eyes.embed)

    @property
    def primary_person(self) -> PrimaryPerson | None:
        """Whom the swap is bound to; None where it is not bound to anybody, or not yet."""
        return None if self._chosen is None else self._chosen.person

    def __call__(self, image: Image, *, at: float) -> TreatedFrame | None:
        """Take the frame captured at `at`; return the frame to send, or None while the delay line fills.

        Args:
            image: RGB frame; the pipeline draws into it.
            at: Capture time in seconds; must grow from call to call.

        Raises:
            ShapeError: Not an image, or time went backwards.
            Exception: Whatever a network raises. Then the delay line is empty and the next frame is searched as
                after a cut.
        """
        check_image(image)
        if at <= self._last_at:
            raise ShapeError(f"frames must come in the order of capture: {at} s after {self._last_at} s")
        try:
            tracks = self._see(image, at)
            with self._span("know"):
                faces = [self._know(image, track, at) for track in tracks]
                verdict = self._choose(image, tracks, faces, at)
        except Exception:
            self._lose_sight()
            raise
        finally:
            self._last_at = at
        self._is_sure = True
        self._held.append(_Held(image, at, faces, {t.id: at - t.seen_at for t in tracks}))
        self._judge_backwards(verdict)
        self._cover_backwards(tracks, at)
        self._doubt_backwards(faces)
        return self._treat(self._held.popleft()) if len(self._held) > self._delay else None

    def work_ahead(self) -> None:
        """Draw what the frames that wait need, while there is time: they then leave sooner, if nothing is found since.

        What comes out is the same without it.
        """
        for held in self._held:
            if held.drawn is None:
                held.before = held.image.copy()
                self._draw(held)

    def save_time(self, *, on: bool) -> None:
        """Recognise people more rarely, or as often as usual. Faces are looked for as before."""
        self._known_every_s = THRIFTY_KNOW_S if on else 0.0

    def take_over(self, previous: object, *, in_scene: bool) -> None:
        """Go on where `previous`, the pipeline of this stream so far, stopped.

        Frames that wait leave by this one's policy: what was drawn in them is taken back. Names and personas are not
        taken over: who is who is for this pipeline to find out. A swap stays bound to whom it was bound to.

        Args:
            previous: Not used any more; of another kind, there is nothing to learn from it.
            in_scene: Take its scene over, too: faces, frames that wait, what was looked at.
        """
        if not isinstance(previous, FacePipeline):
            return
        old = previous
        if self._chosen is not None:
            self._chosen.person = old.primary_person
        if not in_scene:
            return
        binding_goes_on = isinstance(self._chosen, PrimaryFace) and isinstance(old._chosen, PrimaryFace)  # noqa: SLF001
        if binding_goes_on:
            self._chosen = old._chosen  # noqa: SLF001  # face tracks keep their numbers
        self._is_cut, self._last_at, self._scene_at = old._is_cut, old._last_at, old._scene_at  # noqa: SLF001
        self._altered_at, self._is_sure = old._altered_at, old._is_sure  # noqa: SLF001
        self._label = old._label  # noqa: SLF001  # it stays in its corner
        self._eyes.tracker.take_over(old._eyes.tracker)  # noqa: SLF001
        self._eyes = replace(self._eyes, evidence=old._eyes.evidence)  # noqa: SLF001  # what is refuted stays so
        if old._schedule is not None:  # noqa: SLF001
            # The other may have looked less often: then everything is seen once, upright at first.
            same = self._pace is old._pace  # noqa: SLF001
            self._schedule = old._schedule if same else moving(old._schedule.size_wh, self._pace)  # noqa: SLF001
            self._is_sure = self._is_sure and same
        self._held.extend(held.undrawn(keep_wearer=binding_goes_on) for held in old._held)  # noqa: SLF001
        while len(self._held) > self._delay:
            self._held.popleft()

    def flush(self) -> Iterator[TreatedFrame]:
        """Return the frames that the delay line still holds, oldest first; the next one in is searched as the first."""
        self._look_back()
        self._schedule = None
        while self._held:
            yield self._treat(self._held.popleft())

    def _see(self, image: Image, at: float) -> list[FaceTrack]:
        """Find and follow the faces of this frame."""
        height, width = image.shape[:2]
        with self._span("cut"):
            cut = self._is_cut(image) or at - self._last_at > HOLD_S
        resized = self._schedule is None or self._schedule.size_wh != (width, height)
        if cut or resized:
            self._look_back()
            self._begin_scene(at)
        if self._schedule is None or resized:
            self._schedule, cut = moving((width, height), self._pace), True
        if self._still:
            self._tiles = thorough((width, height))
        elif cut or not self._is_sure:
            # Whoever lies there when the first frame is taken must not be bare until the turned looks come by.
            self._tiles = self._schedule.sweep(turned=resized)
        else:
            self._tiles = self._schedule.tiles(self._is_cut.change, self._eyes.tracker.seen_xyxy)
        evidence = self._eyes.evidence
        with self._span("find"):
            found = self._eyes.find(image, self._tiles, self._eyes.tracker.seen_xyxy)
            if evidence is not None:
                found = self._on_a_still(image, found, evidence) if self._still else evidence.believable(image, found)
        with self._span("follow"):
            tracks = self._eyes.tracker(image, found, at)
        if evidence is None or self._still:
            return tracks
        with self._span("find"):
            refuted = evidence.weigh(image, tracks, at)
        return self._without(tracks, refuted) if refuted else tracks

    @staticmethod
    def _on_a_still(image: Image, found: list[Detection], evidence: Evidence) -> list[Detection]:
        """Return what of `found` is confirmed at once: no later frame can refute it.

        One about as large as the picture is hidden all the same: of a face so near hardly anything else can speak.
        """
        nearest = [
            seen for seen in found if float((seen.box_xyxy[2:] - seen.box_xyxy[:2]).max()) > min(image.shape[:2])
        ]
        return nearest + evidence.confirmed(image, [seen for seen in found if not any(seen is n for n in nearest)])

    def _without(self, tracks: list[FaceTrack], refuted: Collection[int]) -> list[FaceTrack]:
        """Hide refuted candidates no more, neither now nor in the frames that wait."""
        self._eyes.tracker.drop(refuted)
        for held in self._held:
            held.uncover(refuted)
        return [track for track in tracks if track.id not in refuted]

    def _begin_scene(self, at: float) -> None:
        """Nothing known about the last scene holds for this one, and nothing of this one for the last."""
        self._scene_at = at
        self._eyes.tracker.forget()
        if self._eyes.evidence is not None:
            self._eyes.evidence.forget()
        self._clearances.clear()
        self._swappers.clear()
        if self._chosen is not None:
            self._chosen.forget_tracks()

    def _look_back(self) -> None:
        """See what was not looked at in the last frame of a scene: no later frame will tell who entered."""
        if self._schedule is None or not self._held:
            return
        last = self._held[-1]
        missing = [tile for tile in self._schedule.everything if tile not in self._tiles]
        self._tiles += missing
        with self._span("find"):
            known = [face.box_xyxy for face in last.faces if face.seen]
            found = self._eyes.find(last.untreated, missing, known) if missing else []
            if self._eyes.evidence is not None:
                found = self._eyes.evidence.confirmed(last.untreated, found)
        for seen in found:
            if not any(_holds(face.swept_box_xyxy, seen.box_xyxy) for face in last.faces):
                self._trace_back(last.untreated, seen.box_xyxy, roll_of(seen), list(self._held))

    def _lose_sight(self) -> None:
        """Trust nothing that a frame half seen may have changed.

        A face begun in it would not be new in the next frame, nor a doubt that came up in it.
        """
        self._is_sure = False
        self._held.clear()
        self._clearances.clear()
        if self._chosen is not None:
            self._chosen.forget_tracks()

    def _know(self, image: Image, track: FaceTrack, at: float) -> Face:
        """Weigh the evidence about who this is. Doubt of any kind makes a stranger."""
        embed = self._eyes.embed if len(self._eyes.gallery) else None
        identity = None if embed is None else self._identify(image, track, at, embed)
        return Face(track.id, track.box_xyxy, track.swept_box_xyxy, track.mesh, track.mesh_score, track.seen, identity)

    def _identify(self, image: Image, track: FaceTrack, at: float, embed: DlibEmbedder) -> str | None:
        clearance = self._clearances.setdefault(track.id, Clearance())
        rules, mesh, gallery = self._eyes.rules, track.mesh, self._eyes.gallery
        sure = track.seen and not track.doubtful and track.mesh_score >= rules.keep_mesh_score
        if not sure or mesh is None or not clearance.follows(box_of_mesh(mesh), at, rules):
            clearance.revoke()
            return None
        clearance.watch(appearance_of(image, mesh), rules)
        is_time = at - self._known_at >= self._known_every_s
        if is_time and clearance.wants_look(FaceQuality.GOOD, at, rules):  # is one due at all? sharpness costs time
            sight = face_quality_of(image, mesh, track.mesh_score, rules)
            if clearance.wants_look(sight, at, rules):
                self._known_at = at
                vector = embed(image, mesh)
                clearance.weigh(gallery.match(vector), sight, at, rules, enrolled=len(gallery), embedding=vector)
        clearance.tick(at, rules)
        return clearance.identity

    def _choose(self, image: Image, tracks: list[FaceTrack], faces: list[Face], at: float) -> Verdict:
        """Tell which face is the person whom the swap is bound to."""
        if self._chosen is None:
            return Verdict()
        return self._chosen(image, tracks, at, [f.face_track_id for f in faces if f.identity in self._policy.people])

    def _judge_backwards(self, verdict: Verdict) -> None:
        """Let the newest frame decide in those that wait, too, who wears the persona."""
        for held in self._held:
            if verdict.refuted is not None and held.wearer == verdict.refuted:
                held.wearer = None
                if held.drawn is not None:
                    held.doubted += [face for face in held.faces if face.face_track_id == verdict.refuted]
            if held.wearer is None and held.at >= verdict.since:
                held.wearer = verdict.wearer
                held.undo()

    def _cover_backwards(self, tracks: list[FaceTrack], at: float) -> None:
        """Hide a face found now, or found again, in the frames of its scene that wait and did not show it.

        So is a candidate that nothing has confirmed yet; if it is refuted, the frames that still wait are uncovered.
        """
        for track in tracks:
            since = -np.inf if track.last_place is None else track.last_place[1]
            if track.seen and since < at:
                missed = [held for held in self._held if since < held.at < at and self._is_of_this_scene(held)]
                for held in missed:
                    held.astray.add(track.id)
                self._trace_back(self._held[-1].untreated, track.box_xyxy, track.roll, missed, track.id)

    def _is_of_this_scene(self, held: _Held) -> bool:
        """Tell whether a face of the newest frame may have been in an older one: an alarm may have been false."""
        newest = self._held[-1].untreated
        if held.untreated.shape != newest.shape:
            return False  # a place in one is no place in the other
        return held.at >= self._scene_at or not surely_cut(held.untreated, newest)

    def _trace_back(self, image: Image, box: Box, roll: float, frames: list[_Held], owner: int | None = None) -> None:
        """Follow a face of `image` back through frames that wait, and hide it and its surroundings in them.

        `owner` is its face track, if it has one.

        Not where, before what passed for a cut, the same place showed a face that had its treatment: then it was that
        one, under another number.
        """
        step, lost = np.zeros(4, np.float32), 0
        for held in reversed(frames):
            expected = box + step
            seen = None if self._eyes.redetect is None else self._eyes.redetect(held.untreated, expected, roll)
            found = carried(image, box, held.untreated) if seen is None else seen.box_xyxy
            lost = min(lost + 1, LATE_GROWTH_FRAMES) if found is None else 0
            if seen is not None and self._is_treated(held, expected, seen.box_xyxy):
                image, box, step = held.untreated, seen.box_xyxy, seen.box_xyxy - box
                continue
            # Where it should have been is hidden in any case: what was found may be somebody beside it.
            lost_growth = LATE_GROWTH + lost * LATE_GROWTH_A_FRAME
            held.late_covers.append((owner, self._late_cover(expected, grow=lost_growth)))
            if found is not None:
                held.late_covers.append((owner, self._late_cover(found, grow=LATE_GROWTH)))
                step = found - box
            image, box = held.untreated, expected if found is None else found

    def _is_treated(self, held: _Held, expected: Box, found: Box) -> bool:
        """Tell whether a face found late is a stranger's that `held`, before what passed for a cut, showed well.

        Within a scene such a one has its number: there it is another face, in front of this one or behind it.
        """
        return held.at < self._scene_at and any(
            face.seen
            and face.mesh is not None
            and face.identity not in self._policy.people
            and min(iou(face.box_xyxy, expected), iou(face.box_xyxy, found)) >= TWINS
            for face in held.faces
        )

    def _doubt_backwards(self, faces: list[Face]) -> None:
        """Take back a name in the frames that have not left yet: the doubt may have begun in one of them."""
        nameless = {face.face_track_id for face in faces if face.identity is None}
        for held in self._held:
            named = [f for f in held.faces if f.face_track_id in nameless and f.identity is not None]
            if not named:
                continue
            held.faces = [replace(f, identity=None) if f.face_track_id in nameless else f for f in held.faces]
            if held.drawn is not None:
                held.doubted += named

    def _treat(self, held: _Held) -> TreatedFrame:
        """Give every face of a frame its treatment, and hide what turned out since it was drawn."""
        drawn = held.drawn if held.drawn is not None else self._draw(held)
        for face in held.doubted:
            held.covers.append((face.face_track_id, self._cover(held, face)))
            drawn[face.face_track_id] = Mosaic.name
        with self._span("mosaic"):
            # All at once and over everything else: none may take its colours from what another hides.
            covers = [cover for _owner, cover in (*held.covers, *held.late_covers)]
            astray = held.astray | {face.face_track_id for face in held.doubted}
            overlays = [overlays for face_track_id, overlays in held.overlays.items() if face_track_id not in astray]
            draw_covers(held.image, covers, style=self._mosaic_style, shape=self._mosaic_shape, overlays=overlays)
        counts = Counter(drawn.values())
        altered = bool(held.late_covers) or counts[Swap.name] + counts[Mosaic.name] > 0
        self._mark(held, drawn, altered=altered)
        self._drop_old_state(held.faces)
        known = frozenset(face.identity for face in held.faces if face.identity is not None)
        return TreatedFrame(held.image, held.at, dict(counts), altered, known)

    def _draw(self, held: _Held) -> dict[int, str]:
        """Draw the swaps of a frame and note what must be hidden."""
        drawn: dict[int, str] = {}
        for face in held.faces:
            treatment = self._policy.treatment(face, primary_id=held.wearer)
            mosaic_opacity = self._swap(held, face, treatment) if isinstance(treatment, Swap) else 0.0
            if isinstance(treatment, Show | Swap) and mosaic_opacity < 1:
                drawn[face.face_track_id] = treatment.name
            else:
                drawn[face.face_track_id], mosaic_opacity = Mosaic.name, 1.0
            if mosaic_opacity > 0:
                held.covers.append((face.face_track_id, replace(self._cover(held, face), strength=mosaic_opacity)))
        held.drawn = drawn
        return drawn

    def _cover(self, held: _Held, face: Face) -> Cover:
        """Return what to hide of `face`; one not seen now may be anywhere near."""
        grow = 1 + GROWTH_PER_S * held.unseen_s.get(face.face_track_id, 0.0)
        return Cover(cover_box(face.swept_box_xyxy, grow=grow, shape=self._mosaic_shape))

    def _late_cover(self, box: Box, *, grow: float) -> Cover:
        return Cover(cover_box(box, grow=grow, shape=self._mosaic_shape))

    def _swap(self, held: _Held, face: Face, swap: Swap) -> float:
        """Draw the persona over the face; return how much of it must be hidden even so: 1 where it is not drawn."""
        known = self._swappers.get(face.face_track_id)
        if known is None or known[0] is not swap:
            occlusion = self._eyes.occlusion
            known = (swap, MeshSwapper(swap.persona, shape=self._shape, fps=self._fps, occlusion=occlusion))
            self._swappers[face.face_track_id] = known
        swapper = known[1]
        if face.mesh is None or not face.seen:
            swapper.pause(at=held.at)
            return 1.0
        with self._span("swap"):
            mosaic_opacity = swapper.mosaic_opacity if swapper(held.image, face.mesh, at=held.at) else 1.0
        if swapper.overlays is not None:
            held.overlays = {number: overlays.below(swapper.overlays) for number, overlays in held.overlays.items()}
            if mosaic_opacity == 0:  # what lies over it now is not its own
                held.overlays[face.face_track_id] = swapper.overlays
        return mosaic_opacity

    def _mark(self, held: _Held, drawn: dict[int, str], *, altered: bool) -> None:
        if altered:
            self._altered_at = held.at
        if held.at - self._altered_at < LABEL_HOLD_S:
            seen = [f.mesh for f in held.faces if f.mesh is not None and drawn[f.face_track_id] != Mosaic.name]
            features = [box for mesh in seen for box in features_of(mesh)]
            with self._span("label"):
                self._label.draw(held.image, InTheWay([f.box_xyxy for f in held.faces], features), at=held.at)

    def _drop_old_state(self, faces: list[Face]) -> None:
        """Forget what is kept about faces that are gone from the newest frame and from the delay line."""
        newest = self._held[-1].faces if self._held else faces
        alive = {f.face_track_id for f in newest} | {f.face_track_id for f in faces}
        for kept in (self._clearances, self._swappers):
            for gone in kept.keys() - alive:
                del kept[gone]


def _holds(outer: Box, box: Box) -> bool:
    """Tell whether the middle of `box` lies in `outer`."""
    middle = (box[:2] + box[2:]) / 2
    return bool((outer[:2] <= middle).all() and (middle <= outer[2:]).all())
