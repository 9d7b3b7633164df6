"""Every benchmark still runs: `--smoke` takes the way of a real run on tiny input, so that none breaks unnoticed."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.models, pytest.mark.usefixtures("runtime"), pytest.mark.timeout(600)]  # on a busy machine

ROOT = Path(__file__).parents[2]
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
WITHOUT_BROWSER = pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium, to publish or to watch")


def programs():
    """Return the benchmarks, by module, each with whether it replays a recording of a browser."""
    found = []
    for path in sorted((ROOT / "benchmarks").rglob("*.py")):
        source = path.read_text()
        if "command(__doc__" in source:
            module = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__main__")
            replays = '"--capture"' in source
            marks = [WITHOUT_BROWSER] if replays or "playwright" in source else []
            found.append(pytest.param(module, replays, id=module.removeprefix("benchmarks."), marks=marks))
    return found


@pytest.fixture(scope="module")
def capture(tmp_path_factory):
    """Return where the first benchmark that needs a recording leaves it for the others."""
    return tmp_path_factory.mktemp("recording") / "capture.rtpdump"


def run(module, *words):
    """Run a benchmark's smoke to its end, and end whatever it leaves; return its exit code and what it printed."""
    command = [sys.executable, "-m", module, "--smoke", *words]
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as program:
        try:
            printed, complaints = program.communicate()
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(program.pid, signal.SIGKILL)
    return program.returncode, printed, complaints


@pytest.mark.parametrize(("module", "replays"), programs())
def test_a_benchmark_prints_and_writes_figures(tmp_path, capture, module, replays):
    out = tmp_path / "figures.json"
    code, printed, complaints = run(module, "--out", str(out), *(["--capture", str(capture)] if replays else []))

    assert code == 0, printed[-2000:] + complaints[-4000:]
    assert " speed " in printed.partition("\n")[0]  # first, on what it is measured
    figures = json.loads(out.read_text())
    assert figures["machine"]["speed"]["index"] > 0
    assert figures["rows"]
