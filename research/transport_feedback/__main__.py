"""How fast a browser's pictures reach full size with REMB and with transport-wide feedback. Prints a table.

    python -m research.transport_feedback [--uplink 1200 800] [--runs 3]

The runs and the columns are those of `benchmarks.media.ingest`. A narrow uplink needs root and `tc`.
"""

import contextlib
from collections.abc import Iterator

from benchmarks.command import command, keep, parse
from benchmarks.media.ingest import Attach, measure, remb
from research.transport_feedback.feedback import give, offered


@contextlib.contextmanager
def transport() -> Iterator[Attach]:
    """Yield what makes a new connection give transport-wide feedback."""
    tasks = []
    with offered():
        yield lambda connection: tasks.append(give(connection.getReceivers()[0]))


def main() -> None:
    parser = command(__doc__, results="transport_feedback")
    parser.add_argument("--uplink", nargs="+", default=["1200", "800"], help='"free" or kbit/s')
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=14.0)
    options = parse(parser, uplink=["free"], runs=1, seconds=2.0)
    kinds = {"remb": remb, "transport": transport}
    keep(options, {"rows": measure(options.uplink, kinds, runs=options.runs, seconds=options.seconds)})


if __name__ == "__main__":
    main()
