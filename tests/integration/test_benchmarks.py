"""Every benchmark still runs: `--smoke` takes the way of a real run on tiny input, so that none breaks unnoticed."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.models, pytest.mark.usefixtures("runtime")]

ROOT = Path(__file__).parents[2]


def programs():
    """Return the benchmarks, by module, each with whether it replays a recording of a browser."""
    found = []
    for path in sorted((ROOT / "benchmarks").rglob("*.py")):
        source = path.read_text()
        if "command(__doc__" in source:
            module = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__main__")
            found.append(pytest.param(module, '"--capture"' in source, id=module.removeprefix("benchmarks.")))
    return found


@pytest.fixture(scope="module")
def capture(tmp_path_factory):
    """Return where the first benchmark that needs a recording leaves it for the others."""
    return tmp_path_factory.mktemp("recording") / "capture.rtpdump"


@pytest.mark.parametrize(("module", "replays"), programs())
def test_a_benchmark_prints_and_writes_figures(tmp_path, capture, module, replays):
    out = tmp_path / "figures.json"
    words = ["--smoke", "--out", str(out), *(["--capture", str(capture)] if replays else [])]
    ran = subprocess.run([sys.executable, "-m", module, *words], cwd=ROOT, capture_output=True, text=True, check=False)

    assert ran.returncode == 0, ran.stdout[-2000:] + ran.stderr[-4000:]
    assert " speed " in ran.stdout.partition("\n")[0]  # first, on what it is measured
    figures = json.loads(out.read_text())
    assert figures["machine"]["speed"]["index"] > 0
    assert figures["rows"]
