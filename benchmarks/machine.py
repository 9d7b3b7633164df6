"""The machine on which figures were measured, and how fast it is at three fixed things."""

import os
import platform
import subprocess
import time
from collections.abc import Callable
from functools import cache
from math import prod
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np

from mien.inference.card import load_cards

REFERENCE_MS: Final = {"convolution": 2.9, "remap": 4.3, "copy": 0.32}
"""What the parts take on the machine whose index is 100: two cores of an AMD EPYC, at their best."""
TRIES: Final = 15


@cache
def speed() -> dict[str, float]:
    """Return the machine's speed index and the milliseconds of its parts, each the best of some tries on one thread.

    The parts are a convolution (5 x 5, 32-bit floats), a bilinear remap and a copy of 1280 x 720 pixels in colour. The
    index is 100 times the geometric mean of the reference's times over these: 50 is a machine half as fast.
    """
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        took = {name: round(_best_ms(part), 2) for name, part in _parts().items()}
    finally:
        cv2.setNumThreads(threads)
    ratio = prod(REFERENCE_MS[name] / ms for name, ms in took.items()) ** (1 / len(took))
    return {"index": round(100 * ratio), **took}


def _parts() -> dict[str, Callable[[], object]]:
    image = np.random.default_rng(1).integers(0, 256, (720, 1280, 3), np.uint8)
    values, kernel = image.astype(np.float32), np.full((5, 5), 0.04, np.float32)
    turn = cv2.getRotationMatrix2D((640, 360), 7, 1.1)
    x, y = np.meshgrid(np.arange(1280, dtype=np.float32), np.arange(720, dtype=np.float32))
    columns = np.asarray(turn[0, 0] * x + turn[0, 1] * y + turn[0, 2], np.float32)
    rows = np.asarray(turn[1, 0] * x + turn[1, 1] * y + turn[1, 2], np.float32)
    return {
        "convolution": lambda: cv2.filter2D(values, -1, kernel),
        "remap": lambda: cv2.remap(image, columns, rows, cv2.INTER_LINEAR),
        "copy": values.copy,
    }


def _best_ms(part: Callable[[], object]) -> float:
    took = []
    for _ in range(TRIES):
        began = time.perf_counter()
        part()
        took.append((time.perf_counter() - began) * 1e3)
    return min(took)


def said_of_the_machine() -> str:
    """Return the line that every benchmark prints first."""
    index, *parts = speed().items()
    told = ", ".join(f"{name} {ms} ms" for name, ms in parts)
    return f"# {_processor()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}; speed {index[1]:.0f} ({told})"


def machine() -> dict[str, Any]:
    """Describe what the numbers were measured on."""
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
    return {
        "commit": commit.stdout.strip(),
        "cores": os.cpu_count(),
        "processor": _processor(),
        "python": platform.python_version(),
        "opencv": cv2.__version__,
        "speed": speed(),
        "models": {card_id: card.weights.sha256 for card_id, card in load_cards().items()},
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(": ")[2] for line in lines if line.startswith("model name")), platform.processor())
