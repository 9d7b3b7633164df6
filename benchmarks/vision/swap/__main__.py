"""How well a swap is believed: likeness, expression, flicker, seams and cost on pairs of a clip and a photo.

    python -m benchmarks.vision.swap [--pairs held-out|seen|tuning|own|composed] [--only NAME ...] [--sheets FOLDER]

Each frame passes through the whole pipeline. What comes out is judged by what the swap itself does not use: dlib's
recogniser (which the pipeline uses to know people, never to swap), MobileFaceNet where its file is beside the checkout,
and a mesh laid anew on the result. *quality* needs no reference: how natural the fine structure of the face is, over
the live face's own; 1 is alike, below 1 is worse. `research/naturalness` tells what it sees, and that sharpening a soft
film pleases it: read it beside *detail*. Clips and photos come from ../shared/media, or from the folder that
MIEN_SHARED names; `pairs.py` says who serves for what. Without the folder, or with `--pairs composed`, two photos in
the public domain are swapped in a scene made by code, which says little.

`--pairs own` swaps people to a frame of their own film: how alike a face stays when only its moment changes, and what
the drawing itself costs. `--sheets` writes one picture a pair: the photo, live frames, and below each what goes out.
Look at them.
"""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeAlias
from unittest import mock

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.command import command, keep, parse
from benchmarks.vision.films import MEDIA
from benchmarks.vision.swap.measures import (
    FRAMES,
    Film,
    Judges,
    changed_share,
    film_of,
    fine_detail,
    flicker,
    hidden_share,
    kept,
    pose_error,
    read_film,
    seam,
)
from benchmarks.vision.swap.naturalness import quality
from benchmarks.vision.swap.pairs import ALONE, LIVES, PAIRS
from mien.app.face_photos import FacePhoto
from mien.app.factory import VisionFactory
from mien.app.files.options import file_spec
from mien.config import Settings
from mien.registry.runtime import Runtime
from mien.registry.store import Store
from mien.vision.mesh.geometry import mesh_size, turned_away
from mien.vision.render.mosaic import Cover, draw_covers
from mien.vision.types import Image, Mesh
from support.photos import as_png, hopper
from support.scenes import astronaut_frame

LOOKS: Final = 6
"""Frames of a pair that the recognisers see."""
APART: Final = 5
"""So many frames must lie between a look at somebody and the frame of them that serves as their photo."""
BARE_SHARE: Final = 0.85
"""A face of which less than this share of the skin between brows and chin was changed went out bare."""
HIDDEN_SHARE: Final = 0.3
"""A face of which more than this share lies under a cover, whole or lifting, is not counted as swapped."""

Row: TypeAlias = dict[str, Any]


def composed_film(judges: Judges, count: int) -> Film:
    """Return the scene made by code."""
    frames = [astronaut_frame(i / 25) for i in range(count)]
    return film_of(frames, judges, 25.0)


class SwapClock:
    """Takes the processor time of the swap, a frame at a time."""

    def __init__(self) -> None:
        self.spans_ms: list[float] = []

    @contextmanager
    def __call__(self, name: str) -> Iterator[None]:
        start = time.thread_time()
        yield
        if name == "swap":
            self.spans_ms.append((time.thread_time() - start) * 1e3)


@dataclass(frozen=True, slots=True)
class Treated:
    """What goes out for a film: pictures, how many faces had which treatment, and which pixels covers changed.

    `cpu_ms` is the median CPU time of a swap.
    """

    images: list[Image]
    counts: list[dict[str, int]]
    covers: list[NDArray[np.bool_]]
    cpu_ms: float


def treat(runtime: Runtime, film: Film, photo: FacePhoto) -> Treated:
    """Pass a film through the pipeline."""
    clock, covers = SwapClock(), []

    def noting(image: Image, drawn: Sequence[Cover], **kind: Any) -> None:
        before = image.copy()
        draw_covers(image, drawn, **kind)
        covers.append((image != before).any(axis=2))

    maker = VisionFactory(runtime, span=clock)
    pipeline = maker.pipeline(file_spec(swap_to=photo), fps=film.fps)
    with mock.patch("mien.vision.render.renderer.draw_covers", noting):  # once for each frame that leaves
        treated = [pipeline(frame.copy(), at=i / film.fps) for i, frame in enumerate(film.frames)]
        out = [frame for frame in [*treated, *pipeline.flush()] if frame is not None]
    cpu_ms = float(np.median(clock.spans_ms[5:])) if len(clock.spans_ms) > 5 else float("nan")
    return Treated([frame.image for frame in out], [frame.counts for frame in out], covers, cpu_ms)


# --- a pair ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Pair:
    """A clip and a photo, which may be a frame of the clip, `photo_frame`."""

    live: str
    photo: str
    film: Film
    reference: FacePhoto
    photo_frame: int | None = None


def judge(pair: Pair, judges: Judges, runtime: Runtime, sheets: Path | None) -> Row:
    """Swap one pair and measure it."""
    film = pair.film
    treated = treat(runtime, film, pair.reference)
    out = treated.images
    seen = [i for i, mesh in enumerate(film.meshes) if mesh is not None]
    hidden = {i for i in seen if hidden_share(treated.covers[i], out[i], _mesh(film, i)) > HIDDEN_SHARE}
    swapped = [frame.get("swap", 0) > 0 and i not in hidden for i, frame in enumerate(treated.counts)]
    bare = sum(changed_share(film.frames[i], out[i], _mesh(film, i)) < BARE_SHARE for i in seen)
    there = [i for i in seen if swapped[i]]
    again = {i: judges.again(out[i], _mesh(film, i)) for i in there}
    found = [i for i in there if _same_place(_mesh(film, i), *again[i])]
    row: Row = {"live": pair.live, "photo": pair.photo}
    row |= _likeness(pair, out, again, judges)
    row |= kept([_mesh(film, i) for i in found], _known(film.control, found), [again[i][0] for i in found])
    row["flicker"], row["swims"] = flicker(film, out, treated.covers, swapped)
    row |= {
        "pose": _mean([pose_error(_mesh(film, i), again[i][0]) for i in found]),
        "seam": _mean([seam(film.frames[i], out[i], _mesh(film, i)) for i in there[::5]]),
        "detail": _mean([fine_detail(film.frames[i], out[i], _mesh(film, i)) for i in there[::5]]),
        "quality": _mean([quality(film.frames[i], out[i], _mesh(film, i)) for i in there[::5]]),
        "found": len(found) / len(there) if there else float("nan"),
        "swapped": len(there) / len(seen) if seen else float("nan"),
        "bare": bare,
        "face_px": _mean([float(np.ptp(_mesh(film, i)[:, 0])) for i in seen]),
        "cpu_ms": treated.cpu_ms,
    }
    if sheets is not None:
        _write_sheet(sheets / f"{pair.live}_{pair.photo}.png", pair, out, row)
    return row


def _mesh(film: Film, i: int) -> Mesh:
    mesh = film.meshes[i]
    assert mesh is not None
    return mesh


def _known(meshes: Sequence[Mesh | None], which: Sequence[int]) -> list[Mesh]:
    known = [mesh for i in which if (mesh := meshes[i]) is not None]
    assert len(known) == len(which)
    return known


def _same_place(before: Mesh, after: Mesh, score: float) -> bool:
    return score >= 0.5 and float(np.linalg.norm(after - before, axis=1).mean()) < 0.15 * mesh_size(before)


def _likeness(pair: Pair, out: Sequence[Image], again: dict[int, tuple[Mesh, float]], judges: Judges) -> Row:
    """Return the mean cosines to the photo and to the live person, dlib's and the other judge's."""
    own = pair.photo_frame
    looks = _spread([i for i in again if own is None or abs(i - own) > APART], LOOKS)
    photo = judges.maker.assessor.one_face(pair.reference.image, name=pair.photo)
    wanted = judges.embed(pair.reference.image, photo.mesh)
    live = [judges.embed(pair.film.frames[i], _mesh(pair.film, i)) for i in _spread(_readable(pair.film), LOOKS)]
    made = [judges.embed(out[i], again[i][0]) for i in looks]
    row: Row = {}
    for n, name in enumerate(("dlib", "mfn")[: len(wanted)]):
        person = np.mean([vectors[n] for vectors in live], axis=0)
        person /= np.linalg.norm(person)
        row["before" if n == 0 else f"{name}_before"] = float(person @ wanted[n])
        row[name] = _mean([float(vectors[n] @ wanted[n]) for vectors in made])
        if own is not None:
            unswapped = [judges.embed(pair.film.frames[i], _mesh(pair.film, i))[n] for i in looks]
            row["before" if n == 0 else f"{name}_before"] = _mean([float(seen @ wanted[n]) for seen in unswapped])
        row[f"{name}_live"] = _mean([float(vectors[n] @ person) for vectors in made])
    return row


def _readable(film: Film) -> list[int]:
    return [i for i, mesh in enumerate(film.meshes) if mesh is not None]


def _spread(items: list[int], count: int) -> list[int]:
    return [items[round(k)] for k in np.linspace(0, len(items) - 1, min(count, len(items)))] if items else []


def _mean(values: Sequence[float]) -> float:
    known = [value for value in values if not np.isnan(value)]
    return float(np.mean(known)) if known else float("nan")


def _write_sheet(path: Path, pair: Pair, out: Sequence[Image], row: Row) -> None:
    """Write photo, live frames and results side by side."""
    path.parent.mkdir(parents=True, exist_ok=True)
    tile = 300
    photo = pair.reference.image
    side = min(photo.shape[:2])
    x0, y0 = (photo.shape[1] - side) // 2, 0
    square = cv2.resize(photo[y0 : y0 + side, x0 : x0 + side], (tile, tile), interpolation=cv2.INTER_AREA)
    tiles = [np.asarray(square, np.uint8)]
    blank = np.zeros((tile, tile, 3), np.uint8)
    words = (
        pair.live,
        pair.photo,
        f"dlib {row['dlib']:.3f}",
        f"live {row['dlib_live']:.3f}",
        f"flicker {row['flicker']:.2f}",
    )
    for n, text in enumerate(words):
        cv2.putText(blank, text, (8, 40 + 40 * n), cv2.FONT_HERSHEY_SIMPLEX, 0.9, (255, 255, 255), 2)
    below = [blank]
    for i in _spread(_readable(pair.film), 5):
        low, high = _mesh(pair.film, i)[:, :2].min(axis=0), _mesh(pair.film, i)[:, :2].max(axis=0)
        (x, y), half = (low + high) / 2, 0.85 * float((high - low).max())
        place = np.array(
            [
                [tile / (2 * half), 0, tile / 2 - x * tile / (2 * half)],
                [0, tile / (2 * half), tile / 2 - y * tile / (2 * half)],
            ]
        )
        for row_of, image in ((tiles, pair.film.frames[i]), (below, out[i])):
            row_of.append(np.asarray(cv2.warpAffine(image, place, (tile, tile), flags=cv2.INTER_AREA), np.uint8))
    sheet = np.vstack([np.hstack(tiles), np.hstack(below)])
    cv2.imwrite(str(path), cv2.cvtColor(sheet, cv2.COLOR_RGB2BGR))


# --- cost ------------------------------------------------------------------------------------------------------


def cost(runtime: Runtime, name: str, face_px: int, count: int) -> Row:
    """Return the CPU time of swapping a face of a given size in a 720p scene made by code."""
    photo = FacePhoto.from_bytes(as_png(hopper()), name="hopper")
    frames = [astronaut_frame(i / 30, face_px=face_px) for i in range(count)]
    film = Film(frames, Judges(VisionFactory(runtime), runtime).follow(frames[:1]), [], 30.0)
    cpu_ms = treat(runtime, film, photo).cpu_ms
    return {"cost": name, "face_px": float(np.ptp(_mesh(film, 0)[:, 0])), "cpu_ms": cpu_ms}


def pairs_of(names: Sequence[tuple[str, str]], judges: Judges, only: Sequence[str]) -> Iterator[Pair]:
    """Yield the pairs, each film read once."""
    films: dict[str, Film] = {}
    for live, photo in names:
        if only and not any(word in f"{live} {photo}" for word in only):
            continue
        films.setdefault(live, read_film(LIVES[live], judges))
        yield Pair(live, photo, films[live], FacePhoto.read(MEDIA / "stills_synth" / f"{photo}.jpg"))


def own_pair(live: str, judges: Judges) -> Pair:
    """Return a pair of a film and the most frontal frame of it."""
    film = read_film(LIVES[live], judges)
    best = min(_readable(film), key=lambda i: turned_away(_mesh(film, i)))
    return Pair(live, "itself", film, FacePhoto("itself", "itself", film.frames[best].copy()), photo_frame=best)


COLUMNS = (
    "before", "dlib", "dlib_live", "mfn", "mfn_live", "mouth", "eyes", "brows", "pose", "flicker", "swims", "seam",
    "detail", "quality", "found", "swapped", "bare", "face_px", "cpu_ms",
)  # fmt: skip


def line(row: Row) -> str:
    cells = [
        f"{row.get(name, float('nan')):8.{1 if name in {'pose', 'face_px', 'cpu_ms'} else 3}f}" for name in COLUMNS
    ]
    return f"{row['live']:<14}{row['photo']:<14}" + "".join(cells)


def measure(pairs: str, only: Sequence[str], sheets: Path | None, frames: int) -> list[Row]:
    """Measure every pair, print a table, and return its rows, the mean and the worst of each column last."""
    cv2.setNumThreads(1)
    runtime = Runtime(Store(Settings().models_dir))
    judges = Judges(VisionFactory(runtime), runtime)
    print(
        f"{pairs} pairs: each frame through the whole pipeline\n{'live':<14}{'photo':<14}"
        + "".join(f"{n[-7:]:>8}" for n in COLUMNS)
    )
    rows = []
    for pair in _pairs(pairs, judges, only, frames):
        rows.append(judge(pair, judges, runtime, sheets))
        print(line(rows[-1]), flush=True)
    mean = {"live": "mean", "photo": ""} | {
        name: _mean([row.get(name, float("nan")) for row in rows]) for name in COLUMNS
    }
    print(line(mean))
    costs = (
        []
        if only or pairs == "own"
        else [cost(runtime, name, px, frames) for name, px in (("medium", 231), ("near", 374))]
    )
    for row in costs:
        print(f"{row['cost']} face, {row['face_px']:.0f} px wide: {row['cpu_ms']:.1f} ms CPU a frame")
    return [*rows, mean, *costs]


def _pairs(pairs: str, judges: Judges, only: Sequence[str], frames: int) -> Iterator[Pair]:
    if pairs == "own" and MEDIA.is_dir():
        return (own_pair(live, judges) for live in ALONE if not only or live in only)
    if pairs in PAIRS and MEDIA.is_dir():
        return pairs_of(PAIRS[pairs], judges, only)
    print("one pair of public-domain photos in a scene made by code, far from a real judgement")
    reference = FacePhoto.from_bytes(as_png(hopper()), name="hopper")
    return iter([Pair("composed", "hopper", composed_film(judges, frames), reference)])


def main() -> None:
    parser = command(__doc__, results="swap")
    parser.add_argument("--pairs", choices=(*PAIRS, "own", "composed"), default="held-out")
    parser.add_argument("--only", nargs="*", default=(), help="words of the live clip or the photo")
    parser.add_argument("--sheets", type=Path, help="folder for contact sheets")
    parser.add_argument("--frames", type=int, default=FRAMES, help="of the composed scene")
    options = parse(parser, pairs="composed", frames=12)
    keep(options, {"rows": measure(options.pairs, options.only, options.sheets, options.frames)})


if __name__ == "__main__":
    main()
