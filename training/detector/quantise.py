"""Make the detector's thin whole-number edition, and say how far it strays from the one it is made of.

    python training/detector/quantise.py STILLS OUT.onnx [--portraits FOLDER ...]

STILLS is a folder of pictures of one person each. Every fourth of them, and the backgrounds of `HELD_OUT`, take no part
in the making and serve to compare. Portraits are more people for the tiles that say which channels can go (`thin.py`);
all below the folder are taken. Nothing is trained: channels that never fire go, the ranges of all activations
are read off composed pictures, and weights and activations are rounded to 8 bits.
"""

import argparse
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import version_converter
from skimage import data

from mien.config import Settings
from mien.inference.ort import ort
from mien.registry.store import Store
from mien.vision.types import Image
from thin import thin
from tiles import Tiles

# isort: split
# After mien's own import of it, which switches its telemetry off.
from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

WIDTH, HEIGHT = 320, 192
THINNED_WITH, CALIBRATED_WITH, COMPARED_WITH = 400, 200, 400
PERCENTILE: Final = 99.999
"""The share of an activation's values that is kept; cutting off the few above leaves more steps to the others."""
OPSET: Final = 17  # one scale for each channel needs 13
BACKGROUNDS = ("coffee", "rocket", "chelsea", "immunohistochemistry")
HELD_OUT = ("retina", "hubble_deep_field")
PORTRAITS_SHARE: Final = 0.7
"""So many of the portraits take part in the making."""
STILLS_WEIGH: Final = 4
"""A still is taken so many times as often as a portrait."""
IN_BENCHMARK: Final = (
    "sfhq_000",
    "sfhq_002",
    "sfhq_004",
    "sfhq_006",
    "sfhq_009",
    "sfhq_014",
    "sfhq_017",
    "flux_man_0055",
)
"""Stills that `benchmarks.vision.hide` composes its clips of."""
IN_FLOAT: Final = ("363", "365", "366", "368", "369", "heads", "536", "heatmap")
"""What stays in 32 bits, by what it gives. The first layers have many cells and few channels, at which 8-bit kernels
are no quicker, and changing between the two costs least where the channels are fewest. The heads matter most."""


def compose(rng: np.random.Generator, stills: Sequence[NDArray[np.uint8]], walls: Sequence[str]) -> NDArray[np.float32]:
    """Return a batch of one picture: some of `stills`, of any size, some turned, in any light; (1, 3, 192, 320)."""
    wall = np.asarray(getattr(data, walls[int(rng.integers(len(walls)))])())[..., :3]
    image = cv2.resize(wall, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA)
    for _ in range(rng.integers(1, 6)):
        still = stills[int(rng.integers(len(stills)))]
        scale = float(rng.integers(24, 180)) / still.shape[0]
        person = cv2.resize(still, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        person = np.rot90(person, int(rng.integers(4)) if rng.random() < 0.3 else 0)[:HEIGHT, :WIDTH]
        height, width = person.shape[:2]
        y, x = rng.integers(0, HEIGHT + 1 - height), rng.integers(0, WIDTH + 1 - width)
        image[y : y + height, x : x + width] = person
    kind = rng.random()
    if kind < 0.25:  # dark and noisy
        noise = rng.normal(0, 3, (HEIGHT, WIDTH, 1))
        image = np.clip(image * rng.uniform(0.1, 0.5) + noise, 0, 255).astype(np.uint8)
    elif kind < 0.4:
        image = cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    elif kind < 0.5:
        image = cv2.blur(image, (9, 1))
    return np.ascontiguousarray(image.transpose(2, 0, 1)[None], np.float32)


class Composed(CalibrationDataReader):  # type: ignore[misc]  # onnxruntime ships no types
    """Composed pictures, one by one."""

    def __init__(self, stills: Sequence[NDArray[np.uint8]]) -> None:
        rng = np.random.default_rng(1)
        self._batches = iter([compose(rng, stills, BACKGROUNDS) for _ in range(CALIBRATED_WITH)])

    def get_next(self) -> dict[str, NDArray[np.float32]] | None:
        batch = next(self._batches, None)
        return None if batch is None else {"input": batch}


def quantise(
    network: bytes, tiles: Iterable[NDArray[np.float32]], stills: Sequence[NDArray[np.uint8]], out: Path
) -> None:
    """Write the thin 8-bit edition of `network`; see `IN_FLOAT` for what stays as it is."""
    model = version_converter.convert_version(onnx.load_from_string(network), OPSET)
    with tempfile.TemporaryDirectory() as folder:
        plain, ready = Path(folder, "plain.onnx"), Path(folder, "ready.onnx")
        onnx.save(model, plain)
        quant_pre_process(plain, ready, skip_symbolic_shape=True)
        model = onnx.load(ready)
        thin(model, tiles)
        for number, node in enumerate(model.graph.node):
            node.name = f"{node.op_type}_{number}"  # the quantiser knows nodes by name, and these have none
        onnx.save(model, ready)
        # onnxruntime has no transposed convolution in 8 bits.
        stay = [
            node.name
            for node in model.graph.node
            if node.op_type == "ConvTranspose" or not set(IN_FLOAT).isdisjoint(node.output)
        ]
        quantize_static(
            ready,
            out,
            Composed(stills),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            calibrate_method=CalibrationMethod.Percentile,
            nodes_to_exclude=stay,
            extra_options={"CalibPercentile": PERCENTILE},
        )


def compare(before: Path | bytes, after: Path, stills: Sequence[NDArray[np.uint8]]) -> None:
    """Print how the scores of faces differ, and what a look costs."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    rng = np.random.default_rng(2)
    batches = [compose(rng, stills, HELD_OUT) for _ in range(COMPARED_WITH)]
    heat, cost = [], []
    for source in (before, after):
        session = ort.InferenceSession(source, options)
        maps, times = [], []
        for batch in batches:
            begin = time.process_time()
            maps.append(session.run(["heatmap"], {"input": batch})[0][0, 0])
            times.append(time.process_time() - begin)
        heat.append(np.stack(maps))
        cost.append(1e3 * float(np.median(times)))
    print(f"a look at {WIDTH} x {HEIGHT}: {cost[0]:.2f} ms, {cost[1]:.2f} ms ({cost[1] / cost[0]:.2f})")
    true, peaks = heat[0], _peaks(heat[0])
    near = np.stack([cv2.dilate(one, np.ones((3, 3), np.uint8)) for one in heat[1]])
    print("score       peaks   mean change   spread   below 0.3   below 0.1")
    for low, high in ((0.1, 0.2), (0.2, 0.3), (0.3, 0.5), (0.5, 0.7), (0.7, 1.0)):
        there = peaks & (true >= low) & (true < high)
        change = near[there] - true[there]
        low_share, gone_share = (float((near[there] < limit).mean()) for limit in (0.3, 0.1))
        print(
            f"{low} to {high}  {there.sum():>5} {change.mean():>+13.3f} {change.std():>8.3f} "
            f"{low_share:>11.3f} {gone_share:>11.3f}"
        )


def _peaks(heat: NDArray[np.float32]) -> NDArray[np.bool_]:
    return np.stack([one == cv2.dilate(one, np.ones((3, 3), np.uint8)) for one in heat])


def _read(paths: Iterable[Path]) -> list[Image]:
    pictures: list[Any] = [cv2.imread(str(path)) for path in paths]
    return [np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB), np.uint8) for picture in pictures]


def _tiles(stills: Sequence[Path], folders: Sequence[Path]) -> Iterator[NDArray[np.float32]]:
    """Yield tiles of people of whom neither the comparison nor the benchmark makes use, (1, 3, 192, 192)."""
    others = np.array(sorted(path for folder in folders for path in folder.rglob("*.jpg")), object)
    np.random.default_rng(7).shuffle(others)
    people = _read(path for number, path in enumerate(stills) if number % 4 and path.stem not in IN_BENCHMARK)
    tiles = Tiles(people * STILLS_WEIGH + _read(others[: int(PORTRAITS_SHARE * len(others))]), np.random.default_rng(1))
    for _ in range(THINNED_WITH):
        yield np.ascontiguousarray(tiles().transpose(2, 0, 1)[None], np.float32)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("stills", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--portraits", type=Path, nargs="*", default=[], metavar="FOLDER")
    options = parser.parse_args()
    paths = sorted(options.stills.glob("*.jpg"))
    people = _read(paths)
    store = Store(Settings().models_dir)
    store.ensure(["centerface"])
    network = store.read("centerface")
    tiles = _tiles(paths, options.portraits)
    quantise(network, tiles, [person for number, person in enumerate(people) if number % 4], options.out)
    compare(network, options.out, people[::4])


if __name__ == "__main__":
    main()
