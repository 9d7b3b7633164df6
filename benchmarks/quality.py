"""How good the eyes and the brush are: what a mosaic hides, whom they know, how a swap looks, what a coach says.

    python benchmarks/quality.py [hide cover know swap coach] [--out benchmarks/results/quality]

Without a name every part runs. Each part prints its table and writes its rows as JSON. A part is a module
`quality_<name>` beside this one whose `measure()` prints what it measures and returns its rows. Clips with ground truth
lie in ../shared/media, or in the folder that MIEN_SHARED names; where they are missing, the parts compose their own.
"""

import argparse
import importlib
import importlib.util
import json
import sys
from pathlib import Path
from typing import Any, Protocol, cast

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent / "tests")]

PARTS = ("hide", "cover", "know", "swap", "coach")


class Part(Protocol):
    """What every part's module offers."""

    def measure(self) -> list[dict[str, Any]]:
        """Measure, print a table, return its rows."""


def main() -> None:
    present = [name for name in PARTS if importlib.util.find_spec(f"quality_{name}")]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", metavar="part", help=f"one or more of: {' '.join(present)}")
    parser.add_argument("--out", type=Path, default=HERE / "results" / "quality")
    options = parser.parse_args()
    if unknown := set(options.parts) - set(present):
        parser.error(f"no such part: {' '.join(sorted(unknown))}; there are: {' '.join(present)}")
    options.out.mkdir(parents=True, exist_ok=True)
    for name in options.parts or present:
        print(f"\n== {name}")
        rows = cast("Part", importlib.import_module(f"quality_{name}")).measure()
        (options.out / f"{name}.json").write_text(json.dumps(rows, indent=2) + "\n")


if __name__ == "__main__":
    main()
