"""How well the photo assessor judges reference photos: what it says of labelled ones, what it costs to ignore it.

    python -m benchmarks.vision.photos [labels] [composed] [harm] [people] [several]

`labels`: sixty official portraits of real people, labelled by looking at them, in ../shared/faces_real_pd (they are
measured, never shown). They are on the side of the split from which no limit was chosen; but all portraits were
looked at, ordered by each measure, while the measures were made. `composed`: other portraits of that side, made worse
by code. `harm`: what a swap to a photo loses when the photo gets worse. `people`: how alike photos of one person, and
of different people, are. `several`: whether several photos of a person serve better than the best one. Two of these
take generated faces and clips from ../shared/media; without the folders two photos in the public domain are made worse.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Final

import cv2
import numpy as np

from benchmarks.command import command, keep, parse
from benchmarks.vision.photos.photos import LABELLED, PhotoBench, Row, held_out, public_domain, read, real_portraits
from benchmarks.vision.photos.spoilt import WORSE
from benchmarks.vision.photos.swaps import harm, several
from benchmarks.vision.portraits import View, seen_as
from mien.app.photos.reading import SAME_PERSON
from mien.vision.photos.quality import PhotoIssue
from mien.vision.types import Image

LOOKS: Final = {
    "turned by 25 degrees": View(200, yaw=25),
    "turned by 40 degrees": View(200, yaw=-40),
    "dark": View(200, light=1.8, noise=4),
    "small": View(64),
    "turned, small, dark and compressed": View(90, yaw=25, light=1.5, noise=5, jpeg=60),
}


def scored(bench: PhotoBench) -> list[Row]:
    """Compare findings with labels; the labels of one photo may be of several kinds."""
    if bench.composed:
        print("no ../shared/faces_real_pd: no labelled photos")
        return []
    said = {name: bench.codes(read(real_portraits()[name])) for name in LABELLED}
    for name, codes in said.items():  # what the labels do not tell apart
        said[name] = {PhotoIssue.SMILE if code is PhotoIssue.TEETH else code for code in codes}
    print(f"{len(said)} labelled portraits\n{'':<16}{'there':>7}{'found':>7}{'missed':>8}{'wrong':>7}")
    rows = []
    for fault in PhotoIssue:
        there = {name for name, labels in LABELLED.items() if fault in labels}
        found = {name for name, codes in said.items() if fault in codes}
        row: Row = {"labels": fault.value, "there": len(there), "found": len(there & found)}
        row |= {"missed": sorted(there - found), "wrong": sorted(found - there)}
        rows.append(row)
        print(f"{fault:<16}{len(there):>7}{row['found']:>7}{len(row['missed']):>8}{len(row['wrong']):>7}")
    return rows


def made_worse(bench: PhotoBench) -> list[Row]:
    """Count how often a fault is named that code has put into a photo, and one that is too small to matter."""
    photos = held_out(bench)
    print(f"{len(photos)} photos made worse\n{'':<16}{'':<20}{'should':>8}{'named':>8}{'other':>8}")
    rows = []
    for fault, how, should, worsen in WORSE[: bench.kinds]:
        said = [bench.codes(worsen(photo)) for photo in photos]
        named = sum(fault in codes for codes in said)
        others = sum(bool(codes - {fault}) for codes in said)
        rows.append({"composed": fault.value, "how": how, "should": should, "named": named, "other": others})
        print(f"{fault:<16}{how:<20}{'yes' if should else 'no':>8}{named:>8}{others:>8}")
    return rows


def everybody(bench: PhotoBench) -> Iterator[tuple[str, Image]]:
    """Yield photos of different people, by name."""
    if bench.composed:
        yield from public_domain()
        return
    for name, path in real_portraits().items():
        yield name, read(path)


def people_told_apart(bench: PhotoBench) -> list[Row]:
    """Count which share of different people pass for one, and how alike changed photos of one person stay."""
    portraits = []
    for name, image in everybody(bench):
        seen = bench.codes(image)
        if not seen & {PhotoIssue.NO_FACE, PhotoIssue.SEVERAL_FACES}:
            portraits.append(bench.portrait(name, image))
    vectors = np.array([bench.dlib(portrait.image, portrait.mesh) for portrait in portraits])
    others = (vectors @ vectors.T)[np.triu_indices(len(vectors), 1)]
    passing = float((others >= SAME_PERSON).mean())
    print(f"{len(others)} pairs of different people: {passing:.2%} reach {SAME_PERSON}")
    rows: list[Row] = [{"people": "different", "pairs": len(others), "passing": passing}]
    for how, look in LOOKS.items():
        alike = []
        for portrait, vector in list(zip(portraits, vectors, strict=True))[::9]:
            image, mesh = seen_as(portrait, look)
            alike.append(float(bench.dlib(image, bench.judges.again(image, mesh)[0]) @ vector))
        passing = float((np.array(alike) >= SAME_PERSON).mean())
        rows.append({"people": how, "pairs": len(alike), "passing": passing, "lowest": min(alike)})
        print(f"one person, {how}: {passing:.1%} of {len(alike)} reach it, lowest {min(alike):.3f}")
    return rows


MEASURES: Final[dict[str, Callable[[PhotoBench], list[Row]]]] = {
    "labels": scored,
    "composed": made_worse,
    "harm": harm,
    "people": people_told_apart,
    "several": several,
}


def measure(bench: PhotoBench, names: Sequence[str]) -> list[Row]:
    """Measure, print tables, return their rows."""
    cv2.setNumThreads(1)
    return [row for name in names or MEASURES for row in MEASURES[name](bench)]


def main() -> None:
    parser = command(__doc__, results="photos")
    parser.add_argument("names", nargs="*", metavar="measure", help=f"one or more of: {' '.join(MEASURES)}")
    parser.add_argument("--composed", action="store_true", help="two public-domain photos alone, as without ../shared")
    parser.add_argument("--photos", type=int, default=24, help="so many are made worse by code")
    parser.add_argument("--steps", type=int, help="so many of each kind of harm; all, if not told")
    parser.add_argument("--kinds", type=int, help="so many kinds of spoiling and of harm; all, if not told")
    options = parse(parser, composed=True, photos=1, kinds=3, steps=1)
    if unknown := set(options.names) - set(MEASURES):
        parser.error(f"no such measure: {' '.join(sorted(unknown))}")
    bench = PhotoBench(composed=options.composed, photos=options.photos, kinds=options.kinds, steps=options.steps)
    keep(options, {"rows": measure(bench, options.names)})


if __name__ == "__main__":
    main()
