"""What all benchmarks take from the command line, print first, and write at the end."""

import argparse
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from benchmarks.machine import machine, said_of_the_machine

RESULTS: Final = Path(__file__).parent / "results"
"""Where benchmarks write; git ignores it."""


def command(doc: str | None, *, results: str) -> argparse.ArgumentParser:
    """Return a parser that takes `--smoke` and `--out`.

    Args:
        doc: The module's docstring, which `--help` prints.
        results: Path of the JSON file in `RESULTS`, without its suffix.
    """
    spec = sys.modules["__main__"].__spec__
    parser = argparse.ArgumentParser(
        prog=f"python -m {spec.name.removesuffix('.__main__')}" if spec else None,
        description=doc,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--smoke", action="store_true", help="a few seconds on tiny input: it runs, the figures say nothing"
    )
    parser.add_argument(
        "--out", type=Path, default=RESULTS / f"{results}.json", help="JSON; --smoke writes none unless told"
    )
    return parser


def parse(parser: argparse.ArgumentParser, **smoke: object) -> argparse.Namespace:
    """Parse the command line and print on which machine the figures are measured.

    Args:
        parser: From `command`.
        smoke: Defaults of the arguments under `--smoke`; what is named on the command line still holds.
    """
    if "--smoke" in sys.argv[1:]:
        parser.set_defaults(**{"out": None, **smoke})
    options = parser.parse_args()
    print(said_of_the_machine(), flush=True)
    return options


def keep(options: argparse.Namespace, result: Mapping[str, Any]) -> None:
    """Write a result beside the machine it was measured on, unless `--smoke` left it nowhere to go."""
    if options.out is None:
        return
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps({"machine": machine(), **result}, indent=1) + "\n")
    print(f"written to {options.out}")
