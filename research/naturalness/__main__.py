"""What the measure of a face's quality sees of damage done on purpose, and what not.

    python -m research.naturalness [--fit] [--sheet FILE]

Faces are damaged in ten ways, each in five steps: forty portraits in up to four widths (half of them of real people the
measure was not fitted to, half of people who do not exist), and frames of eight films. A measure sees a kind of damage
where it falls step by step: Spearman's correlation of measure and step, the mean over faces, is -1 then. Beside ours
(*quality*) stand measures that cost nothing: how long the vectors are that dlib and MobileFaceNet make of a face before
they are normalised, and how strong the finest detail is. *worse* is the share of faces that the third step makes worse,
*ratio* the median of what is left of the quality then. What does no harm must leave it at 1.

Portraits and films come from ../shared (MIEN_SHARED names another folder). `--fit` fits the measure again, to the
portraits of the people it may know, two widths each.
"""

import argparse
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.vision.films import MEDIA, SHARED
from benchmarks.vision.swap.measures import ARCFACE, OTHER_JUDGE, Judges, fine_detail, read_film
from benchmarks.vision.swap.naturalness import WIDTHS_PX, Naturalness, quality
from benchmarks.vision.swap.pairs import ALONE, LIVES
from mien.app.factory import VisionFactory
from mien.config import Settings
from mien.inference.ort import ort
from mien.media.files.images import decode_image
from mien.registry.runtime import Runtime
from mien.registry.store import Store
from mien.vision.analysis.embedder import DlibEmbedder
from mien.vision.mesh.alignment import crop_aligned, five_landmarks
from mien.vision.types import Image, Mesh, Net
from research.naturalness.damage import DAMAGE, HARMLESS, Face, cut_out, resized, width_of

STEPS: Final = 5
MIDDLE: Final = 3
WIDTHS: Final = (64, 110, 190, 280)
FRAMES_OF_A_FILM: Final = (5, 20, 35)

Row: TypeAlias = dict[str, Any]

# --- faces ---------------------------------------------------------------------------------------------------------


def known(path: Path) -> bool:
    """Tell whether the measure may know a portrait: it was fitted to two in three people who exist."""
    return SHARED / "faces_real_pd" in path.parents and zlib.crc32(path.name.encode()) % 3 > 0


def portraits(paths: Sequence[Path], judges: Judges) -> Iterator[Face]:
    """Read photos of one face each, with its mesh."""
    for path in paths:
        image = decode_image(path.read_bytes())
        (mesh,) = judges.follow([image])
        if mesh is not None and width_of(mesh) >= WIDTHS[2]:
            yield image, mesh


def fit(judges: Judges) -> Naturalness:
    """Fit the measure to the portraits it may know."""
    paths = [path for path in sorted((SHARED / "faces_real_pd").glob("*/*.jpg")) if known(path)]
    dice = np.random.default_rng(1)
    low, high = np.log(WIDTHS_PX)
    faces = []
    for image, mesh in portraits(paths, judges):
        widths = np.exp(dice.uniform(low, min(high, np.log(width_of(mesh))), 2))
        faces += [resized(image, mesh, width) for width in widths]
    print(f"fitted to {len(faces) // 2} people")
    return Naturalness.fit(faces)


def unknown_faces(judges: Judges) -> Iterator[Face]:
    """Yield portraits the measure was not fitted to, in every width up to their own."""
    dice = np.random.default_rng(2)
    for folder in ("faces_real_pd/*", "media/stills_synth"):
        paths = [path for path in sorted(SHARED.glob(f"{folder}/*.jpg")) if not known(path)]
        chosen = portraits([paths[i] for i in dice.permutation(len(paths))], judges)
        for (image, mesh), _ in zip(chosen, range(20), strict=False):
            yield from (resized(image, mesh, width) for width in WIDTHS if width <= width_of(mesh))


def filmed_faces(judges: Judges) -> Iterator[Face]:
    """Yield frames of films of which none is held out."""
    for name in ALONE:
        film = read_film(LIVES[name], judges)
        for i in FRAMES_OF_A_FILM:
            mesh = film.meshes[i]
            if mesh is not None:
                yield cut_out(film.frames[i], mesh)


# --- measures, all better when higher --------------------------------------------------------------------------------


class Lengths:
    """How long the vectors are that recognisers make of a face."""

    def __init__(self, runtime: Runtime) -> None:
        self._net: Net = runtime.open("dlib-face")
        self._dlib = DlibEmbedder(self._noting)
        self._other = ort.InferenceSession(str(OTHER_JUDGE))
        self._length = 0.0

    def _noting(self, batch: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
        found = self._net(batch)
        self._length = float(np.linalg.norm(found["embedding"]))
        return dict(found)

    def dlib(self, image: Image, mesh: Mesh) -> float:
        self._dlib(image, mesh)
        return self._length

    def mobile_face_net(self, image: Image, mesh: Mesh) -> float:
        crop = crop_aligned(image, five_landmarks(mesh), ARCFACE, 112) / 255
        crop = (crop - np.array([0.485, 0.456, 0.406])) / np.array([0.229, 0.224, 0.225])
        return float(
            np.linalg.norm(self._other.run(None, {"input0": crop.transpose(2, 0, 1)[None].astype(np.float32)}))
        )


def _ranked(values: NDArray[np.float64]) -> NDArray[np.intp]:
    return values.argsort().argsort()


def correlation(values: NDArray[np.float64]) -> float:
    """Return the mean of Spearman's correlations of rows with the steps."""
    steps = np.arange(values.shape[1])
    return float(np.mean([np.corrcoef(_ranked(row), steps)[0, 1] for row in values]))


def rows_of(faces: Sequence[Face], where: str, natural: Naturalness, lengths: Lengths) -> Iterator[Row]:
    """Damage faces and measure them."""
    for kind, damage in DAMAGE.items():
        seen: dict[str, list[list[float]]] = {name: [] for name in COLUMNS}
        for n, (image, mesh) in enumerate(faces):
            steps = [image, *(damage(image, mesh, k, np.random.default_rng(n)) for k in range(1, STEPS + 1))]
            seen["quality"].append([quality(image, made, mesh) for made in steps])
            seen["dlib"].append([lengths.dlib(made, mesh) for made in steps])
            seen["mfn"].append([lengths.mobile_face_net(made, mesh) for made in steps])
            seen["detail"].append([fine_detail(image, made, mesh) for made in steps])
        row: Row = {"faces": where, "kind": kind}
        row |= {name: correlation(np.array(values)) for name, values in seen.items()}
        middle = np.array(seen["quality"])[:, MIDDLE]
        yield row | {"worse": float((middle < 1).mean()), "ratio": float(np.median(middle))}
    for kind, change in HARMLESS.items():
        ratios = [natural.distance(*face) / natural.distance(*change(*face)) for face in faces]
        yield {
            "faces": where,
            "kind": kind,
            "worse": float(np.mean(np.array(ratios) < 1)),
            "ratio": float(np.median(ratios)),
        }


COLUMNS: Final = ("quality", "dlib", "mfn", "detail")


def measure() -> list[Row]:
    """Measure every kind of damage, print a table, and return its rows."""
    if not MEDIA.is_dir() or not OTHER_JUDGE.is_file():
        print("no ../shared: nothing to damage")
        return []
    cv2.setNumThreads(1)
    runtime = Runtime(Store(Settings().models_dir))
    judges, natural, lengths = Judges(VisionFactory(runtime), runtime), Naturalness.read(), Lengths(runtime)
    rows = []
    for where, faces in (("portraits", list(unknown_faces(judges))), ("films", list(filmed_faces(judges)))):
        undamaged = [natural.distance(*face) for face in faces]
        low, middle, high = np.percentile(undamaged, [5, 50, 95])
        print(f"\n{len(faces)} faces of {where}; undamaged, their distance is {middle:.2f} ({low:.2f} to {high:.2f})")
        print(f"{'':<18}" + "".join(f"{name:>9}" for name in (*COLUMNS, "worse", "ratio")))
        for row in rows_of(faces, where, natural, lengths):
            cells = "".join(f"{row[name]:9.2f}" if name in row else " " * 9 for name in (*COLUMNS, "worse", "ratio"))
            print(f"{row['kind']:<18}{cells}", flush=True)
            rows.append(row)
    return rows


def write_sheet(path: Path) -> None:
    """Write what each damage looks like, step by step, on one portrait of somebody who does not exist."""
    runtime = Runtime(Store(Settings().models_dir))
    judges = Judges(VisionFactory(runtime), runtime)
    image, mesh = resized(*next(portraits(sorted((MEDIA / "stills_synth").glob("*.jpg")), judges)), WIDTHS[2])
    lines = []
    for kind, damage in DAMAGE.items():
        line = []
        for step in range(STEPS + 1):
            made = damage(image, mesh, step, np.random.default_rng(1)) if step else image.copy()
            words = f"{kind} {quality(image, made, mesh):.2f}"
            line.append(cv2.putText(made.copy(), words, (4, 14), cv2.FONT_HERSHEY_SIMPLEX, 0.45, (255, 255, 255)))
        lines.append(np.hstack(line))
    cv2.imwrite(str(path), cv2.cvtColor(np.vstack(lines), cv2.COLOR_RGB2BGR))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fit", action="store_true", help="fit the measure again, and write it")
    parser.add_argument("--sheet", type=Path, help="write a picture of every damage")
    options = parser.parse_args()
    if options.fit:
        runtime = Runtime(Store(Settings().models_dir))
        fit(Judges(VisionFactory(runtime), runtime)).write()
    elif options.sheet is not None:
        write_sheet(options.sheet)
    else:
        measure()


if __name__ == "__main__":
    main()
