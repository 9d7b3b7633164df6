"""What a swap is judged by: likeness, expression, flicker, seams; none of it takes part in the swap."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.vision.films import MEDIA, SHARED
from benchmarks.vision.swap.pairs import Live
from mien.app.factory import VisionFactory
from mien.inference.ort import ort
from mien.registry.runtime import Runtime
from mien.vision.analysis.detector import CenterFaceDetector
from mien.vision.analysis.embedder import DlibEmbedder
from mien.vision.analysis.landmarks import MeshLandmarker, roi_of_detection, roi_of_mesh
from mien.vision.mesh.alignment import crop_aligned, five_landmarks
from mien.vision.mesh.geometry import head_axes, mesh_size, vertex_normals
from mien.vision.mesh.regions import inner, openings
from mien.vision.mesh.texture_map import flatten, unwrap
from mien.vision.mesh.topology import BROW_LEFT, BROW_RIGHT, EYE_LEFT, EYE_RIGHT, OVAL, lid_pairs
from mien.vision.types import Embedding, Image, Matte, Mesh

OTHER_JUDGE: Final = SHARED / "weights" / "mobilefacenet_foamliu.onnx"
FRAMES: Final = 50
MOVED: Final = {"mouth": 0.04, "eyes": 0.06, "brows": 0.02}
"""How far a part of the live face must move (5th to 95th percentile) to be compared: below, it is the mesh's noise."""
READABLE: Final = 0.9
"""How well two readings of the same live movement must agree for it to be compared with the result's."""


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

    def __init__(self, maker: VisionFactory, runtime: Runtime) -> None:
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


def hidden_share(covered: NDArray[np.bool_], image: Image, mesh: Mesh) -> float:
    """Return the share of the face that lies under covers, which may be other faces'."""
    part = _face_part(mesh, image)
    return float(covered[part][_filled(mesh, part, 0.9) > 0].mean())


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


def flicker(
    film: Film, out: Sequence[Image], covers: Sequence[NDArray[np.bool_]], swapped: Sequence[bool]
) -> tuple[float, float]:
    """Return how much more the swap, where no cover hides it, changes along a motion than the live face along its own.

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
        weight = _filled(mesh, part, 1.0) * ~(covers[i] | covers[i - 1])[part]
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
