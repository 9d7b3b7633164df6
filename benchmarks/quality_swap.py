"""How well a swap is believed: likeness, expression, flicker, seams and cost on pairs of a clip and a photo.

    python benchmarks/quality_swap.py [--pairs held-out|tuning] [--only NAME ...] [--sheets FOLDER]

Each frame passes through the whole pipeline. What comes out is judged by what the swap itself does not use: dlib's
recogniser (which the pipeline uses to know people, never to swap), MobileFaceNet where its file is beside the checkout,
and a mesh laid anew on the result. Clips and photos come from ../shared/media, or from the folder that MIEN_SHARED
names. No constant of the swap was chosen by the held-out pairs; the tuning pairs are other photos on other stretches of
film. Without the folder, two photos in the public domain are swapped in a scene made by code, which says little.

`--sheets` writes one picture a pair: the photo, live frames, and below each what goes out. Look at them.
"""

import argparse
import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final, TypeAlias
from unittest import mock

import cv2
import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from mien.config import Settings
from mien.registry.runtime import Runtime
from mien.registry.store import Store
from mien.sessions.eyes import EyesMaker
from mien.sessions.wishes import FacePhoto, Wishes
from mien.vision.alignment import crop_aligned, five_landmarks
from mien.vision.detector import CenterFaceDetector
from mien.vision.embedder import DlibEmbedder
from mien.vision.faces import Embedding, Image, Matte, Mesh
from mien.vision.geometry import head_axes, mesh_size, vertex_normals
from mien.vision.landmarks import MeshLandmarker, roi_of_detection, roi_of_mesh
from mien.vision.mosaic import Cover, draw_covers
from mien.vision.regions import inner, openings
from mien.vision.topology import BROW_LEFT, BROW_RIGHT, EYE_LEFT, EYE_RIGHT, OVAL, lid_pairs
from mien.vision.unwrap import flatten, unwrap
from support.photos import as_png, hopper
from support.scenes import astronaut_frame

SHARED = Path(os.environ.get("MIEN_SHARED", ROOT.parent / "shared"))
MEDIA = SHARED / "media"
OTHER_JUDGE = SHARED / "weights" / "mobilefacenet_foamliu.onnx"

FRAMES: Final = 50
LOOKS: Final = 6
"""Frames of a pair that the recognisers see."""
MOVED: Final = {"mouth": 0.04, "eyes": 0.06, "brows": 0.02}
"""How far a part of the live face must move (5th to 95th percentile) to be compared: below, it is the mesh's noise."""
READABLE: Final = 0.9
"""How well two readings of the same live movement must agree for it to be compared with the result's."""
BARE_SHARE: Final = 0.85
"""A face of which less than this share of the skin between brows and chin was changed went out bare."""

HIDDEN_SHARE: Final = 0.3
"""A face of which more than this share lies under a cover, whole or lifting, is not counted as swapped."""

Row: TypeAlias = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Live:
    """A stretch of film. `part_xywh` cuts a person out of it; `enlarge` makes a small one larger."""

    clip: str
    first: int = 0
    part_xywh: tuple[int, int, int, int] | None = None
    enlarge: int = 1


_GROUP = "video_multi/mp_intel_face-demographics-walking-and-pause_x2"
LIVES: Final = {
    # held out
    "street": Live("video_talking/th_humo_woman_street"),
    "cheer": Live("video_talking/th_humo_man_red_cheer"),
    "glasses": Live("video_talking/th_egoblur_woman_glasses_walk", 300),
    "dark": Live("video_talking/th_tos_youngman_dark", 20),
    "turning": Live("video_talking/th_intel_head-pose-face-detection-female_x3"),
    "signer-2": Live("video_talking/th_intel_asl_20signs_hands", 205),
    "signer-3": Live("video_talking/th_intel_asl_20signs_hands", 290),
    "backlit": Live("video_talking/th_tfjs_woman_glasses_tilt", 220),
    "group-left": Live(_GROUP, 0, (10, 0, 170, 270), 3),
    "group-middle": Live(_GROUP, 0, (165, 0, 130, 270), 3),
    "group-right": Live(_GROUP, 0, (265, 0, 170, 270), 3),
    # for tuning
    "lab": Live("video_talking/th_humo_woman_lab"),
    "lab-turned": Live("video_talking/th_humo_woman_lab", 46),
    "backlit-early": Live("video_talking/th_tfjs_woman_glasses_tilt", 30),
    "glasses-early": Live("video_talking/th_egoblur_woman_glasses_walk", 70),
    "signer-1": Live("video_talking/th_intel_asl_20signs_hands", 50),
    "grin": Live("video_talking/th_intel_head-pose-face-detection-male_x3", 45),
}

HELD_OUT: Final = (
    ("street", "flux_man_0056"), ("street", "sfhq_004"), ("street", "sfhq_007"), ("street", "sfhq_026"),
    ("cheer", "sfhq_010"), ("cheer", "sfhq_021"), ("cheer", "flux_man_0154"),
    ("glasses", "sfhq_016"), ("glasses", "sfhq_078"), ("glasses", "sfhq_002"),
    ("dark", "sfhq_056"), ("dark", "flux_man_0017"),
    ("turning", "sfhq_052"), ("turning", "sfhq_022"),
    ("signer-2", "sfhq_031"), ("signer-2", "sfhq_017"),
    ("signer-3", "sfhq_028"), ("signer-3", "sfhq_084"),
    ("backlit", "flux_man_0177"), ("backlit", "sfhq_012"), ("backlit", "sfhq_069"),
    ("group-left", "sfhq_029"), ("group-middle", "sfhq_061"), ("group-right", "sfhq_001"),
)  # fmt: skip
TUNING: Final = (
    ("lab", "sfhq_003"), ("lab", "sfhq_057"), ("lab", "sfhq_014"), ("lab", "sfhq_015"),
    ("lab-turned", "sfhq_035"), ("lab-turned", "sfhq_005"),
    ("backlit-early", "flux_man_0001"), ("backlit-early", "sfhq_018"), ("backlit-early", "sfhq_041"),
    ("glasses-early", "sfhq_075"), ("glasses-early", "flux_man_0119"),
    ("signer-1", "sfhq_008"), ("signer-1", "sfhq_009"),
    ("grin", "sfhq_027"), ("grin", "sfhq_033"),
)  # fmt: skip


# --- what is compared ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Film:
    """Live frames and the mesh of the person in each; None where no face could be read.

    `control` is the mesh laid again on the same live frames, coded once more: what it measures otherwise is its noise.
    """

    frames: list[Image]
    meshes: list[Mesh | None]
    control: list[Mesh | None]
    fps: float


class Judges:
    """What tells faces apart and finds landmarks, outside the swap."""

    def __init__(self, maker: EyesMaker, runtime: Runtime) -> None:
        self.maker = maker
        self._detect = CenterFaceDetector(runtime.open("centerface"))
        self._lay = MeshLandmarker(runtime.open("face-mesh"))
        self._dlib = DlibEmbedder(runtime.open("dlib-face"))
        self._other = ort.InferenceSession(str(OTHER_JUDGE)) if OTHER_JUDGE.is_file() else None

    def embed(self, image: Image, mesh: Mesh) -> list[Embedding]:
        """Return what dlib and, where there is one, the other judge make of a face."""
        seen = [self._dlib(image, mesh)]
        return seen if self._other is None else [*seen, _mobile_face_net(self._other, image, mesh)]

    def again(self, image: Image, mesh: Mesh) -> tuple[Mesh, float]:
        """Lay the mesh on a face anew, knowing only roughly where it is."""
        return self._lay.settle(image, roi_of_mesh(mesh))

    def follow(self, frames: Sequence[Image]) -> list[Mesh | None]:
        """Lay the mesh on the one face, frame after frame."""
        meshes: list[Mesh | None] = []
        last: Mesh | None = None
        for image in frames:
            mesh, score = self._lay(image, roi_of_mesh(last)) if last is not None else self._begin(image)
            last = mesh if score >= 0.5 else None
            meshes.append(last)
        return meshes

    def _begin(self, image: Image) -> tuple[Mesh | None, float]:
        seen = self._detect(image, long_side=640)
        if not seen:
            return None, 0.0
        nearest = max(seen, key=lambda face: float(face.box_xyxy[3] - face.box_xyxy[1]))
        return self._lay.settle(image, roi_of_detection(nearest))


ARCFACE = np.array([[38.29, 51.70], [73.53, 51.50], [56.03, 71.74], [41.55, 92.37], [70.73, 92.20]], np.float32)


def _mobile_face_net(net: ort.InferenceSession, image: Image, mesh: Mesh) -> Embedding:
    crop = crop_aligned(image, five_landmarks(mesh), ARCFACE, 112).astype(np.float32) / 255
    crop = (crop - np.array([0.485, 0.456, 0.406])) / np.array([0.229, 0.224, 0.225])
    vector = net.run(None, {"input0": crop.transpose(2, 0, 1)[None].astype(np.float32)})[0].reshape(-1)
    return np.asarray(vector / np.linalg.norm(vector), np.float32)


def film_of(frames: list[Image], judges: Judges, fps: float) -> Film:
    """Follow the person through frames."""
    meshes = judges.follow(frames)
    again = [None if m is None else judges.again(_coded(f), m)[0] for f, m in zip(frames, meshes, strict=True)]
    return Film(frames, meshes, again, fps)


def _coded(image: Image) -> Image:
    _ok, jpeg = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 80])
    return np.asarray(cv2.imdecode(jpeg, cv2.IMREAD_COLOR), np.uint8)


def read_film(live: Live, judges: Judges) -> Film:
    """Read a stretch of film and follow the person in it."""
    video = cv2.VideoCapture(str(MEDIA / f"{live.clip}.mp4"))
    fps = float(video.get(cv2.CAP_PROP_FPS)) or 25.0
    for _ in range(live.first):
        video.grab()
    frames: list[Image] = []
    while len(frames) < FRAMES:
        read, bgr = video.read()
        if not read:
            break
        if live.part_xywh is not None:
            x, y, w, h = live.part_xywh
            bgr = cv2.resize(
                bgr[y : y + h, x : x + w], None, fx=live.enlarge, fy=live.enlarge, interpolation=cv2.INTER_CUBIC
            )
        frames.append(np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), np.uint8))
    return film_of(frames, judges, fps)


def composed_film(judges: Judges) -> Film:
    """Return the scene made by code."""
    frames = [astronaut_frame(i / 25) for i in range(FRAMES)]
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
    """What goes out for a film: pictures, how many faces had which treatment, and what was covered in each frame.

    `cpu_ms` is the median CPU time of a swap.
    """

    images: list[Image]
    counts: list[dict[str, int]]
    covers: list[list[Cover]]
    cpu_ms: float


def treat(runtime: Runtime, film: Film, photo: FacePhoto) -> Treated:
    """Pass a film through the pipeline."""
    clock, covers = SwapClock(), []

    def noting(image: Image, drawn: Sequence[Cover], **kind: Any) -> None:
        covers.append(list(drawn))
        draw_covers(image, drawn, **kind)

    maker = EyesMaker(runtime, span=clock)
    pipeline = maker.pipeline(Wishes(swap_to=photo), fps=film.fps)
    with mock.patch("mien.vision.pipeline.draw_covers", noting):  # once for each frame that leaves
        treated = [pipeline(frame.copy(), at=i / film.fps) for i, frame in enumerate(film.frames)]
        out = [frame for frame in [*treated, *pipeline.flush()] if frame is not None]
    cpu_ms = float(np.median(clock.spans_ms[5:])) if len(clock.spans_ms) > 5 else float("nan")
    return Treated([frame.image for frame in out], [frame.counts for frame in out], covers, cpu_ms)


# --- the measures ----------------------------------------------------------------------------------------------


def mouth_open(mesh: Mesh) -> float:
    return float(np.linalg.norm(mesh[13] - mesh[14])) / mesh_size(mesh)


def eyes_open(mesh: Mesh) -> float:
    shares = []
    for ring in (EYE_LEFT, EYE_RIGHT):
        upper, lower = lid_pairs(ring)
        width = float(np.linalg.norm(mesh[ring[0]] - mesh[ring[len(ring) // 2]]))
        shares.append(float(np.linalg.norm(mesh[upper[2:5]] - mesh[lower[2:5]], axis=1).mean()) / max(width, 1e-6))
    return float(np.mean(shares))


def brows_up(mesh: Mesh) -> float:
    """Return the height of the brows over the lower lids, which do not follow them."""
    down = head_axes(mesh)[1]
    pairs = ((BROW_LEFT, (145, 153, 144)), (BROW_RIGHT, (374, 380, 373)))
    return float(np.mean([(mesh[list(lid)].mean(0) - mesh[brow].mean(0)) @ down for brow, lid in pairs])) / mesh_size(
        mesh
    )


EXPRESSION = {"mouth": mouth_open, "eyes": eyes_open, "brows": brows_up}


def kept(before: Sequence[Mesh], control: Sequence[Mesh], after: Sequence[Mesh]) -> dict[str, float]:
    """Return the correlation of each part's movement before and after.

    Not a number where the part hardly moved, or where the mesh cannot even read the live movement twice alike.
    """
    result = {}
    for part, measure_of in EXPRESSION.items():
        live = np.array([measure_of(mesh) for mesh in before])
        made = np.array([measure_of(mesh) for mesh in after])
        twice = np.array([measure_of(mesh) for mesh in control])
        moved = len(live) > 9 and np.subtract(*np.percentile(live, [95, 5])) >= MOVED[part] and made.std() > 0
        moved = moved and np.corrcoef(live, twice)[0, 1] >= READABLE
        result[part] = float(np.corrcoef(live, made)[0, 1]) if moved else float("nan")
    return result


def pose_error(before: Mesh, after: Mesh) -> float:
    """Return by how many degrees the head seems to have turned."""
    turn = head_axes(before) @ head_axes(after).T
    return float(np.degrees(np.arccos(np.clip((np.trace(turn) - 1) / 2, -1, 1))))


@cache
def _skin() -> NDArray[np.bool_]:
    eyes = cv2.dilate(openings(128), np.ones((7, 7), np.uint8)) > 0.01
    return np.asarray((inner(128) > 0.99) & ~eyes)


def changed_share(before: Image, after: Image, mesh: Mesh) -> float:
    """Return the share of the visible skin between brows and chin that differs by more than what could be chance."""
    apart = np.abs(unwrap(before, mesh, 128).astype(np.int16) - unwrap(after, mesh, 128)).max(axis=2)
    visible = _skin() & (flatten(-vertex_normals(mesh), 128)[..., 2] > 0.25)
    return float((apart[visible] >= 2).mean())


def hidden_share(covers: Sequence[Cover], image: Image, mesh: Mesh) -> float:
    """Return the share of the face that lies under covers, which may be other faces'."""
    part = _face_part(mesh, image)
    under = np.zeros(image.shape[:2], bool)
    for cover in covers:
        x0, y0, x1, y1 = np.round(cover.area_xyxy).astype(int).clip(0, None)
        under[y0:y1, x0:x1] = True
    return float(under[part][_filled(mesh, part, 0.9) > 0].mean())


def _face_part(mesh: Mesh, image: Image) -> tuple[slice, slice]:
    low, high = mesh[OVAL, :2].min(axis=0), mesh[OVAL, :2].max(axis=0)
    margin = 0.15 * (high - low)
    x0, y0 = np.maximum(np.floor(low - margin), 0).astype(int)
    x1, y1 = np.minimum(np.ceil(high + margin), image.shape[1::-1]).astype(int)
    return slice(y0, y1), slice(x0, x1)


def _filled(mesh: Mesh, part: tuple[slice, slice], scale: float) -> Matte:
    """Return the face's oval, grown or shrunk by `scale`, in pixels of `part`."""
    oval = mesh[OVAL, :2]
    middle = oval.mean(axis=0)
    points = (oval - middle) * scale + middle - (part[1].start, part[0].start)
    drawn = np.zeros((part[0].stop - part[0].start, part[1].stop - part[1].start), np.uint8)
    cv2.fillPoly(drawn, [np.round(points).astype(np.int32)], 1)
    return drawn.astype(np.float32)


def _luma(image: Image) -> NDArray[np.uint8]:
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), np.uint8)


def flicker(film: Film, out: Sequence[Image], swapped: Sequence[bool]) -> tuple[float, float]:
    """Return how much more the result changes along a motion than the live face does along its own.

    Returns:
        Along the motion seen in the result, which is what flickers; and along the motion seen in the live face, which
        also counts a beard or a fold that moves otherwise than the smooth skin it is drawn on, and what swims.
    """
    flow_of = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    sums = np.zeros(3)
    for i in range(1, len(out)):
        mesh = film.meshes[i]
        if mesh is None or not (swapped[i] and swapped[i - 1]):
            continue
        part = _face_part(mesh, film.frames[i])
        live, live_before = _luma(film.frames[i][part]), _luma(film.frames[i - 1][part])
        made, made_before = _luma(out[i][part]), _luma(out[i - 1][part])
        moved = flow_of.calc(live, live_before, np.zeros((*live.shape, 2), np.float32))
        made_moved = flow_of.calc(made, made_before, np.zeros((*live.shape, 2), np.float32))
        weight = _filled(mesh, part, 1.0)
        sums += (
            _change(live, live_before, moved, weight),
            _change(made, made_before, made_moved, weight),
            _change(made, made_before, moved, weight),
        )
    return (sums[1] / sums[0], sums[2] / sums[0]) if sums[0] else (float("nan"), float("nan"))


def _change(
    now: NDArray[np.uint8], before: NDArray[np.uint8], flow: NDArray[Any], weight: NDArray[np.float32]
) -> float:
    x = flow[..., 0] + np.arange(now.shape[1], dtype=np.float32)
    y = flow[..., 1] + np.arange(now.shape[0], dtype=np.float32)[:, None]
    carried = cv2.remap(before, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return float((cv2.absdiff(now, np.asarray(carried, np.uint8)) * weight).sum())


def seam(before: Image, after: Image, mesh: Mesh) -> float:
    """Return the gradient across the edge of the face after the swap over that before, in a band along it."""
    part = _face_part(mesh, before)
    band = np.maximum(_filled(mesh, part, 1.02) - _filled(mesh, part, 0.82), 0)
    fine = max(0.8, 0.004 * mesh_size(mesh))

    def energy(image: Image) -> float:
        soft = cv2.GaussianBlur(_luma(image[part]).astype(np.float32), (0, 0), fine)
        return float((np.hypot(cv2.Sobel(soft, cv2.CV_32F, 1, 0), cv2.Sobel(soft, cv2.CV_32F, 0, 1)) * band).sum())

    return energy(after) / max(energy(before), 1e-6)


def fine_detail(before: Image, after: Image, mesh: Mesh) -> float:
    """Return the finest detail (Laplacian) of the face after the swap over that before: below 1 it looks waxy."""
    part = _face_part(mesh, before)
    weight = _filled(mesh, part, 0.85)

    def energy(image: Image) -> float:
        return float((np.abs(cv2.Laplacian(_luma(image[part]).astype(np.float32), cv2.CV_32F)) * weight).sum())

    return energy(after) / max(energy(before), 1e-6)


# --- a pair ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Pair:
    """A clip and a photo."""

    live: str
    photo: str
    film: Film
    reference: FacePhoto


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
    row["flicker"], row["swims"] = flicker(film, out, swapped)
    row |= {
        "pose": _mean([pose_error(_mesh(film, i), again[i][0]) for i in found]),
        "seam": _mean([seam(film.frames[i], out[i], _mesh(film, i)) for i in there[::5]]),
        "detail": _mean([fine_detail(film.frames[i], out[i], _mesh(film, i)) for i in there[::5]]),
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
    looks = _spread(list(again), LOOKS)
    photo = judges.maker.one_face(pair.reference.image, name=pair.photo)
    wanted = judges.embed(pair.reference.image, photo.mesh)
    live = [judges.embed(pair.film.frames[i], _mesh(pair.film, i)) for i in _spread(_readable(pair.film), LOOKS)]
    made = [judges.embed(out[i], again[i][0]) for i in looks]
    row: Row = {}
    for n, name in enumerate(("dlib", "mfn")[: len(wanted)]):
        person = np.mean([vectors[n] for vectors in live], axis=0)
        person /= np.linalg.norm(person)
        row["before" if n == 0 else f"{name}_before"] = float(person @ wanted[n])
        row[name] = _mean([float(vectors[n] @ wanted[n]) for vectors in made])
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


def cost(runtime: Runtime, name: str, face_px: int) -> Row:
    """Return the CPU time of swapping a face of a given size in a 720p scene made by code."""
    photo = FacePhoto.from_bytes(as_png(hopper()), name="hopper")
    frames = [astronaut_frame(i / 30, face_px=face_px) for i in range(45)]
    film = Film(frames, Judges(EyesMaker(runtime), runtime).follow(frames[:1]), [], 30.0)
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


COLUMNS = (
    "before", "dlib", "dlib_live", "mfn", "mfn_live", "mouth", "eyes", "brows", "pose", "flicker", "swims", "seam",
    "detail", "found", "swapped", "bare", "face_px", "cpu_ms",
)  # fmt: skip


def line(row: Row) -> str:
    cells = [
        f"{row.get(name, float('nan')):8.{1 if name in {'pose', 'face_px', 'cpu_ms'} else 3}f}" for name in COLUMNS
    ]
    return f"{row['live']:<14}{row['photo']:<14}" + "".join(cells)


def measure(pairs: str = "held-out", only: Sequence[str] = (), sheets: Path | None = None) -> list[Row]:
    """Measure every pair, print a table, and return its rows, the mean and the worst of each column last."""
    cv2.setNumThreads(1)
    runtime = Runtime(Store(Settings().models_dir))
    judges = Judges(EyesMaker(runtime), runtime)
    print(
        f"{pairs} pairs: each frame through the whole pipeline\n{'live':<14}{'photo':<14}"
        + "".join(f"{n[-7:]:>8}" for n in COLUMNS)
    )
    rows = []
    for pair in _pairs(pairs, judges, only):
        rows.append(judge(pair, judges, runtime, sheets))
        print(line(rows[-1]), flush=True)
    mean = {"live": "mean", "photo": ""} | {
        name: _mean([row.get(name, float("nan")) for row in rows]) for name in COLUMNS
    }
    print(line(mean))
    costs = [] if only else [cost(runtime, name, px) for name, px in (("medium", 231), ("near", 374))]
    for row in costs:
        print(f"{row['cost']} face, {row['face_px']:.0f} px wide: {row['cpu_ms']:.1f} ms CPU a frame")
    return [*rows, mean, *costs]


def _pairs(pairs: str, judges: Judges, only: Sequence[str]) -> Iterator[Pair]:
    if MEDIA.is_dir():
        return pairs_of(HELD_OUT if pairs == "held-out" else TUNING, judges, only)
    print("no ../shared/media: one pair of public-domain photos in a scene made by code, far from a real judgement")
    reference = FacePhoto.from_bytes(as_png(hopper()), name="hopper")
    return iter([Pair("composed", "hopper", composed_film(judges), reference)])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", choices=("held-out", "tuning"), default="held-out")
    parser.add_argument("--only", nargs="*", default=(), help="words of the live clip or the photo")
    parser.add_argument("--sheets", type=Path, help="folder for contact sheets")
    options = parser.parse_args()
    measure(options.pairs, options.only, options.sheets)


if __name__ == "__main__":
    main()
