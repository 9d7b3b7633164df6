"""How surely the enrolled are shown and strangers are not: false clearances, time to clearance, time to loss.

    python benchmarks/quality_know.py [--only 'looks;clips;given;events'] [--split held-out] [--out rows.json]

Everything runs through the real chain: detector, tracker, mesh, alignment, recogniser, clearance. People are the stills
and clips of ../shared (MIEN_SHARED names another folder), 100 of them enrolled by one photo each, all others strangers,
split by person; limits are chosen on `--split development`. The portraits of real people there are measured, never
shown. Without that folder two public-domain photos stand in, and the table says so. There is no delay line, so that
nothing is taken back.
"""

import argparse
import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "benchmarks")]

from mien.config import Settings
from mien.errors import FacePhotoError
from mien.media.images import decode_image
from mien.registry.runtime import Runtime
from mien.registry.store import Store
from mien.sessions.eyes import DETECTOR, EMBEDDER, MESH, EyesMaker
from mien.vision import looks as detector_looks
from mien.vision.clearance import STILL, ClearanceRules, Glimpse, glimpse_of
from mien.vision.detector import CenterFaceDetector
from mien.vision.embedder import DlibEmbedder, Gallery
from mien.vision.faces import Box, Embedding, Face, Image, Mesh
from mien.vision.glance import Glance
from mien.vision.label import Label
from mien.vision.landmarks import MeshLandmarker, Roi, box_of_mesh, yaw_of_mesh
from mien.vision.looks import Finder
from mien.vision.pipeline import Eyes, FacePipeline
from mien.vision.policy import Policy, Show, Treatment
from mien.vision.tracker import FaceTracker
from portraits import Look, Portrait, cut_portrait, is_development, seen_as
from support.photos import astronaut, hopper

SHARED = Path(os.environ.get("MIEN_SHARED", ROOT.parent / "shared"))
ENROLLED = 100
FPS, SECONDS, PHASES = 12, 2.25, 9
FRONTAL = 0.25
"""Largest `yaw_of_mesh` of a photo of somebody who looks ahead: about ten degrees."""
Row: TypeAlias = dict[str, object]
Shown: TypeAlias = list[tuple[Box, str | None]]

CONDITIONS = {
    "frontal 64 px": Look(face_px=64, noise=2, jpeg=75),
    "frontal 40 px": Look(face_px=40, noise=2, jpeg=75),
    "frontal 28 px": Look(face_px=28, noise=2, jpeg=75),
    "frontal 140 px": Look(face_px=140, noise=2, jpeg=75),
    "turns to 35 degrees, 80 px": Look(face_px=80, yaw=35, noise=2, jpeg=75),
    "dark, 80 px": Look(face_px=80, light=2.8, noise=5, jpeg=75),
    "blurred, 80 px": Look(face_px=80, blur_px=7, noise=2, jpeg=75),
}
VIEWS = (
    Look(face_px=64, roll=5, noise=2, jpeg=75),
    Look(face_px=48, roll=-7, noise=2, jpeg=70),
    Look(face_px=96, yaw=-15, roll=3, noise=2, jpeg=75),
    Look(face_px=80, yaw=15, pitch=8, roll=-4, noise=3, jpeg=75),
    Look(face_px=80, light=2.2, noise=5, jpeg=75),
    Look(face_px=72, pitch=-8, roll=8, blur_px=5, noise=2, jpeg=75),
)


@dataclass(frozen=True, slots=True)
class Someone:
    """A person of the measurement: a portrait to be moved, and the vector of the enrolment photo."""

    portrait: Portrait
    vector: Embedding


@dataclass(frozen=True)
class NotingPolicy(Policy):
    """Shows the enrolled, and notes where and as whom."""

    shown: Shown = field(default_factory=list)

    def treatment(self, face: Face, *, foremost_id: int | None) -> Treatment:
        """Note what the face gets."""
        treatment = super().treatment(face, foremost_id=foremost_id)
        self.shown.append((face.box_xyxy, face.identity if isinstance(treatment, Show) else None))
        return treatment


class Bench:
    """The networks, the people, and one pipeline at a time."""

    def __init__(self, *, development: bool) -> None:
        self._runtime = Runtime(Store(Settings().models_dir))
        self._maker = EyesMaker(self._runtime)
        self._development = development
        detector = CenterFaceDetector(self._runtime.open(DETECTOR))
        self.glance = Glance(detector)
        self.find = Finder(detector, self.glance)
        self.mesh = MeshLandmarker(self._runtime.open(MESH))
        self.embed = DlibEmbedder(self._runtime.open(EMBEDDER))

    def someone(self, name: str, image: Image) -> Someone:
        """Read a photo as an enrolment would."""
        mesh = self._maker.one_face(image, name=name).mesh
        return Someone(cut_portrait(name, image, mesh), self.embed(image, mesh))

    @cached_property
    def people(self) -> dict[str, Someone]:
        """Everybody on this side of the split whose photo can be used."""
        found: dict[str, Someone] = {}
        for folder, share in (("media/stills_synth", 0.5), ("faces_real_pd/house", 0.7), ("faces_real_pd/senate", 0.7)):
            for path in sorted((SHARED / folder).glob("*.jpg")):
                name = f"{path.parent.name}/{path.stem}"
                if is_development(name, share=share) is not self._development:
                    continue
                try:
                    found[name] = self.someone(name, decode_image(path.read_bytes(), name=path.name))
                except FacePhotoError:
                    continue
        return found or {
            "astronaut": self.someone("astronaut", astronaut()),
            "hopper": self.someone("hopper", hopper()),
        }

    def gallery_of(self, names: Sequence[str]) -> dict[str, list[Embedding]]:
        """Return enrolled people as a gallery takes them."""
        return {name: [self.people[name].vector] for name in names}

    def others(self, names: Iterable[str], count: int) -> dict[str, list[Embedding]]:
        """Return `count` people to fill a gallery with, none of them in `names`."""
        left = sorted(set(self.people) - set(names))
        chosen = np.random.default_rng(7).permutation(len(left))[: max(0, count)]
        return self.gallery_of([left[int(i)] for i in chosen])

    def enrolled_and_strangers(self, seed: int = 0) -> tuple[list[str], list[str]]:
        """Return whom the composed clips enrol, by a fixed draw, and all others."""
        names = sorted(self.people)
        order = [names[int(i)] for i in np.random.default_rng(seed).permutation(len(names))]
        count = min(ENROLLED, 2 * len(names) // 3)
        return order[:count], order[count:]

    def watch(
        self, frames: Iterable[Image], people: dict[str, list[Embedding]], *, fps: float, still: bool = False
    ) -> Iterator[Shown]:
        """Treat frames with everybody in `people` to be shown; yield who was shown where, frame by frame."""
        policy = NotingPolicy(people={name: Show() for name in people})
        rules = STILL if still else ClearanceRules()
        eyes = Eyes(self.find, FaceTracker(self.mesh, self.glance), self.glance, self.embed, Gallery(people), rules)
        pipeline = FacePipeline(eyes, policy, Label("en"), still=still, fps=fps)
        for i, image in enumerate(frames):
            policy.shown.clear()
            pipeline(np.ascontiguousarray(image), at=i / fps)
            yield list(policy.shown)


# --- single looks: how near strangers come ---------------------------------------------------------------------


def looks(bench: Bench) -> Iterator[Row]:
    """Compare six views of everybody with galleries of 100, five draws; the state machine's arithmetic, no video."""
    names, rules = sorted(bench.people), ClearanceRules()
    templates = np.stack([bench.people[name].vector for name in names])
    views = np.stack([[_embedded(bench, bench.people[name].portrait, view) for view in VIEWS] for name in names])
    cosine = np.einsum("nvd,md->nvm", views, templates)
    wanted, count = rules.wanted(min(ENROLLED, 2 * len(names) // 3)), len(names)
    own = cosine[np.arange(count), :, np.arange(count)]
    cosine[np.arange(count), :, np.arange(count)] = -1
    pairs = cosine[cosine > -1]
    yield {"part": "looks", "what": "pairs of different people", "pairs": count * (count - 1),
           "cosines": int(pairs.size),
           "max": _r(pairs.max()), "q0.9999": _r(np.quantile(pairs, 0.9999)), "q0.999": _r(np.quantile(pairs, 0.999)),
           "own q0.05": _r(np.quantile(own, 0.05)), "own q0.5": _r(np.median(own))}  # fmt: skip
    rng, single, clips, all_looks, all_strangers, kept, people = np.random.default_rng(1), 0, 0, 0, 0, 0, 0
    for _draw in range(5):
        order = rng.permutation(count)
        inside, outside = order[: min(ENROLLED, 2 * count // 3)], order[min(ENROLLED, 2 * count // 3) :]
        near = np.sort(cosine[outside][:, :, inside], axis=-1)
        margin = near[..., -1] - near[..., -2] if len(inside) > 1 else np.full(near.shape[:2], 2.0)
        single += int(((near[..., -1] >= wanted) & (margin >= rules.margin)).sum())
        best = cosine[outside][:, :, inside].mean(axis=1).max(axis=-1)
        clips += int((best >= wanted).sum())
        all_looks, all_strangers = all_looks + near[..., -1].size, all_strangers + len(outside)
        kept += int((own[inside].mean(axis=1) >= wanted).sum())
        people += len(inside)
    yield {"part": "looks", "what": "strangers against 100", "looks": all_looks, "false single looks": single,
           "per 10,000": _r(1e4 * single / all_looks), "strangers' means above": clips, "of": all_strangers,
           "enrolled' means above": _r(kept / people)}  # fmt: skip


def _embedded(bench: Bench, portrait: Portrait, view: Look) -> Embedding:
    image, mesh = seen_as(portrait, view)
    laid, _score = bench.mesh.settle(image, _roi(mesh, view.roll))
    return bench.embed(image, laid)


def _roi(mesh: Mesh, roll: float) -> Roi:
    x0, y0, x1, y1 = (float(value) for value in box_of_mesh(mesh))
    return Roi((x0 + x1) / 2, (y0 + y1) / 2, 1.5 * max(x1 - x0, y1 - y0), float(np.radians(roll)))


# --- composed clips: everybody, moving ---------------------------------------------------------------------------


class Mover:
    """One person's head, swaying in its cell."""

    def __init__(self, portrait: Portrait, look: Look, *, seed: int) -> None:
        rng = np.random.default_rng(seed)
        self._patches = []
        shift = float(rng.uniform(0, 2 * np.pi))
        for k in range(PHASES):
            turn = float(np.sin(2 * np.pi * k / PHASES + shift))
            yaw = (look.yaw or 10) * turn
            phase = _changed(look, yaw=yaw, pitch=4 * turn, roll=6 * float(np.cos(2 * np.pi * k / PHASES + shift)))
            self._patches.append(seen_as(portrait, phase, seed=seed + k))
        self._shift = shift

    def draw(self, frame: Image, centre: tuple[float, float], cell: tuple[int, int, int, int], i: int) -> Box:
        """Draw the head of frame `i` inside `cell` (x0, y0, x1, y1); return the face's true box."""
        image, mesh = self._patches[(i * PHASES // 18) % PHASES]
        sway = np.array([6 * np.sin(0.35 * i + self._shift), 3 * np.cos(0.25 * i)])
        corner = np.round(np.array(centre) + sway - np.array(image.shape[1::-1]) / 2).astype(int)
        paste(frame, image, (int(corner[0]), int(corner[1])), cell)
        return np.asarray(box_of_mesh(mesh) + np.tile(corner, 2), np.float32)


def _changed(look: Look, *, yaw: float, pitch: float, roll: float) -> Look:
    return Look(look.face_px, yaw, pitch, roll, look.light, look.blur_px, look.noise, look.jpeg)


def paste(frame: Image, image: Image, corner: tuple[int, int], cell: tuple[int, int, int, int]) -> None:
    """Copy `image` into `frame` with its first pixel at `corner`, cut to `cell`."""
    x0, y0 = max(corner[0], cell[0]), max(corner[1], cell[1])
    x1, y1 = min(corner[0] + image.shape[1], cell[2]), min(corner[1] + image.shape[0], cell[3])
    if x1 > x0 and y1 > y0:
        frame[y0:y1, x0:x1] = image[y0 - corner[1] : y1 - corner[1], x0 - corner[0] : x1 - corner[0]]


def background() -> Image:
    """Return an empty room of 1280 x 720: soft shapes, some noise."""
    rng = np.random.default_rng(2)
    soft = cv2.resize(rng.integers(60, 190, (9, 16, 3), np.uint8), (1280, 720), interpolation=cv2.INTER_CUBIC)
    return np.asarray(np.clip(soft + rng.normal(0, 3, soft.shape), 0, 255), np.uint8)


@dataclass(slots=True)
class Tally:
    """What became of the face frames of one person."""

    frames: int = 0
    late: int = 0
    late_shown: int = 0
    wrong: int = 0
    shown: int = 0
    first_s: float | None = None

    def add(self, at: float, identity: str | None, name: str) -> None:
        """Count one face frame."""
        self.frames += 1
        self.late += at >= 1.0
        self.late_shown += at >= 1.0 and identity == name
        self.shown += identity is not None
        self.wrong += identity not in {None, name}
        if identity == name and self.first_s is None:
            self.first_s = at


def clips(bench: Bench, only: Sequence[str] = (), *, people: int | None = None) -> Iterator[Row]:
    """Let everybody sway before the camera, four at a time, in each condition.

    A head cut out of a photo is seen as it stood there, and sways by ten degrees to each side of that: they who look
    ahead in their photo are told of apart.
    """
    enrolled, strangers = bench.enrolled_and_strangers()
    gallery = bench.gallery_of(enrolled)
    everybody = [name for pair in zip(enrolled, strangers, strict=False) for name in pair]
    everybody += enrolled[len(strangers) :] + strangers[len(enrolled) :]
    everybody = everybody[:people]
    for title, look in CONDITIONS.items():
        if only and title not in only:
            continue
        tallies = {name: Tally() for name in everybody}
        per_clip = 4 if look.face_px <= 100 else 3
        for start in range(0, len(everybody), per_clip):
            _one_clip(bench, gallery, everybody[start : start + per_clip], look, tallies)
        aside = {name for name in everybody if yaw_of_mesh(bench.people[name].portrait.mesh) > FRONTAL}
        yield {"part": "clips", "what": title} | _summary(tallies, set(enrolled))
        ahead = {name: tally for name, tally in tallies.items() if name not in aside}
        yield {"part": "clips", "what": f"{title}, who looks ahead in the photo"} | _summary(ahead, set(enrolled))


def _one_clip(
    bench: Bench, gallery: dict[str, list[Embedding]], names: Sequence[str], look: Look, tallies: dict[str, Tally]
) -> None:
    movers = [Mover(bench.people[name].portrait, look, seed=len(name) + 31 * k) for k, name in enumerate(names)]
    truth: list[list[Box]] = []
    for i, shown in enumerate(bench.watch(_scene(movers, look, truth), gallery, fps=FPS)):
        who = _attributed(dict(zip(names, truth[i], strict=True)), shown)
        for name in names:
            tallies[name].add(i / FPS, who.get(name), name)


def _scene(movers: Sequence[Mover], look: Look, truth: list[list[Box]]) -> Iterator[Image]:
    columns, rows = (2, 2) if look.face_px <= 100 else (3, 1)
    width, height = 1280 // columns, 720 // rows
    for i in range(round(FPS * SECONDS)):
        frame, boxes = background().copy(), []
        for k, mover in enumerate(movers):
            x, y = k % columns * width, k // columns * height
            boxes.append(mover.draw(frame, (x + width / 2, y + height / 2), (x, y, x + width, y + height), i))
        truth.append(boxes)
        yield frame


def _summary(tallies: dict[str, Tally], enrolled: set[str]) -> Row:
    mine = [tally for name, tally in tallies.items() if name in enrolled]
    theirs = [tally for name, tally in tallies.items() if name not in enrolled]
    first = [tally.first_s for tally in mine if tally.first_s is not None]
    falsely = sum(tally.shown > 0 for tally in theirs)
    late = sum(tally.late for tally in mine)
    return {
        "strangers": len(theirs),
        "cleared falsely": falsely,
        "upper bound 95 %": _r(_upper(falsely, len(theirs))),
        "their frames shown": sum(tally.shown for tally in theirs),
        "of": sum(tally.frames for tally in theirs),
        "enrolled": len(mine),
        "shown after 1 s": _r(sum(tally.late_shown for tally in mine) / max(late, 1)),
        "never shown": sum(tally.first_s is None for tally in mine),
        "as another": sum(tally.wrong > 0 for tally in mine),
        "to clearance p50, p95 s": [_r(np.quantile(first, q)) for q in (0.5, 0.95)] if first else None,
    }


def _upper(hits: int, of: int) -> float:
    """Return the exact upper 95 % bound of a share (Clopper and Pearson), by bisection."""
    low, high = hits / max(of, 1), 1.0
    for _ in range(50):
        middle = (low + high) / 2
        ways, total = 1.0, 0.0
        for k in range(hits + 1):
            total += ways * middle**k * (1 - middle) ** (of - k)
            ways *= (of - k) / (k + 1)
        low, high = (middle, high) if total > 0.05 else (low, middle)
    return high


def _attributed(faces: Mapping[str, Box], shown: Shown) -> dict[str, str]:
    """Return as whom each face was shown: a shown box belongs to the face that it overlaps most."""
    found: dict[str, str] = {}
    for seen, identity in shown:
        shares = {name: _shared(box, seen) for name, box in faces.items()}
        best = max(shares, key=shares.__getitem__, default=None)
        if identity is not None and best is not None and shares[best] > 0.2:
            found[best] = identity
    return found


def _shared(a: Box, b: Box) -> float:
    """Return the intersection over the union of two boxes."""
    sides = np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2])
    both = float(np.prod(np.maximum(sides, 0)))
    return both / max(float(np.prod(a[2:] - a[:2]) + np.prod(b[2:] - b[:2])) - both, 1e-6)


# --- given clips ---------------------------------------------------------------------------------------------------


def given(bench: Bench, named: str = "") -> Iterator[Row]:
    """Clips with exact truth, half of the people enrolled by stills; real clips, enrolled by their first third."""
    for name in ("video_hard/hd_synth_small_crowd12_gt", "video_multi/mp_synth_walk5_gt"):
        path = SHARED / "media" / f"{name}.mp4"
        if path.exists() and named in name:
            for half in (0, 1):
                yield _walkers(bench, path, half)
    for path in sorted((SHARED / "media" / "video_talking").glob("*.mp4")):
        if named in path.name and "asl" not in path.name:  # several people one after another, without truth
            yield from _talker(bench, path)


def _walkers(bench: Bench, path: Path, half: int) -> Row:
    truth = json.loads(path.with_suffix(".gt.json").read_text())["frames"]
    ids = sorted({face["id"] for row in truth for face in row["faces"]})
    known = [name for name in ids if (SHARED / "media/stills_synth" / name).exists()]
    mine = known[half::2]
    gallery = {name: [bench.someone(name, _still(name)).vector] for name in mine}
    gallery |= bench.others((f"stills_synth/{Path(name).stem}" for name in ids), ENROLLED - len(mine))
    countable = {name: Tally() for name in ids}
    since: dict[str, float] = {}
    for i, (row, shown) in enumerate(zip(truth, bench.watch(_frames(path), gallery, fps=25), strict=False)):
        who = _attributed({face["id"]: np.array(face["box"], np.float32) for face in row["faces"]}, shown)
        for face in row["faces"]:
            box, name = np.array(face["box"], np.float32), str(face["id"])
            clear = box[2] - box[0] >= 64 and face["occ"] < 0.05 and face["vis"] > 0.95
            since[name] = since.get(name, i / 25) if clear else i / 25 + 1e-3
            countable[name].add(i / 25 - since[name], who.get(name), name)
    return {"part": "given", "what": f"{path.stem}, half {half + 1}"} | _summary(countable, set(mine))


def _talker(bench: Bench, path: Path) -> Iterator[Row]:
    """Enrol three moments of a clip's first third and watch the rest; then watch it all as a stranger's."""
    frames = list(_frames(path))
    fps = cv2.VideoCapture(str(path)).get(cv2.CAP_PROP_FPS) or 25.0
    third = len(frames) // 3
    vectors = []
    for i in np.linspace(0, third - 1, 3).astype(int):
        try:
            vectors.append(bench.someone("talker", frames[i]).vector)
        except FacePhotoError:
            continue
    others = bench.others((), ENROLLED - 1)
    if vectors:
        tally, rest = Tally(), frames[third:]
        for i, shown in enumerate(bench.watch(rest, {"talker": vectors} | others, fps=fps)):
            if shown:
                tally.add(i / fps, next((who for _box, who in shown if who), None), "talker")
        yield {"part": "given", "what": f"{path.stem}, enrolled by {len(vectors)}"} | _summary(
            {"talker": tally}, {"talker"}
        )
    stranger = Tally()
    for i, shown in enumerate(bench.watch(frames, others, fps=fps)):
        if shown:
            stranger.add(i / fps, next((who for _box, who in shown if who), None), "stranger")
    yield {"part": "given", "what": f"{path.stem}, stranger"} | _summary({"stranger": stranger}, set())


def _still(name: str) -> Image:
    return decode_image((SHARED / "media/stills_synth" / name).read_bytes(), name=name)


def _frames(path: Path) -> Iterator[Image]:
    video = cv2.VideoCapture(str(path))
    while True:
        read, bgr = video.read()
        if not read:
            return
        yield np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), np.uint8)


# --- exchanges: how long a stranger inherits a clearance --------------------------------------------------------


def events(bench: Bench) -> Iterator[Row]:
    """Exchange an enrolled person for a stranger, in four ways, and count the frames that show the stranger."""
    enrolled, strangers = bench.enrolled_and_strangers()
    pairs = list(zip(enrolled, _nearest(bench, enrolled, strangers), strict=True))[:: max(1, len(enrolled) // 12)]
    gallery = bench.gallery_of(enrolled)
    for title, scene in EVENTS.items():
        leaked, longest, shown_before = 0, 0, 0
        for mine, theirs in pairs:
            movers = [
                Mover(bench.people[n].portrait, Look(face_px=90, noise=2), seed=k) for k, n in enumerate((mine, theirs))
            ]
            truth: list[tuple[Box | None, Box | None]] = []
            frames = 0
            before = False
            for shown in bench.watch(_played(movers, scene, truth), gallery, fps=25):
                a, b = truth[-1]
                who = _attributed({n: box for n, box in (("a", a), ("b", b)) if box is not None}, shown)
                before |= "a" in who
                frames += "b" in who and (a is None or b is None or _apart(a, b))
            shown_before += before
            leaked, longest = leaked + (frames > 0), max(longest, frames)
        yield {"part": "events", "what": title, "pairs": len(pairs), "enrolled had been shown": shown_before,
               "stranger shown": leaked, "longest, ms": 40 * longest}  # fmt: skip


def _nearest(bench: Bench, enrolled: Sequence[str], strangers: Sequence[str]) -> list[str]:
    """Return for each enrolled person the stranger who resembles them most: the worst to be exchanged for."""
    theirs = np.stack([bench.people[name].vector for name in strangers])
    return [strangers[int(np.argmax(theirs @ bench.people[name].vector))] for name in enrolled]


Place: TypeAlias = tuple[float, float] | None


def _crossing(i: int) -> tuple[Place, Place, bool]:
    x = 340.0 if i < 40 else min(340.0 + 12 * (i - 40), 940.0)
    return (x, 360), (1280 - x, 372), False


def _exchange(i: int) -> tuple[Place, Place, bool]:
    return ((640, 360), None, False) if i < 40 else (None, (640, 360), False)


def _cut(i: int) -> tuple[Place, Place, bool]:
    return ((640, 360), None, False) if i < 40 else (None, (640, 360), True)


def _behind(i: int) -> tuple[Place, Place, bool]:
    """Walk behind a pillar; somebody else comes out at the other side, without a moment in which nobody is there."""
    x = 400.0 if i < 40 else 400.0 + 10 * (i - 40)
    return ((x, 360), None, False) if x < 640 else (None, (x, 360), False)


EVENTS: dict[str, Callable[[int], tuple[Place, Place, bool]]] = {
    "crossing": _crossing,
    "exchange within one frame, same place": _exchange,
    "cut": _cut,
    "exchange behind a pillar": _behind,
}


def _played(
    movers: Sequence[Mover],
    scene: Callable[[int], tuple[Place, Place, bool]],
    truth: list[tuple[Box | None, Box | None]],
) -> Iterator[Image]:
    room, other = background(), np.ascontiguousarray(background()[::-1, ::-1])
    whole = (0, 0, 1280, 720)
    for i in range(100):
        *places, elsewhere = scene(i)
        frame = (other if elsewhere else room).copy()
        boxes: list[Box | None] = [None, None]
        for k in (1, 0):
            place = places[k]
            if isinstance(place, tuple):
                boxes[k] = movers[k].draw(frame, place, whole, i)
        if scene is _behind:
            frame[:, 560:720] = (70, 60, 50)
        truth.append((boxes[0], boxes[1]))
        yield frame


def _apart(a: Box, b: Box) -> bool:
    """Tell whether two faces are so far apart that it is clear which one was shown."""
    return abs(float(a[0] + a[2] - b[0] - b[2])) / 2 > 0.6 * float(a[2] - a[0])


# --- glimpses: how alike two pictures of a face are, one frame apart -------------------------------------------------


def glimpses(bench: Bench) -> Iterator[Row]:
    """Compare glimpses of different people, and of one person in frames that follow each other."""
    everybody = np.stack([glimpse_of(p.portrait.image, p.portrait.mesh).ravel() for p in bench.people.values()])
    pairs = (everybody @ everybody.T)[np.triu_indices(len(everybody), 1)]
    yield {"part": "glimpses", "what": "different people", "pairs": len(pairs), "max": _r(pairs.max())}
    for path in sorted((SHARED / "media" / "video_talking").glob("*.mp4")):
        likeness: list[float] = []
        tracker = FaceTracker(bench.mesh)
        last: dict[int, Glimpse] = {}
        for i, image in zip(range(150), _frames(path), strict=False):
            look = detector_looks.Look((0, 0, image.shape[1], image.shape[0]), 320)
            seen = {
                t.id: glimpse_of(image, t.mesh)
                for t in tracker(image, bench.find(image, [look]), i / 25)
                if t.mesh is not None
            }
            likeness += [float(np.vdot(last[k], seen[k])) for k in seen.keys() & last.keys()]
            last = seen
        below = float(np.mean(np.array(likeness) < ClearanceRules().same_picture)) if likeness else 0.0
        yield {"part": "glimpses", "what": path.stem, "pairs": len(likeness), "below the limit": _r(below)}


# --- all -------------------------------------------------------------------------------------------------------------

PARTS: dict[str, Callable[[Bench], Iterator[Row]]] = {
    "looks": looks,
    "clips": clips,
    "given": given,
    "events": events,
    "glimpses": glimpses,
}


def measure(only: Sequence[str] = tuple(PARTS), *, development: bool = False, people: int | None = None) -> list[Row]:
    """Run the parts named, print each row as it comes, and return all."""
    cv2.setNumThreads(1)
    bench = Bench(development=development)
    rows = []
    print(f"# {len(bench.people)} people, {'development' if development else 'held-out'} split", flush=True)
    if not SHARED.is_dir():
        print("# ../shared is not there: two public-domain photos stand in, the figures say little")
    for part in only:
        name, _, condition = part.partition(":")
        for row in _part(bench, name, condition, people):
            print("; ".join(f"{key} {value}" for key, value in row.items() if key != "part"), flush=True)
            rows.append(row)
    return rows


def _part(bench: Bench, name: str, choice: str, people: int | None) -> Iterator[Row]:
    if name == "clips":
        return clips(bench, [choice] if choice else (), people=people)
    return given(bench, choice) if name == "given" else PARTS[name](bench)


def _r(value: float | NDArray[np.float64]) -> float:
    return round(float(value), 4)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default=";".join(PARTS), help="parts, clips:CONDITION or given:NAME, by semicolons")
    parser.add_argument("--split", choices=["held-out", "development"], default="held-out")
    parser.add_argument("--people", type=int, help="play so many people in each condition of the clips, not all")
    parser.add_argument("--out", type=Path)
    wanted = parser.parse_args()
    rows = measure(wanted.only.split(";"), development=wanted.split == "development", people=wanted.people)
    if wanted.out is not None:
        wanted.out.write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
