"""How well the coach judges reference photos: what it says of labelled ones, what it costs to ignore it.

    python benchmarks/quality_coach.py [labels] [composed] [harm] [people] [several]

`labels`: sixty official portraits of real people, labelled by looking at them, in ../shared/faces_real_pd (they are
measured, never shown). They are on the side of the split from which no limit was chosen; but all portraits were
looked at, ordered by each measure, while the measures were made. `composed`: other portraits of that side, made worse
by code. `harm`: what a swap to a photo loses when the photo gets worse. `people`: how alike photos of one person, and
of different people, are. `several`: whether several photos of a person serve better than the best one. Two of these
take generated faces and clips from ../shared/media; without the folders two photos in the public domain are made worse.
"""

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from typing import Any, Final, TypeAlias

import cv2
import numpy as np

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT / "benchmarks"), str(ROOT / "tests")]

from mien.config import Settings
from mien.errors import FacePhotoError
from mien.media.images import decode_image
from mien.registry.runtime import Runtime
from mien.registry.store import Store
from mien.sessions.eyes import SAME_PERSON, EyesMaker
from mien.sessions.wishes import FacePhoto, Person, Wishes
from mien.vision.coach import LIMITS, Coach, Fault
from mien.vision.embedder import DlibEmbedder
from mien.vision.faces import Embedding, Image
from mien.vision.geometry import head_axes, turned_away
from portraits import Look, Portrait, as_taken, cut_portrait, is_development, seen_as
from support.photos import astronaut, hopper
from swap_measures import Judges, fine_detail, read_film
from swap_pairs import LIVES

SHARED = Path(os.environ.get("MIEN_SHARED", ROOT.parent / "shared"))
REAL = SHARED / "faces_real_pd"
STILLS = SHARED / "media" / "stills_synth"

Row: TypeAlias = dict[str, Any]

G, F, T, M, S = Fault.GLASSES, Fault.FRINGE, Fault.FACE_TURNED, Fault.MOUTH_OPEN, Fault.SMILE
LABELLED: Final[dict[str, tuple[Fault, ...]]] = {
    "adam-schiff": (), "alcee-hastings": (M,), "ann-wagner": (S,), "ben-cline": (), "bill-posey": (T,),
    "brad-sherman": (G,), "carolyn-maloney": (S,), "cathy-mcmorris-rodgers": (F,), "chip-roy": (S,),
    "chuck-fleischmann": (), "clay-higgins": (F, T), "daniel-meuser": (G,), "david-cicilline": (S,),
    "david-price": (G,), "donald-mceachin": (S,), "donald-payne": (G, T), "drew-ferguson": (S,), "filemon-vela": (),
    "frank-lucas": (G, S), "fred-upton": (), "guy-reschenthaler": (S,), "haley-stevens": (S,), "james-comer": (),
    "james-mcgovern": (G, Fault.LIGHT_UNEVEN), "jesus-garcia": (), "jim-langevin": (G, S), "jodey-arrington": (S,),
    "john-larson": (M,), "john-moolenaar": (), "john-rutherford": (G,), "john-yarmuth": (S,),
    "kaialii-kahele": (M, S), "katie-porter": (), "kelly-armstrong": (S, M), "matt-gaetz": (M,), "mike-doyle": (),
    "mikie-sherrill": (S, M), "peter-defazio": (G, S), "peter-welch": (G, S), "randy-feenstra": (G, S),
    "rick-allen": (S,), "robert-good": (), "sanford-bishop": (G,), "sean-patrick-maloney": (S,), "steve-chabot": (S,),
    "suzan-delbene": (F, S), "thomas-tiffany": (G, S), "tom-emmer": (), "tom-mcclintock": (), "tony-cardenas": (),
    "vicente-gonzalez": (S,), "william-keating": (), "zoe-lofgren": (F, T, M), "bernard-sanders": (G,),
    "charles-grassley": (G,), "jack-reed": (), "john-hickenlooper": (), "john-hoeven": (), "roger-wicker": (G, S),
    "ron-johnson": (),
}  # fmt: skip
"""Glasses; a fringe or hat over the forehead; clearly turned; lips well apart; a broad smile with teeth."""


# --- photos ----------------------------------------------------------------------------------------------------


class Eyes:
    """Everything that looks at photos here."""

    def __init__(self) -> None:
        self.runtime = Runtime(Store(Settings().models_dir))
        self.maker = EyesMaker(self.runtime)
        self.coach = Coach(self.runtime.open("face-occlusion"))
        self.judges = Judges(self.maker, self.runtime)
        self.dlib = DlibEmbedder(self.runtime.open("dlib-face"))

    def codes(self, image: Image) -> set[Fault]:
        return {Fault(finding.code) for finding in self.maker.judge_photo(image)}

    def portrait(self, name: str, image: Image, *, face_px: float = 200) -> Portrait:
        return cut_portrait(name, image, self.maker.one_face(image, name=name).mesh, face_px=face_px)


def read(path: Path) -> Image:
    return decode_image(path.read_bytes(), name=path.name)


@cache
def real_portraits() -> dict[str, Path]:
    return {path.stem: path for path in sorted(REAL.glob("*/*.jpg"))}


def public_domain() -> list[tuple[str, Image]]:
    return [("astronaut", astronaut()), ("hopper", hopper())]


def held_out(eyes: Eyes, count: int) -> list[Portrait]:
    """Return portraits of the held-out side of which the coach and the labels have nothing to say."""
    if not REAL.is_dir():
        return [eyes.portrait(name, image) for name, image in public_domain()]
    found: list[Portrait] = []
    for name, path in real_portraits().items():
        if is_development(name, share=0.6) or name in LABELLED:
            continue
        image = read(path)
        if not eyes.codes(image):
            found.append(eyes.portrait(name, image))
        if len(found) == count:
            break
    return found


# --- what the coach says of labelled photos --------------------------------------------------------------------


def scored(eyes: Eyes) -> list[Row]:
    """Compare findings with labels; the labels of one photo may be of several kinds."""
    if not REAL.is_dir():
        print("no ../shared/faces_real_pd: no labelled photos")
        return []
    said = {name: eyes.codes(read(real_portraits()[name])) for name in LABELLED}
    for name, codes in said.items():  # what the labels do not tell apart
        said[name] = {Fault.SMILE if code is Fault.TEETH else code for code in codes}
    print(f"{len(said)} labelled portraits\n{'':<16}{'there':>7}{'found':>7}{'missed':>8}{'wrong':>7}")
    rows = []
    for fault in Fault:
        there = {name for name, labels in LABELLED.items() if fault in labels}
        found = {name for name, codes in said.items() if fault in codes}
        row: Row = {"labels": fault.value, "there": len(there), "found": len(there & found)}
        row |= {"missed": sorted(there - found), "wrong": sorted(found - there)}
        rows.append(row)
        print(f"{fault:<16}{len(there):>7}{row['found']:>7}{len(row['missed']):>8}{len(row['wrong']):>7}")
    return rows


# --- photos made worse by code ---------------------------------------------------------------------------------


def _light_from_a_side(portrait: Portrait, stops: float) -> Image:
    """Darken one side of the face, softly over its middle."""
    x0, x1 = portrait.mesh[234, 0], portrait.mesh[454, 0]
    across = np.clip((np.arange(portrait.image.shape[1]) - x0) / (x1 - x0), 0, 1)
    gain = 2.0 ** (-stops / 0.8 * np.clip(across - 0.1, 0, 0.8))
    linear = (portrait.image.astype(np.float32) / 255) ** 2.2 * gain[None, :, None]
    return np.asarray(255 * linear ** (1 / 2.2), np.uint8)


def _gain(image: Image, stops: float) -> Image:
    linear = (image.astype(np.float32) / 255) ** 2.2 * 2.0**stops
    return np.asarray(255 * np.clip(linear, 0, 1) ** (1 / 2.2), np.uint8)


def _soft(image: Image, sigma: float) -> Image:
    return np.asarray(cv2.GaussianBlur(image, (0, 0), sigma), np.uint8)


def _without_top(portrait: Portrait, share: float) -> Image:
    top, chin = portrait.mesh[10, 1], portrait.mesh[152, 1]
    return portrait.image[int(top + share * (chin - top)) :]


def _without_side(portrait: Portrait, share: float) -> Image:
    left, right = portrait.mesh[:, 0].min(), portrait.mesh[:, 0].max()
    return portrait.image[:, int(left + share * (right - left)) :]


def _paper(portrait: Portrait, share: float) -> Image:
    """Hold a sheet of paper before the lower face."""
    image = portrait.image.copy()
    chin, top = portrait.mesh[152, 1], portrait.mesh[10, 1]
    y = int(chin - share * (chin - top))
    x0, x1 = int(portrait.mesh[:, 0].min()) - 10, int(portrait.mesh[:, 0].max()) + 10
    image[max(y, 0) :, max(x0, 0) : x1] = (225, 222, 215)
    return image


def _beside(portrait: Portrait, share: float) -> Image:
    """Put the same face once more beside it, smaller."""
    small = cv2.resize(portrait.image, None, fx=share, fy=share, interpolation=cv2.INTER_AREA)
    canvas = np.full((portrait.image.shape[0], portrait.image.shape[1] + small.shape[1], 3), 128, np.uint8)
    canvas[:, : portrait.image.shape[1]] = portrait.image
    canvas[: len(small), portrait.image.shape[1] :] = small
    return canvas


def _seen(**look: float) -> Callable[[Portrait], Image]:
    return lambda portrait: seen_as(portrait, replace(Look(face_px=180), **look))[0]  # type: ignore[arg-type]  # jpeg is not used


WORSE: Final[tuple[tuple[Fault, str, bool, Callable[[Portrait], Image]], ...]] = (
    (Fault.FACE_SMALL, "60 px wide", True, _seen(face_px=60)),
    (Fault.FACE_SMALL, "140 px wide", False, _seen(face_px=140)),
    (Fault.FACE_TURNED, "45 degrees", True, _seen(yaw=45)),
    (Fault.FACE_TURNED, "8 degrees", False, _seen(yaw=8)),
    (Fault.FACE_TILTED, "70 degrees", True, _seen(roll=70)),
    (Fault.FACE_TILTED, "40 degrees", False, _seen(roll=40)),
    (Fault.CUT_OFF, "top fifth", True, lambda p: _without_top(p, 0.2)),
    (Fault.CUT_OFF, "side fifth", True, lambda p: _without_side(p, 0.2)),
    (Fault.CUT_OFF, "hair alone", False, lambda p: _without_top(p, -0.06)),
    (Fault.COVERED, "up to the nose", True, lambda p: _paper(p, 0.45)),
    (Fault.COVERED, "under the chin", False, lambda p: _paper(p, 0.0)),
    (Fault.BLURRED, "motion, 13 px", True, _seen(blur_px=13)),
    (Fault.BLURRED, "out of focus", True, lambda p: _soft(p.image, 3.5)),
    (Fault.BLURRED, "slightly soft", False, lambda p: _soft(p.image, 0.7)),
    (Fault.TOO_DARK, "5 stops", True, lambda p: _gain(p.image, -5)),
    (Fault.TOO_DARK, "2 stops", False, lambda p: _gain(p.image, -2)),
    (Fault.TOO_BRIGHT, "2 stops", True, lambda p: _gain(p.image, 2)),
    (Fault.TOO_BRIGHT, "a third of a stop", False, lambda p: _gain(p.image, 0.33)),
    (Fault.LIGHT_UNEVEN, "5 stops", True, lambda p: _light_from_a_side(p, 5)),
    (Fault.LIGHT_UNEVEN, "1 stop", False, lambda p: _light_from_a_side(p, 1)),
    (Fault.SEVERAL_FACES, "0.8 as large", True, lambda p: _beside(p, 0.8)),
    (Fault.SEVERAL_FACES, "0.3 as large", False, lambda p: _beside(p, 0.3)),
    (Fault.NO_FACE, "a wall", True, lambda p: np.full_like(p.image, 120)),
)  # fmt: skip
"""What is made worse, how far, and whether the coach should say so."""


def made_worse(eyes: Eyes, count: int = 24) -> list[Row]:
    """Count how often a fault is named that code has put into a photo, and one that is too small to matter."""
    photos = held_out(eyes, count)
    print(f"{len(photos)} photos made worse\n{'':<16}{'':<20}{'should':>8}{'named':>8}{'other':>8}")
    rows = []
    for fault, how, should, worsen in WORSE:
        said = [eyes.codes(worsen(photo)) for photo in photos]
        named = sum(fault in codes for codes in said)
        others = sum(bool(codes - {fault}) for codes in said)
        rows.append({"composed": fault.value, "how": how, "should": should, "named": named, "other": others})
        print(f"{fault:<16}{how:<20}{'yes' if should else 'no':>8}{named:>8}{others:>8}")
    return rows


# --- what it costs not to listen -------------------------------------------------------------------------------

HARM: Final[tuple[tuple[Fault, tuple[float, ...], Callable[[Portrait, float], Image]], ...]] = (
    (Fault.FACE_SMALL, (180, 120, 90, 70, 55, 45, 38), lambda p, v: _seen(face_px=v)(p)),
    (Fault.FACE_TURNED, (0, 15, 25, 35, 45, 55), lambda p, v: _seen(yaw=v)(p)),
    (Fault.FACE_TILTED, (0, 15, 30, 45, 60), lambda p, v: _seen(roll=v)(p)),
    (Fault.BLURRED, (0.3, 0.7, 1, 1.5, 2, 3, 4), lambda p, v: _soft(p.image, v)),
    (Fault.TOO_DARK, (0, -1, -2, -3, -4, -5), lambda p, v: as_taken(_gain(p.image, v), Look(noise=2))),
    (Fault.TOO_BRIGHT, (0, 0.5, 1, 1.5, 2, 2.5), lambda p, v: _gain(p.image, v)),
    (Fault.LIGHT_UNEVEN, (0, 1, 2, 3, 4, 5), _light_from_a_side),
)  # fmt: skip


def swapped_to(eyes: Eyes, photos: Sequence[Image], scenes: Sequence[Image]) -> list[Image]:
    """Return stills after a swap to photos of one face."""
    person = Person("them", tuple(FacePhoto(f"{n}", f"{n}", image) for n, image in enumerate(photos)))
    outs = []
    for scene in scenes:
        frame = eyes.maker.pipeline(Wishes(swap_to=person), still=True)(scene.copy(), at=0.0)
        assert frame is not None
        outs.append(frame.image)
    return outs


def likeness(eyes: Eyes, photos: Sequence[Image], scenes: Sequence[Image], wanted: Sequence[Embedding]) -> list[float]:
    """Return the mean cosine of swapped scenes to a face, by each judge, and the fine detail kept."""
    rows = []
    for scene, out in zip(scenes, swapped_to(eyes, photos, scenes), strict=True):
        mesh = eyes.maker.one_face(scene, name="scene").mesh
        again, _score = eyes.judges.again(out, mesh)
        cosines = [float(seen @ want) for seen, want in zip(eyes.judges.embed(out, again), wanted, strict=True)]
        rows.append([*cosines, fine_detail(scene, out, mesh)])
    return [float(value) for value in np.mean(rows, axis=0)]


PEOPLE: Final = ("sfhq_003", "sfhq_018", "sfhq_033", "sfhq_057", "sfhq_041")
SCENES: Final = ("sfhq_014", "sfhq_005")
"""Generated people, none of them in the held-out pairs of `quality_swap.py`."""


def harm(eyes: Eyes) -> list[Row]:
    """Make photos worse step by step and tell what a swap to them loses of its likeness and detail."""
    if STILLS.is_dir():
        people = [eyes.portrait(name, read(STILLS / f"{name}.jpg"), face_px=180) for name in PEOPLE]
        scenes = [read(STILLS / f"{name}.jpg") for name in SCENES]
    else:
        people, scenes = [eyes.portrait("hopper", hopper(), face_px=180)], [astronaut()]
    rows = []
    for fault, steps, worsen in HARM:
        print(f"{fault}: measured; likeness and detail of a swap; photos of use. Limit {LIMITS[fault].warn}")
        for step in steps:
            row: Row = {"harm": fault.value, "step": step}
            rows.append(row | _harmed(eyes, fault, people, scenes, partial(_by, worsen, step)))
            numbers = " ".join(f"{value:.3f}" for value in rows[-1]["likeness"])
            print(f"  {step:>6}{rows[-1]['value']:>9.2f}   {numbers}   {rows[-1]['made']} of {len(people)}")
    return rows


def _by(worsen: Callable[[Portrait, float], Image], step: float, person: Portrait) -> Image:
    return worsen(person, step)


def _harmed(
    eyes: Eyes,
    fault: Fault,
    people: Sequence[Portrait],
    scenes: Sequence[Image],
    worsen: Callable[[Portrait], Image],
) -> Row:
    values, got = [], []
    for person in people:
        image = worsen(person)
        wanted = eyes.judges.embed(person.image, person.mesh)
        try:
            values.append(eyes.coach.measure(image, eyes.maker.one_face(image, name=person.name).mesh)[fault])
            got.append(likeness(eyes, [image], scenes, wanted))
        except FacePhotoError:
            continue  # refused: it is not counted as made
    nothing = np.full(2, np.nan)
    return {
        "value": float(np.median(values)) if values else float("nan"),
        "likeness": (np.mean(got, axis=0) if got else nothing).tolist(),
        "made": len(got),
    }


# --- several photos --------------------------------------------------------------------------------------------


def people_told_apart(eyes: Eyes) -> list[Row]:
    """Count which share of different people pass for one, and how alike changed photos of one person stay."""
    if not REAL.is_dir():
        print("no ../shared/faces_real_pd: nobody to tell apart")
        return []
    portraits = []
    for name, path in real_portraits().items():
        image = read(path)
        seen = eyes.codes(image)
        if not seen & {Fault.NO_FACE, Fault.SEVERAL_FACES}:
            portraits.append(eyes.portrait(name, image))
    vectors = np.array([eyes.dlib(portrait.image, portrait.mesh) for portrait in portraits])
    others = (vectors @ vectors.T)[np.triu_indices(len(vectors), 1)]
    passing = float((others >= SAME_PERSON).mean())
    print(f"{len(others)} pairs of different people: {passing:.2%} reach {SAME_PERSON}")
    rows: list[Row] = [{"people": "different", "pairs": len(others), "passing": passing}]
    for how, look in LOOKS.items():
        alike = []
        for portrait, vector in list(zip(portraits, vectors, strict=True))[::9]:
            image, mesh = seen_as(portrait, look)
            alike.append(float(eyes.dlib(image, eyes.judges.again(image, mesh)[0]) @ vector))
        passing = float((np.array(alike) >= SAME_PERSON).mean())
        rows.append({"people": how, "pairs": len(alike), "passing": passing, "lowest": min(alike)})
        print(f"one person, {how}: {passing:.1%} of {len(alike)} reach it, lowest {min(alike):.3f}")
    return rows


LOOKS: Final = {
    "turned by 25 degrees": Look(200, yaw=25),
    "turned by 40 degrees": Look(200, yaw=-40),
    "dark": Look(200, light=1.8, noise=4),
    "small": Look(64),
    "turned, small, dark and compressed": Look(90, yaw=25, light=1.5, noise=5, jpeg=60),
}
TALKERS: Final = ("turning", "grin", "street", "cheer", "lab", "signer-2", "dark")


def several(eyes: Eyes) -> list[Row]:
    """Compare a swap to three frames of a person with swaps to each of them alone."""
    if not STILLS.is_dir():
        print("no ../shared/media: nobody with several photos")
        return []
    scenes = [read(STILLS / f"{name}.jpg") for name in SCENES]
    rows = []
    print(f"three frames of a person{'':<4} turned  most frontal alone | best alone | combined: likeness, detail")
    for name in TALKERS:
        row = _combined(eyes, name, scenes)
        if row is None:
            continue
        rows.append(row)
        turns = "/".join(f"{turn:.0f}" for turn in row["turned"])
        print(f"{name:<12}{turns:>16}  " + _ways(row))
    for portrait in [eyes.portrait(name, read(STILLS / f"{name}.jpg"), face_px=180) for name in PEOPLE]:
        rows.append(_blurred_and_turned(eyes, portrait, scenes))
        print(f"{portrait.name:<12}{'20, blurred 0':>16}  " + _ways(rows[-1]))
    for way in ("frontal", "best", "combined"):
        print(f"{way:>10}: " + " ".join(f"{value:.4f}" for value in np.mean([row[way] for row in rows], axis=0)))
    return rows


def _combined(eyes: Eyes, name: str, scenes: Sequence[Image]) -> Row | None:
    film = read_film(LIVES[name], eyes.judges)
    known = [(frame, mesh) for frame, mesh in zip(film.frames, film.meshes, strict=True) if mesh is not None]
    known = [(frame, mesh) for frame, mesh in known if not _refused(eyes, frame)]
    if len(known) < 3:
        print(f"{name:<12} has no three usable frames")
        return None
    yaws = [float(head_axes(mesh)[2, 0]) for _frame, mesh in known]
    order = np.argsort(yaws)
    chosen = [known[int(order[0])], known[int(np.argmin(np.abs(yaws)))], known[int(order[-1])]]
    chosen.sort(key=lambda look: turned_away(look[1]))
    wanted = [
        vectors / np.linalg.norm(vectors)
        for vectors in np.mean([eyes.judges.embed(*look) for look in known[::3]], axis=0)
    ]
    alone = [likeness(eyes, [frame], scenes, wanted) for frame, _mesh in chosen]
    vectors = np.array([eyes.dlib(*look) for look in chosen])
    alike = float((vectors @ vectors.T).min())
    if alike < SAME_PERSON:
        print(f"{name:<12} is refused: the frames are {alike:.3f} alike")
        return None
    return {
        "several": name,
        "turned": [turned_away(mesh) for _frame, mesh in chosen],
        "frontal": alone[0],
        "best": max(alone, key=lambda values: values[0]),
        "combined": likeness(eyes, [frame for frame, _mesh in chosen], scenes, wanted),
    }


def _blurred_and_turned(eyes: Eyes, portrait: Portrait, scenes: Sequence[Image]) -> Row:
    """Combine a frontal photo that is out of focus with a sharp one that is turned."""
    photos = [_soft(portrait.image, 3), _seen(yaw=20)(portrait)]
    wanted = eyes.judges.embed(portrait.image, portrait.mesh)
    alone = [likeness(eyes, [photo], scenes, wanted) for photo in photos]
    return {
        "several": portrait.name,
        "frontal": alone[0],
        "best": max(alone, key=lambda values: values[0]),
        "combined": likeness(eyes, photos, scenes, wanted),
    }


def _ways(row: Row) -> str:
    ways = (row["frontal"], row["best"], row["combined"])
    return " | ".join(" ".join(f"{value:.3f}" for value in values) for values in ways)


def _refused(eyes: Eyes, image: Image) -> bool:
    return any(finding.severity == "refuse" for finding in eyes.maker.judge_photo(image))


MEASURES: Final[dict[str, Callable[[Eyes], list[Row]]]] = {
    "labels": scored,
    "composed": made_worse,
    "harm": harm,
    "people": people_told_apart,
    "several": several,
}


def measure(names: Sequence[str] = ()) -> list[Row]:
    """Measure, print tables, return their rows."""
    cv2.setNumThreads(1)
    eyes = Eyes()
    return [row for name in names or MEASURES for row in MEASURES[name](eyes)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="measure", help=f"one or more of: {' '.join(MEASURES)}")
    options = parser.parse_args()
    if unknown := set(options.names) - set(MEASURES):
        parser.error(f"no such measure: {' '.join(sorted(unknown))}")
    measure(options.names)


if __name__ == "__main__":
    main()
