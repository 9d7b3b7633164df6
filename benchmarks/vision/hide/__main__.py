"""What a mosaic leaves bare: every face of every frame of clips whose truth is known, under the settings in use.

    python -m benchmarks.vision.hide [--only WORD ...] [--settings NAME ...]

A face frame counts where a face of at least 24 px of width is at least half in the picture and unhidden; it is *bare*
when less than 90 % of the face's seen pixels were changed. A *leak event* is a run of bare frames of one person. All
settings run side by side over the same frames. Real clips follow where `quality_judge` has looked at them; in their
breakdown the judge's word stands for the truth.
"""

import zlib
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import islice, pairwise
from typing import Any, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.command import command, keep, parse
from benchmarks.vision.hide.composed import composed
from benchmarks.vision.hide.judge import real_clips
from benchmarks.vision.hide.truth import Clip, TruthFace, clips_with_truth
from mien.app.factory import VisionFactory
from mien.app.files.options import file_spec
from mien.app.ports import StreamSpec
from mien.config import Settings
from mien.registry.runtime import Runtime
from mien.registry.store import Store
from mien.vision.pipeline import FacePipeline
from mien.vision.render.label import Label
from mien.vision.render.label_place import NOTHING, InTheWay
from mien.vision.render.mosaic import cover_box
from mien.vision.types import Image, Net
from support.policies import live_swap

COUNTS_FROM_PX, MUST_HIDE_FROM_PX = 24.0, 32.0
COVERED = 0.9
SIZES = (24, 32, 48, 64, 96, 10_000)
ROLLS = (0, 30, 60, 120, 181)

Setting: TypeAlias = Callable[[VisionFactory, float], FacePipeline]
SETTINGS: dict[str, Setting] = {
    "file 0": lambda maker, fps: maker.pipeline(file_spec(mosaic=True, delay_frames=0), fps=fps),
    "file 2": lambda maker, fps: maker.pipeline(file_spec(mosaic=True, delay_frames=2), fps=fps),
    "file 6": lambda maker, fps: maker.pipeline(file_spec(mosaic=True), fps=fps),
    "live": lambda maker, _fps: maker.build(StreamSpec()),
    "beside swap": lambda maker, _fps: maker.build(live_swap()),
}
DEFAULT = "file 6"


@dataclass(frozen=True, slots=True)
class FaceFrame:
    """What became of one face in one frame."""

    clip: str
    light: str
    face_id: str
    frame: int
    at: float
    size_px: float
    roll: float
    box: tuple[int, int, int, int]
    covered: float

    @property
    def bare(self) -> bool:
        """True where too much of the face can be seen."""
        return self.covered < COVERED


@dataclass(slots=True)
class Result:
    """What one setting made of one clip."""

    clip: Clip
    setting: str
    face_frames: list[FaceFrame] = field(default_factory=list)
    needless: list[float] = field(default_factory=list)


class RememberingRuntime(Runtime):
    """Networks that answer a picture which they have just seen from memory: the settings look at the same things."""

    def open(self, card_id: str) -> Any:  # a Network, remembering
        return self._remembering(super().open(card_id))

    @staticmethod
    def _remembering(net: Net) -> Net:
        known: dict[tuple[int, tuple[int, ...]], dict[str, NDArray[np.float32]]] = {}
        order: deque[tuple[int, tuple[int, ...]]] = deque()

        def answer(batch: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
            key = (zlib.crc32(batch.data), batch.shape)
            if key not in known:
                known[key] = net(batch)
                order.append(key)
                if len(order) > 200:
                    del known[order.popleft()]
            return {name: out.copy() for name, out in known[key].items()}

        return answer


def measure(only: Sequence[str], settings: Sequence[str], *, frames: int | None = None) -> list[dict[str, Any]]:
    """Play the clips whose names hold one of the words of `only`, or all of them; so many frames of each, or all."""
    cv2.setNumThreads(1)
    maker = VisionFactory(RememberingRuntime(Store(Settings().models_dir)))
    results: list[Result] = []
    for clip in [*clips_with_truth(), *composed(maker), *real_clips()]:
        if only and not any(word in clip.name for word in only):
            continue
        results += play(maker, clip, settings, frames)
        _print_clip(results[-len(settings) :], header=len(results) == len(settings))
    _print_breakdown(results)
    return [row_of(result) for result in results]


def play(maker: VisionFactory, clip: Clip, settings: Sequence[str], frames: int | None) -> list[Result]:
    """Run a clip through every setting side by side."""
    lanes = [(Result(clip, name), _without_label(SETTINGS[name](maker, clip.fps))) for name in settings]
    waiting: deque[tuple[int, Image, list[TruthFace]]] = deque()
    gone = dict.fromkeys(settings, 0)  # how many frames each setting has let go
    for number, (image, faces) in enumerate(islice(clip.frames(), frames)):
        waiting.append((number, image, faces))
        for result, pipeline in lanes:
            treated = pipeline(image.copy(), at=number / clip.fps)
            if treated is not None:
                _judge(result, treated.image, *waiting[gone[result.setting] - waiting[0][0]])
                gone[result.setting] += 1
        while waiting and waiting[0][0] < min(gone.values()):
            waiting.popleft()
    for result, pipeline in lanes:
        for treated in pipeline.flush():
            _judge(result, treated.image, *waiting[gone[result.setting] - waiting[0][0]])
            gone[result.setting] += 1
    return [result for result, _pipeline in lanes]


class NoLabel(Label):
    """Draws nothing: a label over a face would count as its cover."""

    def draw(self, image: Image, way: InTheWay = NOTHING, *, at: float = 0.0) -> None:
        """Leave the picture as it is."""


def _without_label(pipeline: FacePipeline) -> FacePipeline:
    pipeline._renderer._label = NoLabel("en")  # noqa: SLF001  # no setting takes the label away, and none should
    return pipeline


def _judge(result: Result, after: Image, number: int, before: Image, faces: list[TruthFace]) -> None:
    """Compare a treated frame with the camera's."""
    same = np.asarray(cv2.inRange(cv2.absdiff(before, after), np.zeros(3), np.zeros(3)), np.uint8)
    changed = np.uint8(1) - same // 255
    # Now and then a cell has the very colour that was there before.
    changed = np.asarray(cv2.morphologyEx(changed, cv2.MORPH_CLOSE, np.ones((5, 5), np.uint8)), np.uint8)
    wanted = np.zeros_like(changed)
    for face in faces:
        height, width = face.seen.shape
        place = (slice(face.top, face.top + height), slice(face.left, face.left + width))
        area = cover_box(np.array([face.left, face.top, face.left + width, face.top + height], np.float32))
        x0, y0, x1, y1 = area.round().astype(int).clip(0, None)
        wanted[y0:y1, x0:x1] = 1
        if face.size_px < COUNTS_FROM_PX or (face.shown < 0.5 and not face.tells):
            continue
        covered = float(changed[place][face.seen].mean())
        if result.setting == "beside swap" and covered > 0.5:
            covered = 1.0  # the one who is swapped: a persona covers the features, not the last pixel of the oval
        box = (face.left, face.top, face.left + width, face.top + height)
        at, clip = number / result.clip.fps, result.clip
        result.face_frames.append(
            FaceFrame(clip.name, clip.light, face.id, number, at, face.size_px, face.roll, box, covered)
        )
    result.needless.append(float((changed & (1 - wanted)).mean()))


# --- what it comes to ----------------------------------------------------------------------------------------------


def leak_events(face_frames: Iterable[FaceFrame], *, from_px: float = MUST_HIDE_FROM_PX) -> list[list[FaceFrame]]:
    """Return the runs of bare frames of each face of at least `from_px`."""
    people: dict[tuple[str, str], list[FaceFrame]] = defaultdict(list)
    for seen in face_frames:
        if seen.size_px >= from_px and seen.bare:
            people[seen.clip, seen.face_id].append(seen)
    events: list[list[FaceFrame]] = []
    for bare in people.values():
        for i, seen in enumerate(bare):
            if i and seen.frame == bare[i - 1].frame + 1:
                events[-1].append(seen)
            else:
                events.append([seen])
    return events


def times_to_mask(result: Result, *, after_cuts: bool) -> list[float]:
    """Return, for every entry of a face of at least 32 px (or every cut that brings one), ms until it is covered."""
    people: dict[str, list[FaceFrame]] = defaultdict(list)
    for seen in result.face_frames:
        if seen.size_px >= MUST_HIDE_FROM_PX:
            people[seen.face_id].append(seen)
    times = []
    for frames in people.values():
        for i, seen in enumerate(frames):
            if i and seen.frame == frames[i - 1].frame + 1:
                continue
            if (seen.frame in result.clip.cuts) is after_cuts:
                covered = next((later.frame for later in frames[i:] if not later.bare), frames[-1].frame + 1)
                times.append((covered - seen.frame) * 1e3 / result.clip.fps)
    return times


def row_of(result: Result) -> dict[str, Any]:
    """Return what is to be said of one setting and one clip."""
    small = [seen for seen in result.face_frames if seen.size_px < MUST_HIDE_FROM_PX]
    large = [seen for seen in result.face_frames if seen.size_px >= MUST_HIDE_FROM_PX]
    events = leak_events(large)
    entry, cut = times_to_mask(result, after_cuts=False), times_to_mask(result, after_cuts=True)
    return {
        "clip": result.clip.name,
        "setting": result.setting,
        "face_frames": len(large),
        "bare": sum(seen.bare for seen in large),
        "leak_events": len(events),
        "longest_leak_ms": round(max((len(e) for e in events), default=0) * 1e3 / result.clip.fps),
        "recall_32": _share_covered(large),
        "recall_24": _share_covered(small),
        "to_mask_on_entry_ms": round(max(entry, default=0.0)),
        "to_mask_after_cut_ms": round(max(cut, default=0.0)),
        "needless_share": round(float(np.mean(result.needless)), 4),
        "needless_worst": round(float(np.max(result.needless)), 4),
        "events": [
            {"face": e[0].face_id, "frames": [e[0].frame, e[-1].frame], "box": e[0].box, "roll": round(e[0].roll)}
            for e in events
        ],
    }


def _share_covered(face_frames: list[FaceFrame]) -> float | None:
    return round(1 - sum(f.bare for f in face_frames) / len(face_frames), 4) if face_frames else None


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.2f}"


def _print_clip(results: list[Result], *, header: bool) -> None:
    if header:
        print(
            f"{'clip':<30} {'setting':<12} {'faces':>6} {'bare':>5} {'events':>6} {'longest ms':>10} {'recall %':>8} "
            f"{'24-32 px':>8} {'entry ms':>8} {'cut ms':>6} {'needless %':>10} {'worst %':>8}"
        )
    for result in results:
        row = row_of(result)
        print(
            f"{row['clip']:<30} {row['setting']:<12} {row['face_frames']:>6} {row['bare']:>5} {row['leak_events']:>6} "
            f"{row['longest_leak_ms']:>10} {_percent(row['recall_32']):>8} {_percent(row['recall_24']):>8} "
            f"{row['to_mask_on_entry_ms']:>8} {row['to_mask_after_cut_ms']:>6} {100 * row['needless_share']:>10.2f} "
            f"{100 * row['needless_worst']:>8.1f}",
            flush=True,
        )


def _print_breakdown(results: list[Result]) -> None:
    """Print bare and all face frames by what makes a face hard."""
    kinds: dict[str, Callable[[FaceFrame], str]] = {
        "size": lambda seen: _bin(seen.size_px, SIZES, "px"),
        "roll": lambda seen: _bin(abs(seen.roll), ROLLS, "°"),
        "light": lambda seen: seen.light,
    }
    settings = [name for name in SETTINGS if any(result.setting == name for result in results)]
    print(f"\n{'bare / all face frames':<24}" + "".join(f"{name:>16}" for name in settings))
    for kind, name_of in kinds.items():
        counts: dict[str, dict[str, list[int]]] = defaultdict(lambda: {name: [0, 0] for name in settings})
        for result in results:
            for seen in result.face_frames:
                if kind != "size" and seen.size_px < MUST_HIDE_FROM_PX:
                    continue
                count = counts[name_of(seen)][result.setting]
                count[0] += seen.bare
                count[1] += 1
        for name in sorted(counts, key=lambda text: (len(text.split("-")[0]), text)):
            cells = "".join(f"{f'{bare} / {total}':>16}" for bare, total in counts[name].values())
            print(f"{kind + ' ' + name:<24}{cells}")


def _bin(value: float, edges: tuple[int, ...], unit: str) -> str:
    for low, high in pairwise(edges):
        if value < high:
            return f"{low}-{high} {unit}" if high < 1000 else f"{low}- {unit}"
    return f"{edges[-1]}- {unit}"


def main() -> None:
    parser = command(__doc__, results="hide")
    parser.add_argument("--only", nargs="*", default=(), help="words of the clips' names")
    parser.add_argument("--settings", nargs="+", choices=tuple(SETTINGS), default=tuple(SETTINGS))
    parser.add_argument("--frames", type=int, help="so many of each clip, not all")
    options = parse(parser, only=["appearing"], frames=12)
    keep(options, {"rows": measure(options.only, options.settings, frames=options.frames)})


if __name__ == "__main__":
    main()
