"""What encoding a 720p frame costs and gives by codec, setting and layer; recording it, too. Prints tables.

    python -m benchmarks.media.encoder [--seconds 4] [--out benchmarks/results/encoder.json]

"cpu" is the encoding thread's CPU time per frame, without making I420 of the RGB image, which the first table has.
PSNR is of all three planes, decoded against what was encoded. "key" is the size of a keyframe asked for in the
middle. "lower" is the rate over the one asked for, a second after the rate was lowered to a third, and "keys" are
the keyframes that this cost. The scene is made by code from a public-domain photo; noise like a camera's is added.
"""

import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast

import av
import cv2
import numpy as np
from av.video.codeccontext import VideoCodecContext

from benchmarks.command import command, keep, parse
from mien.media.codecs.encoded import EncodedFrame, VideoCodec
from mien.media.codecs.encoder import Encoder, bit_rate_of
from mien.media.codecs.h264 import H264Encoder
from mien.media.codecs.planes import TreatedPlanes
from mien.media.codecs.vp8 import Vp8Encoder
from mien.media.frames import to_i420
from mien.media.recording.recorder import Recorder
from mien.media.thumbnail import ThumbnailMaker
from mien.vision.types import Image, TreatedFrame
from support.scenes import astronaut_frames

FPS = 30
NOISE = 2.0
# The settings in use are those of `speeds` in each class.
SPEEDS: dict[type[Encoder], tuple[str, ...]] = {
    Vp8Encoder: ("-16", "-12", "-10", "-8", "-6"),
    H264Encoder: ("ultrafast", "superfast", "veryfast"),
}
DECODERS = {Vp8Encoder: "libvpx", H264Encoder: "h264"}


def scene(seconds: float) -> list[Image]:
    """Return the frames, there and back again so that they can be repeated without a cut."""
    rng = np.random.default_rng(7)
    noise = [rng.normal(0, NOISE, (720, 1280, 3)).astype(np.float32) for _ in range(4)]
    there = [
        np.clip(image + noise[number % 4], 0, 255).astype(np.uint8)
        for number, image in enumerate(astronaut_frames(seconds / 2))
    ]
    return there + there[::-1]


def measure(kind: type[Encoder], speed: str, layer: int, pictures: list[TreatedPlanes]) -> dict[str, Any]:
    """Encode the pictures, once more with a keyframe in the middle, and once more at a third of the rate."""
    encoder: Encoder = type(kind.__name__, (kind,), {"speeds": (speed, speed)})(epoch=0.0, layer=layer)
    decoder = cast("VideoCodecContext", av.CodecContext.create(DECODERS[kind], "r"))
    if kind is H264Encoder:
        decoder.options = {"flags": "+low_delay"}  # give each picture out at once
    full = bit_rate_of(pictures[0].size_wh, layer)
    number = 0

    def run(keyframe_at: int | None = None) -> tuple[list[float], list[int], list[int], list[Any]]:
        nonlocal number
        cpu, sizes, keys, shown = [], [], [], []
        for index, planes in enumerate(pictures):
            began = time.thread_time()
            encoded = encoder.encode(planes, at=number / FPS, keyframe=index == keyframe_at)
            cpu.append((time.thread_time() - began) * 1e3)
            number += 1
            if encoded is None:
                continue
            sizes.append(len(encoded.data))
            if encoded.is_keyframe:
                keys.append(index)
            shown += decoder.decode(av.Packet(encoded.data))
        return cpu, sizes, keys, shown

    run()  # rate control finds its place
    _, sizes, keys, _ = run(keyframe_at=len(pictures) // 2)
    key_bytes = sizes[keys[0]]
    cpu, sizes, _, shown = run()
    psnr = [cv2.PSNR(frame.to_ndarray(), planes.i420) for frame, planes in zip(shown, pictures, strict=True)]
    encoder.limit_rate(full // 3)
    _, low_sizes, low_keys, _ = run()
    return {
        "path": "encode",
        "codec": kind.__name__.removesuffix("Encoder"),
        "speed": speed,
        "layer": layer,
        "size_wh": list(pictures[0].size_wh),
        "frames": len(cpu),
        "cpu_ms_median": round(float(np.median(cpu)), 2),
        "cpu_ms_p95": round(float(np.percentile(cpu, 95)), 2),
        "psnr_db_median": round(float(np.median(psnr)), 2),
        "kbps_wanted": round(full / 1000),
        "kbps": _kbps(sizes),
        "keyframe_bytes": key_bytes,
        "largest_other_bytes": max(sizes),
        "kbps_low_wanted": round(full / 3000),
        "kbps_low": _kbps(low_sizes[FPS:] or low_sizes),
        "keyframes_for_low": len(low_keys),
    }


def recording(images: list[Image], pictures: list[TreatedPlanes]) -> list[dict[str, Any]]:
    """Measure what a recording costs, per 720p picture, and a thumbnail."""
    rows = []
    for codec, kind in ((VideoCodec.VP8, Vp8Encoder), (VideoCodec.H264, H264Encoder)):
        encoder = kind(epoch=0.0)
        encoded = [encoder.encode(planes, at=n / FPS, keyframe=n % 60 == 0) for n, planes in enumerate(pictures * 4)]
        with TemporaryDirectory() as folder:
            recorder = Recorder(Path(folder), "show", codec=codec, want_keyframe=lambda: None, audio=False)
            began = time.process_time()
            for picture in encoded:
                recorder.put_frame(cast("EncodedFrame", picture))
            recorder.close(timeout_s=60)
            spent = (time.process_time() - began) * 1e3 / len(encoded)
        rows.append({"path": "keep", "step": f"record {codec}", "cpu_ms_mean": round(spent, 3)})
    thumbnail = ThumbnailMaker(every_s=0.0)

    def make() -> None:
        thumbnail.put(TreatedFrame(images[0], at=0.0))
        thumbnail.latest()

    return [*rows, {"path": "keep", "step": "thumbnail", "cpu_ms_median": _median_ms(make, times=50)}]


def _kbps(sizes: list[int]) -> int:
    return round(sum(sizes) * 8 * FPS / len(sizes) / 1000)


def prepare(image: Image) -> list[dict[str, Any]]:
    """Measure the ways from an RGB image to the planes of both layers."""
    treated = TreatedFrame(image, at=0.0)
    planes = TreatedPlanes(treated)

    def halve_rgb() -> None:
        to_i420(np.asarray(cv2.resize(image, (640, 360), interpolation=cv2.INTER_AREA), np.uint8))

    return [
        {"path": "prepare", "step": "RGB to I420, 720p", "cpu_ms_median": _median_ms(lambda: TreatedPlanes(treated))},
        {"path": "prepare", "step": "halve the planes", "cpu_ms_median": _median_ms(planes.halved)},
        {"path": "prepare", "step": "halve RGB, then I420", "cpu_ms_median": _median_ms(halve_rgb)},
    ]


def _median_ms(step: Callable[[], object], times: int = 200) -> float:
    spent = []
    for _ in range(times):
        began = time.thread_time()
        step()
        spent.append((time.thread_time() - began) * 1e3)
    return round(float(np.median(spent)), 3)


def main() -> None:
    parser = command(__doc__, results="encoder")
    parser.add_argument("--seconds", type=float, default=4.0)
    options = parse(parser, seconds=0.4)
    cv2.setNumThreads(1)

    images = scene(options.seconds)
    rows = prepare(images[0])
    for row in rows:
        print(f"{row['step']:<22} {row['cpu_ms_median']:>6.3f} ms")
    print(
        f"\n{'codec':<5} {'speed':<10} {'layer':>4} {'cpu ms':>7} {'p95':>6} {'PSNR':>6} {'kbit/s':>7} {'of':>5} "
        f"{'key':>7} {'lower':>6} {'keys':>4}"
    )
    full_pictures = [TreatedPlanes(TreatedFrame(image, at=0.0)) for image in images]
    for layer, pictures in enumerate((full_pictures, [planes.halved() for planes in full_pictures])):
        for kind, speeds in SPEEDS.items():
            for speed in speeds:
                row = measure(kind, speed, layer, pictures)
                rows.append(row)
                print(
                    f"{row['codec']:<5} {speed:<10} {layer:>4} {row['cpu_ms_median']:>7.2f} {row['cpu_ms_p95']:>6.2f} "
                    f"{row['psnr_db_median']:>6.2f} {row['kbps']:>7} {row['kbps_wanted']:>5} "
                    f"{row['keyframe_bytes']:>7} {row['kbps_low'] / row['kbps_low_wanted']:>6.2f} "
                    f"{row['keyframes_for_low']:>4}"
                )
    kept = recording(images, full_pictures)
    rows += kept
    print("\nper picture: " + ", ".join(f"{row['step']} {list(row.values())[-1]:.2f} ms" for row in kept))
    keep(options, {"rows": rows})


if __name__ == "__main__":
    main()
