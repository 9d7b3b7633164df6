"""What a cover tells about the face under it: attacks that recognise it, and how often they are right.

    python -m benchmarks.vision.cover

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

from collections.abc import Iterator, Sequence
from functools import partial
from math import comb
from typing import Any, Final, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.command import command, keep, parse
from benchmarks.vision.cover.attacker import Attacker, unit
from benchmarks.vision.cover.kinds import COVERS, leaving_bare
from benchmarks.vision.cover.shots import SIZES, made_by_code, people
from benchmarks.vision.cover.views import FRAMES, bicubic, many_frames, one_frame, patches, sharpened
from benchmarks.vision.portraits import Portrait
from benchmarks.vision.swap.measures import Judges
from mien.app.factory import VisionFactory
from mien.config import Settings
from mien.registry.runtime import Runtime
from mien.registry.store import Store
from mien.vision.render.mosaic import MosaicShape

PROBES: Final = 200
"""So many are recognised, in galleries of half as many."""
CLOSELY: Final = 80
"""The size at which every attack is made; at the others the quick ones."""
LESSONS: Final = 4
"""Views of each other person that the attacker learns from."""

Row: TypeAlias = dict[str, Any]


def ranks(likeness: NDArray[np.floating[Any]], gallery_of: int) -> NDArray[np.int_]:
    """Return each probe's place in its own gallery, 0 the first; those equally like are taken to come before it."""
    places = []
    for number, row in enumerate(likeness):
        first = number // gallery_of * gallery_of
        gallery = row[first : first + gallery_of]
        equal = int((gallery == row[number]).sum()) - 1
        places.append(int((gallery > row[number]).sum()) + (equal + 1) // 2)
    return np.array(places)


def at_least(hits: int, probes: int, chance: float) -> float:
    """Return how often pure chance is right at least so often."""
    return 1 - sum(comb(probes, k) * chance**k * (1 - chance) ** (probes - k) for k in range(hits))


def _said(gallery_of: int, likeness: NDArray[np.floating[Any]], **what: object) -> Row:
    places = ranks(likeness, gallery_of)
    first, five = int((places < 1).sum()), int((places < 5).sum())
    count = len(places)
    return {
        **what,
        "probes": count,
        "rank1": round(first / count, 4),
        "rank5": round(five / count, 4),
        "p1": round(at_least(first, count, 1 / gallery_of), 4),
        "p5": round(at_least(five, count, min(1.0, 5 / gallery_of)), 4),
    }


JUDGES: Final = ("dlib", "MobileFaceNet")


def attacks(attacker: Attacker, cover: str, size: int, *, film: bool, gallery_of: int) -> Iterator[Row]:
    """Attack one kind of cover in every way; at sizes other than `CLOSELY` in the quick ways."""
    said = partial(_said, gallery_of)
    hide, shape = COVERS.get(cover, (leaving_bare, MosaicShape.BOX))
    see = many_frames if film else one_frame
    what = {"cover": cover, "size_px": size, "frames": FRAMES if film else 1}
    probes = see(attacker.known, hide, shape, size, seed=1)
    alike = see(attacker.known, hide, shape, size, seed=0)
    seeds = range(1 if film else LESSONS)
    lessons = [see(attacker.others, hide, shape, size, seed=2 + seed) for seed in seeds]
    vectors = attacker.embed(probes.squares)
    for judge, mine, theirs in zip(JUDGES, vectors, attacker.photos, strict=False):
        yield said(mine @ theirs.T, **what, attack="naive", by=judge)
    pixels = unit(patches(probes)) @ unit(patches(alike)).T
    yield said(pixels, **what, attack="parrot", by="pixels")
    read = attacker.learn(lessons)
    for judge, mine, theirs in zip(JUDGES, read(probes), attacker.centred(), strict=False):
        yield said(mine @ theirs.T, **what, attack="learned", by=judge)
    if not film:
        yield said(-np.abs(probes.forms[:, None] - alike.forms), **what, attack="form", by="proportions")
    if size != CLOSELY:
        return
    for judge, mine, theirs in zip(JUDGES, vectors, attacker.embed(alike.squares), strict=False):
        yield said(mine @ theirs.T, **what, attack="parrot", by=judge)
    if film:
        return
    for name, restore in (("bicubic", bicubic), ("sharpened", sharpened)):
        restored = attacker.embed([restore(square) for square in probes.squares])
        for judge, mine, theirs in zip(JUDGES, restored, attacker.photos, strict=False):
            yield said(mine @ theirs.T, **what, attack=name, by=judge)


PLAN: Final = (
    ("bare", CLOSELY, False),
    *((cover, CLOSELY, False) for cover in COVERS),
    *((cover, size, False) for size in SIZES if size != CLOSELY for cover in COVERS if "," not in cover),
    *((cover, CLOSELY, True) for cover in COVERS),
)
"""Which cover is attacked, at which size, and whether in film."""
SMALL_PLAN: Final = (
    (next(iter(COVERS)), CLOSELY, False),
    (next(iter(COVERS)), CLOSELY, True),
)


def measure(crowd: Sequence[Portrait], judges: Judges, probes: int, plan: Sequence[tuple[str, int, bool]]) -> list[Row]:
    """Attack so many people in galleries of half as many; the others teach the attacker."""
    order = np.random.default_rng(94).permutation(len(crowd))
    known, others = [crowd[i] for i in order[:probes]], [crowd[i] for i in order[probes:]]
    attacker = Attacker(judges, known, others)
    print(f"{probes} people in galleries of {probes // 2}, {len(others)} to learn from; p: chance does as well")
    rows: list[Row] = []
    for cover, size, film in plan:
        for row in attacks(attacker, cover, size, film=film, gallery_of=probes // 2):
            rows.append(row)
            _print(row, header=len(rows) == 1)
    return rows


def main() -> None:
    parser = command(__doc__, results="cover")
    parser.add_argument(
        "--composed", action="store_true", help="people made by code of two public-domain photos, one cover"
    )
    options = parse(parser, composed=True)
    cv2.setNumThreads(1)
    runtime = Runtime(Store(Settings().models_dir))
    maker = VisionFactory(runtime)
    crowd, probes, plan = [] if options.composed else people(maker), PROBES, PLAN
    if not crowd:
        print("# people made by code stand in for ../shared/faces_real_pd, the figures say nothing")
        crowd, probes, plan = made_by_code(maker), 4, SMALL_PLAN
    keep(options, {"rows": measure(crowd, Judges(maker, runtime), probes, plan)})


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
    main()
