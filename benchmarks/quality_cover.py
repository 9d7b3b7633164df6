"""What a cover tells about the face under it: attacks that recognise it, and how often they are right.

    python benchmarks/quality.py cover

People are the portraits of ../shared/faces_real_pd (MIEN_SHARED names another folder), one photo each, measured and
never shown: 200 to be recognised, each in a gallery of 100, and the others to train the attacker on. A probe is the
photo turned, relit, recompressed and laid on another background, so that only what is *hidden* can tell who it is. The
attacker knows where the face is, how the cover is made, and everybody in the gallery:

    naive      recognises the covered face by photos
    parrot     covers the photos alike, and recognises by dlib, by MobileFaceNet or pixel by pixel
    restored   first enlarges smoothly (bicubic), or sharpens (Richardson-Lucy)
    learned    has learnt from other people to read both embeddings off the cover (ridge regression)
    form       knows nothing but how wide the cover is for its height
    30 frames  does the same to a picture laid together from thirty frames of the moving face

Beside our covers stand those that average the face, as mosaics elsewhere do. Chance is 1 % to be right at once and 5 %
within five; p tells how often pure chance would do as well. Of a hundred rows some fall below 5 % by chance.
"""

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from math import comb
from pathlib import Path
from typing import Any, Final, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray
from skimage import data
from skimage.restoration import richardson_lucy

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "benchmarks")]

from mien.config import Settings
from mien.errors import FacePhotoError
from mien.media.images import decode_image
from mien.registry.runtime import Runtime
from mien.registry.store import Store
from mien.sessions.eyes import EyesMaker
from mien.vision.faces import Box, Image, Mesh
from mien.vision.landmarks import box_of_mesh
from mien.vision.mosaic import GROW_XYXY, HEAD_XYXY, Cover, MosaicShape, MosaicStyle, cell_size, cover_box, draw_covers
from portraits import Look, Portrait, cut_portrait, seen_as
from swap_measures import Judges

SHARED = Path(os.environ.get("MIEN_SHARED", ROOT.parent / "shared"))
PROBES: Final = 200
GALLERY: Final = 100
SIZES: Final = (40, 80, 160)
"""Widths of the face in pixels."""
CLOSELY: Final = 80
"""The size at which every attack is made; at the others the quick ones."""
FRAMES: Final = 30
LESSONS: Final = 4
"""Views of each other person that the attacker learns from."""
WALLS: Final = ("coffee", "rocket", "chelsea", "retina")
PATCH: Final = (24, 28)
"""What the learning and the pixel-wise attacker see of a cover, columns and rows."""
SEEN: Final = 160
"""Side of the picture that recognisers get, the face in its middle half."""

Row: TypeAlias = dict[str, Any]
Vectors: TypeAlias = NDArray[np.float32]
Hide: TypeAlias = Callable[[Image, Box], None]


# --- covers ------------------------------------------------------------------------------------------------------


def ours(style: MosaicStyle, shape: MosaicShape) -> Hide:
    def hide(image: Image, box: Box) -> None:
        cover = Cover(cover_box(box, shape=shape), cell_size(box))
        draw_covers(image, [cover], style=style, shape=shape)

    return hide


def averaging(cells: int, *, levels: int) -> Hide:
    """Return a mosaic of so many cells across the face, each the mean of what it hides, in steps of `levels`."""

    def hide(image: Image, box: Box) -> None:
        area = _area(cover_box(box), image)
        side = max(1.0, float((box[2:] - box[:2]).max()) / cells)
        size = max(1, int(area.shape[1] / side)), max(1, int(area.shape[0] / side))
        mean = cv2.resize(area, size if cells > 1 else (1, 1), interpolation=cv2.INTER_AREA)
        mean = (mean // levels * levels + levels // 2).clip(0, 255).astype(np.uint8)
        area[:] = cv2.resize(mean, area.shape[1::-1], interpolation=cv2.INTER_NEAREST)

    return hide


def blurring(image: Image, box: Box) -> None:
    """Blur the face itself, as wide as a cell of six, and add noise."""
    area = _area(cover_box(box), image)
    soft = cv2.GaussianBlur(area, (0, 0), float((box[2:] - box[:2]).max()) / 6)
    noise = np.random.default_rng().normal(0, 10, (*area.shape[:2], 1))
    area[:] = np.clip(soft + noise, 0, 255)


def leaving_bare(_image: Image, _box: Box) -> None:
    """Hide nothing."""


COVERS: Final[dict[str, tuple[Hide, MosaicShape]]] = {
    **{f"{style} {shape}": (ours(style, shape), shape) for style in MosaicStyle for shape in MosaicShape},
    "averaged, 6 across": (averaging(6, levels=24), MosaicShape.BOX),
    "averaged, 4 across": (averaging(4, levels=32), MosaicShape.BOX),
    "averaged, 2 across": (averaging(2, levels=48), MosaicShape.BOX),
    "averaged, one colour": (averaging(1, levels=64), MosaicShape.BOX),
    "blurred": (blurring, MosaicShape.BOX),
}


def _area(box: Box, image: Image) -> Image:
    x0, y0, x1, y1 = box.round().astype(int)
    return image[max(0, y0) : y1, max(0, x0) : x1]


# --- people and how they are seen --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Shot:
    """One picture of somebody, and where a detector would see the face in it, frame by frame."""

    image: Image
    boxes: list[Box]
    mesh: Mesh


def people(maker: EyesMaker) -> list[Portrait]:
    found: list[Portrait] = []
    for path in sorted((SHARED / "faces_real_pd").glob("*/*.jpg")):
        image = decode_image(path.read_bytes(), name=path.name)
        try:
            mesh = maker.one_face(image, name=path.name).mesh
        except FacePhotoError:
            continue
        found.append(cut_portrait(path.stem, image, mesh, face_px=max(SIZES)))
    return found


def as_photo(size: int) -> Look:
    return Look(face_px=size)


def another_day(size: int, rng: np.random.Generator) -> Look:
    return Look(
        face_px=size * rng.uniform(0.9, 1.1),
        yaw=rng.uniform(-12, 12),
        pitch=rng.uniform(-6, 6),
        roll=rng.uniform(-6, 6),
        light=rng.uniform(0.75, 1.5),
        noise=2,
        jpeg=80,
    )


def shot(
    person: Portrait, look: Look, shape: MosaicShape, rng: np.random.Generator, *, relit: bool, frames: int = 1
) -> Shot:
    """Take a picture in which what covers of this shape hide is the person, and all else somewhere else."""
    image, mesh = seen_as(person, look, seed=int(rng.integers(2**31)))
    box = box_of_mesh(mesh)
    box = box + rng.normal(0, 0.015, 4).astype(np.float32) * (box[2] - box[0])  # no detector is exact
    if relit:
        tint = rng.uniform(0.88, 1.12, 3) * (1 + rng.uniform(-0.25, 0.25) * np.linspace(-1, 1, image.shape[1])[:, None])
        image = np.clip(image * tint[None], 0, 255).astype(np.uint8)
    boxes = [box] if frames == 1 else [_trembling(box, rng) for _ in range(frames)]
    return Shot(elsewhere(image, boxes, shape, rng), boxes, mesh)


def _trembling(box: Box, rng: np.random.Generator) -> Box:
    """Return where the cover of a face lies in a frame in which it moved by up to half a cell."""
    side = float(max(box[2:] - box[:2]))
    moved = box + np.tile(rng.uniform(-0.09, 0.09, 2), 2) * side + rng.normal(0, 0.015, 4) * side
    return np.asarray(moved, np.float32)


def elsewhere(image: Image, boxes: Sequence[Box], shape: MosaicShape, rng: np.random.Generator) -> Image:
    """Keep of a picture what the covers of all boxes hide, and nothing that one of them lets be seen."""
    wall = getattr(data, WALLS[int(rng.integers(len(WALLS)))])()
    height, width = image.shape[:2]
    y, x = rng.integers(0, 100), rng.integers(0, 100)
    there = cv2.resize(wall[y : y + 200, x : x + 200], (width, height), interpolation=cv2.INTER_LINEAR)
    there = (there * rng.uniform(0.6, 1.2)).clip(0, 255).astype(np.uint8)
    hidden = np.ones((height, width), np.uint8)
    for box in boxes:
        x0, y0, x1, y1 = (float(value) for value in cover_box(box, shape=shape))
        under = np.zeros_like(hidden)
        if shape is MosaicShape.HEAD:
            cv2.ellipse(under, (((x0 + x1) / 2, (y0 + y1) / 2), (x1 - x0, y1 - y0), 0), 1, -1)
        else:
            under[max(0, round(y0)) : round(y1), max(0, round(x0)) : round(x1)] = 1
        hidden &= under
    return np.asarray(np.where(hidden[..., None], image, there), np.uint8)


# --- what the attacker makes of a cover --------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Views:
    """What an attacker sees of some people: a square around each cover, and how wide the cover is for its height."""

    squares: list[Image]
    forms: Vectors


def outline(box: Box, shape: MosaicShape) -> Box:
    """Return the cover that can be seen, less its margins: all that is known of a covered face's place."""
    x0, y0, x1, y1 = cover_box(box, shape=shape)
    left, top, right, bottom = HEAD_XYXY if shape is MosaicShape.HEAD else GROW_XYXY
    width, height = (x1 - x0) / (1 + left + right), (y1 - y0) / (1 + top + bottom)
    return np.array([x0 + left * width, y0 + top * height, x1 - right * width, y1 - bottom * height], np.float32)


def squared(image: Image, box: Box) -> Image:
    x, y, side = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2, max(box[2] - box[0], box[3] - box[1])
    scale = SEEN / (2.0 * side)
    place = np.array([[scale, 0, SEEN / 2 - scale * x], [0, scale, SEEN / 2 - scale * y]], np.float32)
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    small = cv2.GaussianBlur(image, (0, 0), 0.4 / float(scale)) if scale < 1 else image
    return np.asarray(cv2.warpAffine(small, place, (SEEN, SEEN), flags=way, borderMode=cv2.BORDER_REPLICATE), np.uint8)


def one_frame(crowd: Sequence[Portrait], hide: Hide, shape: MosaicShape, size: int, *, seed: int) -> Views:
    """See everybody once, covered: as in the photo where `seed` is 0, on another day elsewhere."""
    squares, forms = [], []
    for number, person in enumerate(crowd):
        rng = np.random.default_rng((seed, number))
        look = another_day(size, rng) if seed else as_photo(size)
        seen = shot(person, look, shape, rng, relit=bool(seed))
        hide(seen.image, seen.boxes[0])
        seen_at = outline(seen.boxes[0], shape)
        squares.append(squared(seen.image, seen_at))
        x0, y0, x1, y1 = seen.boxes[0] if hide is leaving_bare else seen_at
        forms.append((x1 - x0) / (y1 - y0))
    return Views(squares, np.array(forms, np.float32))


def many_frames(crowd: Sequence[Portrait], hide: Hide, shape: MosaicShape, size: int, *, seed: int) -> Views:
    """Lay together frames in which the face moves a little and its box trembles, each where the face truly was.

    The grid hangs on the box, so every frame samples the face elsewhere: that is how film gives a finer picture away.
    """
    squares, forms = [], []
    for number, person in enumerate(crowd):
        rng = np.random.default_rng((seed, number))
        look = another_day(size, rng) if seed else as_photo(size)
        still = shot(person, look, shape, rng, relit=bool(seed), frames=FRAMES)
        middle = outline(np.mean(still.boxes, axis=0), shape)
        total = np.zeros((SEEN, SEEN, 3), np.float32)
        for box in still.boxes:
            image = still.image.copy()
            hide(image, box)
            total += squared(image, middle)
        squares.append((total / FRAMES).round().astype(np.uint8))
        forms.append((middle[2] - middle[0]) / (middle[3] - middle[1]))
    return Views(squares, np.array(forms, np.float32))


def bicubic(square: Image) -> Image:
    """Take a square for a small picture, a pixel a cell, and enlarge it smoothly."""
    small = cv2.resize(square, (12, 12), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(small, (SEEN, SEEN), interpolation=cv2.INTER_CUBIC), np.uint8)


def sharpened(square: Image) -> Image:
    """Undo a blur as wide as a cell."""
    grid = np.arange(-13, 14)
    kernel = np.exp(-(grid[:, None] ** 2 + grid**2) / (2 * 6.0**2))
    kernel = (kernel / kernel.sum())[..., None]
    back = richardson_lucy(bicubic(square) / 255.0 + 1e-3, kernel, num_iter=8)
    return np.asarray((back * 255).clip(0, 255), np.uint8)


def patches(views: Views) -> Vectors:
    """Return what a cover looks like as numbers, each picture's own brightness and contrast taken out."""
    small = [
        cv2.resize(s[SEEN // 8 : -SEEN // 8, SEEN // 8 : -SEEN // 8], PATCH, interpolation=cv2.INTER_AREA)
        for s in views.squares
    ]
    flat = np.stack(small).reshape(len(small), -1).astype(np.float32)
    return np.asarray((flat - flat.mean(axis=1, keepdims=True)) / (flat.std(axis=1, keepdims=True) + 1), np.float32)


class Attacker:
    """Recognisers, and the people whom the attacker knows."""

    def __init__(self, judges: Judges, known: Sequence[Portrait], others: Sequence[Portrait]) -> None:
        self._judges, self.known, self.others = judges, known, others
        self.photos = self._by_mesh(known)
        self.lessons = self._by_mesh(others)
        boxes = [box_of_mesh(person.mesh) for person in others]
        self._mean = np.mean([_in_box(p.mesh, box) for p, box in zip(others, boxes, strict=True)], axis=0)

    def _by_mesh(self, crowd: Sequence[Portrait]) -> list[Vectors]:
        seen = [self._judges.embed(person.image, person.mesh) for person in crowd]
        return [np.stack([vectors[i] for vectors in seen]) for i in range(len(seen[0]))]

    def embed(self, squares: Sequence[Image]) -> list[Vectors]:
        """Embed covered faces, their landmarks guessed: a mean face's in the box."""
        middle = np.array([SEEN / 4 * 1.2, SEEN / 4, 0], np.float32), np.array([0.8, 1, 0.9], np.float32) * (SEEN / 2)
        mesh = (self._mean * middle[1] + middle[0]).astype(np.float32)
        seen = [self._judges.embed(square, mesh) for square in squares]
        return [np.stack([vectors[i] for vectors in seen]) for i in range(len(seen[0]))]

    def learn(self, lessons: Sequence[Views]) -> Callable[[Views], list[Vectors]]:
        """Learn to read embeddings off covers, from people who are not in the gallery."""
        x = np.concatenate([patches(views) for views in lessons])
        mean, spread = x.mean(axis=0), x.std(axis=0) + 1e-3
        x = (x - mean) / spread
        readers = []
        for target in self.lessons:
            y = np.tile(target - target.mean(axis=0), (len(lessons), 1))
            readers.append((_ridge(x, y, len(target)), target.mean(axis=0)))

        def read(views: Views) -> list[Vectors]:
            z = (patches(views) - mean) / spread
            return [_unit(z @ weights) for weights, _ in readers]

        return read

    def centred(self) -> list[Vectors]:
        """Return the photos' embeddings as `learn` reads them."""
        return [_unit(p - t.mean(axis=0)) for p, t in zip(self.photos, self.lessons, strict=True)]


def _ridge(x: Vectors, y: Vectors, count: int) -> Vectors:
    """Fit a linear map, its stiffness chosen by people who were left out."""
    person = np.arange(len(x)) % count
    fit, left_out = person < 0.8 * count, person >= 0.8 * count
    best, weights = -1.0, np.zeros((x.shape[1], y.shape[1]), np.float32)
    gram, moment = x[fit].T @ x[fit], x[fit].T @ y[fit]
    for stiffness in (1e-2, 1e-1, 1.0, 10.0):
        tried = np.linalg.solve(gram + stiffness * len(x) * np.eye(len(gram)), moment)
        likeness = float((_unit(x[left_out] @ tried) * _unit(y[left_out])).sum(axis=1).mean())
        if likeness > best:
            best, weights = likeness, tried
    return np.asarray(weights, np.float32)


def _unit(vectors: NDArray[Any]) -> Vectors:
    return np.asarray(vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9), np.float32)


def _in_box(mesh: Mesh, box: Box) -> Mesh:
    size = np.array([box[2] - box[0], box[3] - box[1], box[2] - box[0]], np.float32)
    return (mesh - np.array([box[0], box[1], 0], np.float32)) / size


# --- how often it is right ---------------------------------------------------------------------------------------


def ranks(likeness: NDArray[np.floating[Any]]) -> NDArray[np.int_]:
    """Return each probe's place in its own gallery, 0 the first; those equally like are taken to come before it."""
    places = []
    for number, row in enumerate(likeness):
        first = number // GALLERY * GALLERY
        gallery = row[first : first + GALLERY]
        equal = int((gallery == row[number]).sum()) - 1
        places.append(int((gallery > row[number]).sum()) + (equal + 1) // 2)
    return np.array(places)


def at_least(hits: int, probes: int, chance: float) -> float:
    """Return how often pure chance is right at least so often."""
    return 1 - sum(comb(probes, k) * chance**k * (1 - chance) ** (probes - k) for k in range(hits))


def said(places: NDArray[np.int_], **what: object) -> Row:
    first, five = int((places < 1).sum()), int((places < 5).sum())
    count = len(places)
    return {
        **what,
        "probes": count,
        "rank1": round(first / count, 4),
        "rank5": round(five / count, 4),
        "p1": round(at_least(first, count, 1 / GALLERY), 4),
        "p5": round(at_least(five, count, 5 / GALLERY), 4),
    }


JUDGES: Final = ("dlib", "MobileFaceNet")


def attacks(attacker: Attacker, cover: str, size: int, *, film: bool) -> Iterator[Row]:
    """Attack one kind of cover in every way; at sizes other than `CLOSELY` in the quick ways."""
    hide, shape = COVERS.get(cover, (leaving_bare, MosaicShape.BOX))
    see = many_frames if film else one_frame
    what = {"cover": cover, "size_px": size, "frames": FRAMES if film else 1}
    probes = see(attacker.known, hide, shape, size, seed=1)
    alike = see(attacker.known, hide, shape, size, seed=0)
    seeds = range(1 if film else LESSONS)
    lessons = [see(attacker.others, hide, shape, size, seed=2 + seed) for seed in seeds]
    vectors = attacker.embed(probes.squares)
    for judge, mine, theirs in zip(JUDGES, vectors, attacker.photos, strict=False):
        yield said(ranks(mine @ theirs.T), **what, attack="naive", by=judge)
    pixels = _unit(patches(probes)) @ _unit(patches(alike)).T
    yield said(ranks(pixels), **what, attack="parrot", by="pixels")
    read = attacker.learn(lessons)
    for judge, mine, theirs in zip(JUDGES, read(probes), attacker.centred(), strict=False):
        yield said(ranks(mine @ theirs.T), **what, attack="learned", by=judge)
    if not film:
        yield said(ranks(-np.abs(probes.forms[:, None] - alike.forms)), **what, attack="form", by="proportions")
    if size != CLOSELY:
        return
    for judge, mine, theirs in zip(JUDGES, vectors, attacker.embed(alike.squares), strict=False):
        yield said(ranks(mine @ theirs.T), **what, attack="parrot", by=judge)
    if film:
        return
    for name, restore in (("bicubic", bicubic), ("sharpened", sharpened)):
        restored = attacker.embed([restore(square) for square in probes.squares])
        for judge, mine, theirs in zip(JUDGES, restored, attacker.photos, strict=False):
            yield said(ranks(mine @ theirs.T), **what, attack=name, by=judge)


PLAN: Final = (
    ("bare", CLOSELY, False),
    *((cover, CLOSELY, False) for cover in COVERS),
    *((cover, size, False) for size in SIZES if size != CLOSELY for cover in COVERS if "," not in cover),
    *((cover, CLOSELY, True) for cover in COVERS),
)
"""Which cover is attacked, at which size, and whether in film."""


def measure() -> list[Row]:
    cv2.setNumThreads(1)
    if not (SHARED / "faces_real_pd").is_dir():
        print(f"no portraits in {SHARED}: nothing is measured")
        return []
    runtime = Runtime(Store(Settings().models_dir))
    maker = EyesMaker(runtime)
    crowd = people(maker)
    order = np.random.default_rng(94).permutation(len(crowd))
    known, others = [crowd[i] for i in order[:PROBES]], [crowd[i] for i in order[PROBES:]]
    attacker = Attacker(Judges(maker, runtime), known, others)
    print(f"{PROBES} people in galleries of {GALLERY}, {len(others)} to learn from; p: chance does as well")
    rows: list[Row] = []
    for cover, size, film in PLAN:
        for row in attacks(attacker, cover, size, film=film):
            rows.append(row)
            _print(row, header=len(rows) == 1)
    return rows


def _print(row: Row, *, header: bool) -> None:
    if header:
        print(
            f"{'cover':<22} {'px':>4} {'frames':>6} {'attack':<10} {'by':<14} {'1st':>6} {'p':>6} {'in 5':>6} {'p':>6}"
        )
    mark = " *" if min(row["p1"], row["p5"]) < 0.05 else ""
    print(
        f"{row['cover']:<22} {row['size_px']:>4} {row['frames']:>6} {row['attack']:<10} {row['by']:<14} "
        f"{100 * row['rank1']:>5.1f}% {row['p1']:>6.3f} {100 * row['rank5']:>5.1f}% {row['p5']:>6.3f}{mark}",
        flush=True,
    )


if __name__ == "__main__":
    measure()
