"""The machine on which figures were measured."""

import os
import platform
import subprocess
from pathlib import Path
from typing import Any, Final

import cv2

from mien.inference.card import load_cards

RESULTS: Final = Path(__file__).parent / "results"
"""Where benchmarks write; git ignores it."""


def machine() -> dict[str, Any]:
    """Describe what the numbers were measured on."""
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
    return {
        "commit": commit.stdout.strip(),
        "cores": os.cpu_count(),
        "processor": _processor(),
        "python": platform.python_version(),
        "opencv": cv2.__version__,
        "models": {card_id: card.weights.sha256 for card_id, card in load_cards().items()},
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(": ")[2] for line in lines if line.startswith("model name")), platform.processor())
