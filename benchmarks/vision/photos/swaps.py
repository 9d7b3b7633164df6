"""What photos are worth to a swap: what it loses when they get worse, and whether several serve better than one."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

import numpy as np

from benchmarks.vision.photos.photos import STILLS, PhotoBench, Row, read
from benchmarks.vision.photos.spoilt import HARM, seen_so, soft
from benchmarks.vision.portraits import Portrait
from benchmarks.vision.swap.measures import fine_detail, read_film
from benchmarks.vision.swap.pairs import LIVES
from mien.app.face_photos import FacePhoto, Person
from mien.app.files.options import file_spec
from mien.app.photos.reading import SAME_PERSON
from mien.errors import FacePhotoError
from mien.vision.mesh.geometry import head_axes, turned_away
from mien.vision.photos.quality import LIMITS, PhotoIssue
from mien.vision.types import Embedding, Image
from support.photos import astronaut, hopper

PEOPLE: Final = ("sfhq_003", "sfhq_018", "sfhq_033", "sfhq_057", "sfhq_041")
SCENES: Final = ("sfhq_014", "sfhq_005")
"""Generated people, none of them in the held-out pairs of `quality_swap.py`."""
TALKERS: Final = ("turning", "grin", "street", "cheer", "lab", "signer-2", "dark")


def swapped_to(bench: PhotoBench, photos: Sequence[Image], scenes: Sequence[Image]) -> list[Image]:
    """Return stills after a swap to photos of one face."""
    person = Person("them", tuple(FacePhoto(f"{n}", f"{n}", image) for n, image in enumerate(photos)))
    outs = []
    for scene in scenes:
        frame = bench.maker.pipeline(file_spec(swap_to=person), still=True)(scene.copy(), at=0.0)
        assert frame is not None
        outs.append(frame.image)
    return outs


def likeness(
    bench: PhotoBench, photos: Sequence[Image], scenes: Sequence[Image], wanted: Sequence[Embedding]
) -> list[float]:
    """Return the mean cosine of swapped scenes to a face, by each judge, and the fine detail kept."""
    rows = []
    for scene, out in zip(scenes, swapped_to(bench, photos, scenes), strict=True):
        mesh = bench.maker.assessor.one_face(scene, name="scene").mesh
        again, _score = bench.judges.again(out, mesh)
        cosines = [float(seen @ want) for seen, want in zip(bench.judges.embed(out, again), wanted, strict=True)]
        rows.append([*cosines, fine_detail(scene, out, mesh)])
    return [float(value) for value in np.mean(rows, axis=0)]


def harm(bench: PhotoBench) -> list[Row]:
    """Make photos worse step by step and tell what a swap to them loses of its likeness and detail."""
    if not bench.composed:
        people = [bench.portrait(name, read(STILLS / f"{name}.jpg"), face_px=180) for name in PEOPLE]
        scenes = [read(STILLS / f"{name}.jpg") for name in SCENES]
    else:
        people, scenes = [bench.portrait("hopper", hopper(), face_px=180)], [astronaut()]
    rows = []
    for fault, steps, worsen in HARM[: bench.kinds]:
        print(f"{fault}: measured; likeness and detail of a swap; photos of use. Limit {LIMITS[fault].warn}")
        for step in steps[: bench.steps]:
            row: Row = {"harm": fault.value, "step": step}
            rows.append(row | _harmed(bench, fault, people, scenes, partial(_by, worsen, step)))
            numbers = " ".join(f"{value:.3f}" for value in rows[-1]["likeness"])
            print(f"  {step:>6}{rows[-1]['value']:>9.2f}   {numbers}   {rows[-1]['made']} of {len(people)}")
    return rows


def _by(worsen: Callable[[Portrait, float], Image], step: float, person: Portrait) -> Image:
    return worsen(person, step)


def _harmed(
    bench: PhotoBench,
    fault: PhotoIssue,
    people: Sequence[Portrait],
    scenes: Sequence[Image],
    worsen: Callable[[Portrait], Image],
) -> Row:
    values, got = [], []
    for person in people:
        image = worsen(person)
        wanted = bench.judges.embed(person.image, person.mesh)
        try:
            values.append(
                bench.assessor.measure(image, bench.maker.assessor.one_face(image, name=person.name).mesh)[fault]
            )
            got.append(likeness(bench, [image], scenes, wanted))
        except FacePhotoError:
            continue  # refused: it is not counted as made
    nothing = np.full(2, np.nan)
    return {
        "value": float(np.median(values)) if values else float("nan"),
        "likeness": (np.mean(got, axis=0) if got else nothing).tolist(),
        "made": len(got),
    }


def several(bench: PhotoBench) -> list[Row]:
    """Compare a swap to three frames of a person with swaps to each of them alone."""
    scenes = [astronaut()] if bench.composed else [read(STILLS / f"{name}.jpg") for name in SCENES]
    hoppers = [bench.portrait("hopper", hopper(), face_px=180)] if bench.composed else []
    rows = []
    print(f"three frames of a person{'':<4} turned  most frontal alone | best alone | combined: likeness, detail")
    for name in () if bench.composed else TALKERS:
        row = _combined(bench, name, scenes)
        if row is None:
            continue
        rows.append(row)
        turns = "/".join(f"{turn:.0f}" for turn in row["turned"])
        print(f"{name:<12}{turns:>16}  " + _ways(row))
    for portrait in hoppers or [bench.portrait(name, read(STILLS / f"{name}.jpg"), face_px=180) for name in PEOPLE]:
        rows.append(_blurred_and_turned(bench, portrait, scenes))
        print(f"{portrait.name:<12}{'20, blurred 0':>16}  " + _ways(rows[-1]))
    for way in ("frontal", "best", "combined"):
        print(f"{way:>10}: " + " ".join(f"{value:.4f}" for value in np.mean([row[way] for row in rows], axis=0)))
    return rows


def _combined(bench: PhotoBench, name: str, scenes: Sequence[Image]) -> Row | None:
    film = read_film(LIVES[name], bench.judges)
    known = [(frame, mesh) for frame, mesh in zip(film.frames, film.meshes, strict=True) if mesh is not None]
    known = [(frame, mesh) for frame, mesh in known if not _refused(bench, frame)]
    if len(known) < 3:
        print(f"{name:<12} has no three usable frames")
        return None
    yaws = [float(head_axes(mesh)[2, 0]) for _frame, mesh in known]
    order = np.argsort(yaws)
    chosen = [known[int(order[0])], known[int(np.argmin(np.abs(yaws)))], known[int(order[-1])]]
    chosen.sort(key=lambda look: turned_away(look[1]))
    wanted = [
        vectors / np.linalg.norm(vectors)
        for vectors in np.mean([bench.judges.embed(*look) for look in known[::3]], axis=0)
    ]
    alone = [likeness(bench, [frame], scenes, wanted) for frame, _mesh in chosen]
    vectors = np.array([bench.dlib(*look) for look in chosen])
    alike = float((vectors @ vectors.T).min())
    if alike < SAME_PERSON:
        print(f"{name:<12} is refused: the frames are {alike:.3f} alike")
        return None
    return {
        "several": name,
        "turned": [turned_away(mesh) for _frame, mesh in chosen],
        "frontal": alone[0],
        "best": max(alone, key=lambda values: values[0]),
        "combined": likeness(bench, [frame for frame, _mesh in chosen], scenes, wanted),
    }


def _blurred_and_turned(bench: PhotoBench, portrait: Portrait, scenes: Sequence[Image]) -> Row:
    """Combine a frontal photo that is out of focus with a sharp one that is turned."""
    photos = [soft(portrait.image, 3), seen_so(yaw=20)(portrait)]
    wanted = bench.judges.embed(portrait.image, portrait.mesh)
    alone = [likeness(bench, [photo], scenes, wanted) for photo in photos]
    return {
        "several": portrait.name,
        "frontal": alone[0],
        "best": max(alone, key=lambda values: values[0]),
        "combined": likeness(bench, photos, scenes, wanted),
    }


def _ways(row: Row) -> str:
    ways = (row["frontal"], row["best"], row["combined"])
    return " | ".join(" ".join(f"{value:.3f}" for value in values) for values in ways)


def _refused(bench: PhotoBench, image: Image) -> bool:
    return any(finding.severity == "refuse" for finding in bench.maker.assessor.assess_photo(image))
