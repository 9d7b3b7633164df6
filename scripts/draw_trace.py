"""Draw a moment of a trace that `mien trace` recorded: a lane for each thread, a box for each stage.

python scripts/draw_trace.py trace.json docs/assets/trace.svg [--begin-ms 400] [--length-ms 100]
"""

import argparse
import json
from html import escape
from pathlib import Path
from typing import Any, Final

from mien.tracing import LOOP, table

WIDTH, LEFT, RIGHT, TOP, LANE, BAR = 1000, 118, 26, 50, 56, 30
FONT: Final = 'font-family="system-ui, sans-serif"'
THREADS: Final = ("MainThread", "mien-decoder", "mien-vision", "mien-encoder")
KINDS: Final = {
    "decode": ("#4f9dde", ["decode"]),
    "convert": ("#9aa5b1", ["frame to RGB", "RGB to I420", "halve"]),
    "find": ("#e0a030", ["cut", "find", "know"]),
    "follow": ("#c9822b", ["follow"]),
    "draw": ("#b05fb8", ["swap", "mosaic", "label"]),
    "encode": ("#3fa66b", ["encode layer 0", "encode layer 1"]),
    "packetise, protect, send": ("#c0392b", ["packetise", "protect and send", "protect and send audio", "send"]),
}
"""Colour and stages of each entry of the legend."""
COLOURS: Final = {stage: colour for colour, stages in KINDS.values() for stage in stages}
OTHER, OF_LOOP = "#c9ced6", "#7d8794"


def draw(document: dict[str, Any], begin_ms: float, length_ms: float) -> str:
    """Return the picture as SVG."""
    names = {int(number): thread["name"] for number, thread in document["otherData"]["threads"].items()}
    scale = (WIDTH - LEFT - RIGHT) / length_ms
    height = TOP + LANE * len(THREADS) + 26
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" {FONT} font-size="12">',
        f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>',
        *_legend(),
        *_axis(height, length_ms, scale),
    ]
    parts += [_lane_name(document, lane, thread) for lane, thread in enumerate(THREADS)]
    spans = [event for event in document["traceEvents"] if event["ph"] == "X" and names.get(event["tid"]) in THREADS]
    for event in sorted(spans, key=lambda event: (event["ts"], -event["dur"])):
        first, last = event["ts"] / 1e3 - begin_ms, (event["ts"] + event["dur"]) / 1e3 - begin_ms
        if last > 0 and first < length_ms:
            lane = THREADS.index(names[event["tid"]])
            parts += _box(event["name"], lane, max(first, 0) * scale, min(last, length_ms) * scale)
    return "\n".join([*parts, "</svg>", ""])


def _legend() -> list[str]:
    parts, x = [], LEFT
    for name, (colour, _stages) in {**KINDS, "event loop": (OF_LOOP, [])}.items():
        parts.append(f'<rect x="{x}" y="10" width="12" height="12" fill="{colour}"/>')
        parts.append(f'<text x="{x + 17}" y="20" fill="#222">{escape(name)}</text>')
        x += 34 + round(6.6 * len(name))
    return parts


def _axis(height: int, length_ms: float, scale: float) -> list[str]:
    parts = []
    for number in range(int(length_ms // 10) + 1):
        x = LEFT + number * 10 * scale
        parts.append(f'<line x1="{x:.1f}" y1="{TOP - 6}" x2="{x:.1f}" y2="{height - 20}" stroke="#e4e7eb"/>')
        parts.append(f'<text x="{x:.1f}" y="{height - 6}" text-anchor="middle" fill="#555">{number * 10} ms</text>')
    return parts


def _lane_name(document: dict[str, Any], lane: int, thread: str) -> str:
    per_second = sum(row.cpu_ms for row in table(document) if row.thread == thread) / document["otherData"]["seconds"]
    y = TOP + lane * LANE + BAR / 2
    return (
        f'<text x="6" y="{y}" fill="#222" font-weight="600">{escape(thread.removeprefix("mien-"))}</text>'
        f'<text x="6" y="{y + 15}" fill="#555">{per_second / 10:.0f} % of a core</text>'
    )


def _box(name: str, lane: int, left: float, right: float) -> list[str]:
    """Return a box, and its name where that fits; what the event loop runs beside the stages is half as high."""
    is_loop, width = name.startswith(LOOP), max(right - left, 0.6)
    top, tall = TOP + lane * LANE, BAR / 2 if is_loop else BAR
    colour = OF_LOOP if is_loop else COLOURS.get(name, OTHER)
    box = (
        f'<rect x="{LEFT + left:.1f}" y="{top + BAR - tall:.0f}" width="{width:.1f}" height="{tall:.0f}" '
        f'fill="{colour}"><title>{escape(name)}</title></rect>'
    )
    if is_loop or name == "treat" or width < 6.2 * len(name) + 4:
        return [box]
    return [box, f'<text x="{LEFT + left + 3:.1f}" y="{top + BAR / 2 + 4:.0f}" fill="#111">{escape(name)}</text>']


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("trace", type=Path)
    parser.add_argument("picture", type=Path)
    parser.add_argument("--begin-ms", type=float, default=400.0, help="where in the trace the picture begins")
    parser.add_argument("--length-ms", type=float, default=100.0, help="how much of it is drawn: three frames' time")
    options = parser.parse_args()
    document = json.loads(options.trace.read_text(encoding="utf-8"))
    options.picture.write_text(draw(document, options.begin_ms, options.length_ms), encoding="utf-8")
    print(f"written to {options.picture}")


if __name__ == "__main__":
    main()
