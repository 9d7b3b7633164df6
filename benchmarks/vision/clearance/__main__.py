"""How surely the enrolled are shown and strangers are not: false clearances, time to clearance, time to loss.

    python -m benchmarks.vision.clearance [--only 'samples;clips;strangers;given;events;grimaces;cost']
        [--split held-out] [--people 48]

Everything runs through the real chain: detector, tracker, mesh, alignment, recogniser, clearance. People are the stills
and clips of ../shared (MIEN_SHARED names another folder), 100 of them enrolled by one photo each, all others strangers,
split by person; limits are chosen on `--split development`. The portraits of real people there are measured, never
shown. Without that folder two public-domain photos stand in, and the table says so. There is no delay line, so that
nothing is taken back.
"""

from collections.abc import Callable, Iterator, Sequence

import cv2

from benchmarks.command import command, keep, parse
from benchmarks.vision.clearance.clips import CONDITIONS, clips
from benchmarks.vision.clearance.cost import cost
from benchmarks.vision.clearance.events import events
from benchmarks.vision.clearance.given import given
from benchmarks.vision.clearance.grimaces import grimaces
from benchmarks.vision.clearance.likeness import appearances, samples
from benchmarks.vision.clearance.people import Bench
from benchmarks.vision.clearance.strangers import strangers
from benchmarks.vision.clearance.tally import Row

PARTS: dict[str, Callable[[Bench], Iterator[Row]]] = {
    "samples": samples,
    "clips": clips,
    "strangers": strangers,
    "given": given,
    "events": events,
    "grimaces": grimaces,
    "appearances": appearances,
    "cost": cost,
}


def measure(bench: Bench, only: Sequence[str], *, people: int | None = None) -> list[Row]:
    """Run the parts named, print each row as it comes, and return all."""
    cv2.setNumThreads(1)
    rows = []
    print(f"# {len(bench.people)} people, {'development' if bench.development else 'held-out'} split", flush=True)
    if bench.composed:
        print("# two public-domain photos stand in for ../shared, the figures say little")
    for part in only:
        name, _, condition = part.partition(":")
        for row in _part(bench, name, condition, people):
            print("; ".join(f"{key} {value}" for key, value in row.items() if key != "part"), flush=True)
            rows.append(row)
    return rows


def _part(bench: Bench, name: str, choice: str, people: int | None) -> Iterator[Row]:
    if name == "clips":
        return clips(bench, [choice] if choice else (), people=people)
    if name == "strangers":
        return strangers(bench, choice)
    return given(bench, choice) if name == "given" else PARTS[name](bench)


def main() -> None:
    parser = command(__doc__, results="clearance")
    parser.add_argument(
        "--only",
        default=";".join(PARTS),
        help="parts, clips:CONDITION, strangers:CONDITION or given:NAME, by semicolons",
    )
    parser.add_argument("--split", choices=["held-out", "development"], default="held-out")
    parser.add_argument("--people", type=int, help="play so many people in each condition of the clips, not all")
    parser.add_argument("--frames", type=int, help="watch so many of each clip, not all")
    parser.add_argument("--composed", action="store_true", help="two public-domain photos alone, as without ../shared")
    smoke = [
        "samples",
        f"clips:{next(iter(CONDITIONS))}",
        "strangers:shouting",
        "events",
        "grimaces",
        "appearances",
        "cost",
    ]
    options = parse(parser, only=";".join(smoke), frames=3, composed=True)
    bench = Bench(development=options.split == "development", composed=options.composed, frames=options.frames)
    keep(options, {"rows": measure(bench, options.only.split(";"), people=options.people)})


if __name__ == "__main__":
    main()
