"""A slow judge of real clips, which nobody has marked: where faces are, as far as two networks and patience can tell.

    python -m benchmarks.vision.hide.judge [clip ...]

It shares nothing with the pipeline but one network, and looks at every frame (of long clips, every second) by
itself: CenterFace at up to twice the frame's size, upright and turned, and YuNet (from ../shared/weights). What one of
them sees clearly or both see faintly is linked over time, and a face seen before and after some frames was there in
between. Its findings are kept in benchmarks/results/judge, since they take minutes a clip. What it took for a bare face
though it is none is listed in `VERDICTS`, by people who looked at the pictures.
"""

import argparse
import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.command import RESULTS
from benchmarks.vision.films import MEDIA, SHARED, read_video
from benchmarks.vision.hide.truth import Clip, TruthFace
from mien.config import Settings
from mien.registry.runtime import Runtime
from mien.registry.store import Store
from mien.vision.analysis.detector import CenterFaceDetector, suppress
from mien.vision.analysis.tracker import iou
from mien.vision.types import Box, Image

YUNET = SHARED / "weights" / "yunet_n_dynamic.onnx"
KEPT = RESULTS / "judge"
CLEAR, FAINT = 0.55, 0.3
GAP_FRAMES, LEAST_FRAMES, LONG_FRAMES = 7, 3, 300
GREY_CLIPS = ("mp_friday_1940_bw_office",)
DARK_CLIPS = ("th_tos_youngman_dark", "hd_tos_battle_motionblur", "mp_egoblur2_dinner_3people")


@dataclass(frozen=True, slots=True)
class Verdict:
    """What people say who looked at a bare "face" of the judge's: frames, place (pixels) and what is there."""

    clip: str
    first: int
    last: int
    box: tuple[int, int, int, int]
    what: str


VERDICTS = (
    Verdict("mp_friday_1940_bw_office", 41, 48, (120, 200, 159, 247), "a dark suit with a white handkerchief"),
    Verdict("mp_friday_1940_bw_office", 118, 123, (513, 187, 551, 231), "a draped cloth on a desk"),
    Verdict("mp_friday_1940_bw_office", 119, 127, (158, 316, 213, 381), "the shoulder of a jacket"),
    Verdict("mp_friday_1940_bw_office", 158, 162, (244, 220, 284, 279), "mostly hair; the profile beside it is hidden"),
    Verdict("th_humo_man_red_cheer", 0, 16, (109, 501, 250, 710), "a fist"),
    Verdict("th_humo_man_red_cheer", 36, 50, (89, 330, 229, 540), "a fist"),
    Verdict("th_humo_man_red_cheer", 78, 84, (92, 362, 225, 553), "a fist"),
    Verdict("th_tos_youngman_dark", 318, 335, (51, 255, 107, 318), "a piece of armour"),
    Verdict("hd_tos_battle_motionblur", 43, 48, (316, 142, 394, 248), "wreckage"),
    Verdict("hd_tos_battle_motionblur", 200, 208, (679, 2, 787, 107), "wreckage"),
    Verdict("hd_tos_battle_motionblur", 367, 367, (205, 175, 244, 230), "a helmet from behind"),
    Verdict("th_humo_man_red_cheer", 10, 13, (142, 375, 273, 561), "a fist"),
    Verdict("th_humo_man_red_cheer", 69, 77, (75, 427, 212, 613), "a fist"),
    Verdict("th_intel_asl_20signs_hands", 0, 100_000, (225, 192, 350, 346), "a skull printed on a hoodie"),
    Verdict("th_tos_youngman_dark", 326, 330, (89, 233, 159, 314), "a piece of armour"),
    Verdict("th_tos_youngman_dark", 331, 334, (125, 213, 196, 285), "a piece of armour"),
    Verdict("th_tos_youngman_dark", 354, 354, (449, 273, 488, 320), "wreckage"),
    Verdict("hd_tos_battle_motionblur", 448, 452, (586, 106, 619, 151), "something dark between trees"),
    Verdict("mp_intel_onebyone_backs_noface", 53, 58, (455, 28, 489, 75), "the back of a head"),
    Verdict("mp_intel_onebyone_backs_noface", 128, 129, (447, 31, 480, 74), "the back of a head"),
    Verdict("mp_intel_onebyone_backs_noface", 36, 40, (420, 82, 459, 137), "the back of a head"),
    Verdict("mp_intel_onebyone_backs_noface", 130, 235, (445, 33, 481, 76), "the back of a head"),
)
NEAR = 0.15
"""Overlap (of the union) from which a verdict's box and the judge's are one thing, which may have moved a little."""


@dataclass(slots=True)
class Sighting:
    """One face in one frame, as the judge sees it."""

    frame: int
    box: Box
    roll: float


class Judge:
    """Looks at one frame as thoroughly as it can."""

    def __init__(self) -> None:
        self._centerface = CenterFaceDetector(Runtime(Store(Settings().models_dir)).open("centerface"))
        self._yunet = cv2.FaceDetectorYN.create(str(YUNET), "", (320, 320), FAINT, 0.3)

    def __call__(self, image: Image, *, turned: bool) -> list[tuple[Box, float]]:
        """Return (box, roll in degrees) of what is surely a face; `turned` also looks for those that lie."""
        side = max(image.shape[:2])
        closest = min(1280, 2 * side)
        looks = [(closest, 0)] + [(min(640, closest), turns) for turns in (1, 2, 3) if turned]
        one = [
            (face.box_xyxy, face.score, _roll(face.landmarks))
            for long_side, turns in looks
            for face in self._centerface(image, long_side=long_side, quarter_turns=turns, threshold=FAINT)
        ]
        other = self._second(image, closest / side)
        sure = [seen for seen in (*one, *other) if seen[1] >= CLEAR]
        sure += [seen for seen in one if any(iou(seen[0], also[0]) > 0.4 for also in other)]
        boxes = np.array([box for box, _score, _roll_ in sure], np.float32).reshape(-1, 4)
        scores = np.array([score for _box, score, _roll_ in sure], np.float32)
        return [(sure[i][0], sure[i][2]) for i in suppress(boxes, scores)]

    def _second(self, image: Image, scale: float) -> list[tuple[Box, float, float]]:
        seen = cv2.cvtColor(cv2.resize(image, None, fx=scale, fy=scale), cv2.COLOR_RGB2BGR)
        self._yunet.setInputSize((seen.shape[1], seen.shape[0]))
        faces: Any = self._yunet.detect(seen)[1]  # None where there is none, whatever OpenCV's types say
        found = []
        for row in () if faces is None else np.asarray(faces, np.float32):
            x, y, width, height = row[:4] / scale
            box = np.array([x, y, x + width, y + height], np.float32)
            found.append((box, float(row[14]), _roll(row[4:14].reshape(5, 2))))
        return found


def _roll(landmarks: NDArray[np.float32] | None) -> float:
    if landmarks is None:
        return 0.0
    down = landmarks[3:].mean(axis=0) - landmarks[:2].mean(axis=0)
    return float(np.degrees(np.arctan2(-down[0], down[1])))


def link(frames: list[list[tuple[Box, float]]]) -> list[list[Sighting]]:
    """Link what was seen frame by frame into faces, fill their gaps and drop what hardly ever was there."""
    faces: list[list[Sighting]] = []
    for number, seen in enumerate(frames):
        open_faces = [face for face in faces if number - face[-1].frame <= GAP_FRAMES]
        pairs = [
            (iou(face[-1].box, box), i, j) for i, face in enumerate(open_faces) for j, (box, _r) in enumerate(seen)
        ]
        taken: set[int] = set()
        kept: set[int] = set()
        for overlap, i, j in sorted(pairs, reverse=True):
            if overlap > 0.2 and i not in kept and j not in taken:
                kept.add(i)
                taken.add(j)
                open_faces[i].append(Sighting(number, *seen[j]))
        faces += [[Sighting(number, *entry)] for j, entry in enumerate(seen) if j not in taken]
    return [_filled(face) for face in faces if len(face) >= LEAST_FRAMES]


def _filled(face: list[Sighting]) -> list[Sighting]:
    filled = face[:1]
    for seen in face[1:]:
        last = filled[-1]
        for number in range(last.frame + 1, seen.frame):
            share = np.float32((number - last.frame) / (seen.frame - last.frame))
            filled.append(Sighting(number, last.box + (seen.box - last.box) * share, seen.roll))
        filled.append(seen)
    return filled


# --- clips -------------------------------------------------------------------------------------------------------


def real_clips() -> list[Clip]:
    """Return the real clips that the judge has seen; `main` makes it look at them."""
    clips = []
    for path in sorted(MEDIA.glob("video_*/*.mp4")):
        name, verdict = path.stem, KEPT / f"{path.stem}.json"
        if verdict.exists():
            light = "grey" if name in GREY_CLIPS else "dark" if name in DARK_CLIPS else "day"
            clips.append(Clip(name, _fps(path), partial(_judged, path, verdict), light=light, exact=False))
    return clips


def _fps(path: Path) -> float:
    return float(cv2.VideoCapture(str(path)).get(cv2.CAP_PROP_FPS))


def _judged(path: Path, verdict: Path) -> Iterator[tuple[Image, list[TruthFace]]]:
    frames: dict[int, list[dict[str, Any]]] = {int(n): faces for n, faces in json.loads(verdict.read_text()).items()}
    for number, image in enumerate(read_video(path)):
        height, width = image.shape[:2]
        faces = []
        for face in frames.get(number, []):
            box = np.array(face["box"], np.float32)
            x0, y0, x1, y1 = np.clip(box, 0, [width, height, width, height]).astype(int)
            whole = float((box[2:] - box[:2]).prod())
            shown = (x1 - x0) * (y1 - y0) / max(whole, 1.0)
            if not _is_settled(path.stem, number, box) and x1 > x0 and y1 > y0:
                seen = np.ones((y1 - y0, x1 - x0), bool)
                faces.append(TruthFace(face["id"], int(x0), int(y0), seen, float(box[2] - box[0]), face["roll"], shown))
        yield image, faces


def _is_settled(clip: str, frame: int, box: Box) -> bool:
    """Tell whether a verdict speaks of this."""
    return any(
        verdict.clip == clip
        and verdict.first <= frame <= verdict.last
        and iou(box, np.array(verdict.box, np.float32)) > NEAR
        for verdict in VERDICTS
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clips", nargs="*", metavar="clip", help="names of files in ../shared/media; all, if none")
    wanted = set(parser.parse_args().clips)
    cv2.setNumThreads(1)
    judge = Judge()
    KEPT.mkdir(parents=True, exist_ok=True)
    for path in sorted(MEDIA.glob("video_*/*.mp4")):
        if path.with_suffix(".gt.json").exists() or (wanted and path.stem not in wanted):
            continue
        images = list(read_video(path))
        every = 2 if len(images) > LONG_FRAMES else 1
        frames = [judge(image, turned=n % 6 == 0) if n % every == 0 else [] for n, image in enumerate(images)]
        rows: dict[int, list[dict[str, Any]]] = {}
        for face_id, face in enumerate(link(frames)):
            for seen in face:
                box = [round(float(value), 1) for value in seen.box]
                rows.setdefault(seen.frame, []).append({"id": f"face {face_id}", "box": box, "roll": round(seen.roll)})
        (KEPT / f"{path.stem}.json").write_text(json.dumps(rows) + "\n")
        print(f"{path.stem}: {len(frames)} frames, {sum(map(len, rows.values()))} face frames", flush=True)


if __name__ == "__main__":
    main()
