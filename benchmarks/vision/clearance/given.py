"""Given clips: people who walk, with exact truth, and real people who talk, enrolled by their first third."""

import json
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from benchmarks.vision.clearance.people import ENROLLED, Bench
from benchmarks.vision.clearance.tally import Row, Tally, attributed, summary
from benchmarks.vision.films import SHARED, read_video
from mien.errors import FacePhotoError
from mien.media.files.images import decode_image
from mien.vision.types import Image


def given(bench: Bench, named: str = "") -> Iterator[Row]:
    """Clips with exact truth, half of the people enrolled by stills; real clips, enrolled by their first third."""
    for name in ("video_hard/hd_synth_small_crowd12_gt", "video_multi/mp_synth_walk5_gt"):
        path = SHARED / "media" / f"{name}.mp4"
        if path.exists() and named in name:
            for half in (0, 1):
                yield _walkers(bench, path, half)
    for path in sorted((SHARED / "media" / "video_talking").glob("*.mp4")):
        if named in path.name and "asl" not in path.name:  # several people one after another, without truth
            yield from _talker(bench, path)


def _walkers(bench: Bench, path: Path, half: int) -> Row:
    truth = json.loads(path.with_suffix(".gt.json").read_text())["frames"]
    ids = sorted({face["id"] for row in truth for face in row["faces"]})
    known = [name for name in ids if (SHARED / "media/stills_synth" / name).exists()]
    mine = known[half::2]
    gallery = {name: [bench.someone(name, _still(name)).vector] for name in mine}
    gallery |= bench.others((f"stills_synth/{Path(name).stem}" for name in ids), ENROLLED - len(mine))
    countable = {name: Tally() for name in ids}
    since: dict[str, float] = {}
    for i, (row, shown) in enumerate(zip(truth, bench.watch(read_video(path), gallery, fps=25), strict=False)):
        who = attributed({face["id"]: np.array(face["box"], np.float32) for face in row["faces"]}, shown)
        for face in row["faces"]:
            box, name = np.array(face["box"], np.float32), str(face["id"])
            clear = box[2] - box[0] >= 64 and face["occ"] < 0.05 and face["vis"] > 0.95
            since[name] = since.get(name, i / 25) if clear else i / 25 + 1e-3
            countable[name].add(i / 25 - since[name], who.get(name), name)
    return {"part": "given", "what": f"{path.stem}, half {half + 1}"} | summary(countable, set(mine))


def _talker(bench: Bench, path: Path) -> Iterator[Row]:
    """Enrol three moments of a clip's first third and watch the rest; then watch it all as a stranger's."""
    frames = list(read_video(path))
    fps = cv2.VideoCapture(str(path)).get(cv2.CAP_PROP_FPS) or 25.0
    third = len(frames) // 3
    vectors = []
    for i in np.linspace(0, third - 1, 3).astype(int):
        try:
            vectors.append(bench.someone("talker", frames[i]).vector)
        except FacePhotoError:
            continue
    others = bench.others((), ENROLLED - 1)
    if vectors:
        tally, rest = Tally(), frames[third:]
        for i, shown in enumerate(bench.watch(rest, {"talker": vectors} | others, fps=fps)):
            if shown:
                tally.add(i / fps, next((who for _box, who in shown if who), None), "talker")
        yield {"part": "given", "what": f"{path.stem}, enrolled by {len(vectors)}"} | summary(
            {"talker": tally}, {"talker"}
        )
    stranger = Tally()
    for i, shown in enumerate(bench.watch(frames, others, fps=fps)):
        if shown:
            stranger.add(i / fps, next((who for _box, who in shown if who), None), "stranger")
    yield {"part": "given", "what": f"{path.stem}, stranger"} | summary({"stranger": stranger}, set())


def _still(name: str) -> Image:
    return decode_image((SHARED / "media/stills_synth" / name).read_bytes(), name=name)
