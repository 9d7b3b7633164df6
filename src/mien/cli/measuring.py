"""What a frame costs on this machine: measured, and kept beside the models."""

import platform
import time
from collections.abc import Callable, Sequence
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Final

from mien.app.profiles import Costs
from mien.inference.card import load_cards
from mien.native import kernels
from mien.processor import processor_name
from mien.storage.costs import FILE, CostsFile

if TYPE_CHECKING:
    from mien.app.ports import PipelineFactory

_PACKAGES: Final = ("mien", "onnxruntime", "onnxruntime-gpu", "opencv-python-headless", "av", "numpy")
_METHOD: Final = "1"
"""Changes with what is measured and how."""


def costs_file(models_dir: Path, providers: Sequence[str]) -> CostsFile:
    """Return where costs are kept that hold for this processor, these packages and these models.

    Args:
        models_dir: Where models are cached.
        providers: Where networks run, preferred first.
    """
    of = {name: _version(name) for name in _PACKAGES}
    of |= {card_id: card.weights.sha256 for card_id, card in load_cards().items()}
    of |= {
        "kernels": "compiled" if kernels is not None else "none",
        "method": _METHOD,
        "processor": processor_name(),
        "machine": platform.machine(),
    }
    return CostsFile(models_dir / FILE, of=of | {"providers": " ".join(providers)})


def measure(
    factory: "PipelineFactory", providers: Sequence[str], *, is_wanted: Callable[[], bool] = lambda: False
) -> Costs | None:
    """Measure what a frame costs; None where that was not possible. OpenCV must use one thread.

    Args:
        factory: Makes pipelines.
        providers: Where its networks run.
        is_wanted: Whether to give up.

    Raises:
        ModelError: A model cannot be had.
    """
    from mien.app.live.calibration import calibrate  # noqa: PLC0415  # heavy

    on_processor = tuple(providers) == ("cpu",)
    return calibrate(factory.build, clock=time.thread_time if on_processor else time.perf_counter, is_wanted=is_wanted)


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return ""
