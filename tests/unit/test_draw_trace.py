"""The picture of a trace: its stages are those that the code times."""

import asyncio
import importlib.util
import re
import threading
from pathlib import Path

import pytest

from mien import tracing

ROOT = Path(__file__).parents[2]
STAGES = re.compile(r"""span\(f?["']([^"']+)["']\)""")


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("draw_trace", ROOT / "scripts" / "draw_trace.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_stage_of_the_legend_is_timed_somewhere(script):
    code = [path.read_text(encoding="utf-8") for path in (ROOT / "src" / "mien").rglob("*.py")]
    timed = {stage for text in code for stage in STAGES.findall(text)}
    named = {stage for stage in script.COLOURS if not re.fullmatch(r"encode layer \d", stage)}
    assert named <= timed


async def test_a_recorded_stage_is_drawn_in_its_colour(script):
    ended = threading.Event()

    def work():
        with tracing.span("decode"):
            pass
        ended.wait(30)  # a thread has a name while it lives

    recorder = asyncio.create_task(tracing.record(0.1, process="a test"))
    await asyncio.sleep(0)
    thread = threading.Thread(target=work, name="mien-decoder")
    thread.start()
    drawn = script.draw(await recorder, 0, 100)
    ended.set()
    thread.join()
    assert drawn.count(f'fill="{script.COLOURS["decode"]}"') == 2, "once in the legend, once on the thread's lane"
