"""onnxruntime's telemetry: nothing is written, nothing is sent, and no other import comes first."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
OURS = "mien.inference.ort"
USE = """
import os
import numpy as np
from onnx import TensorProto, helper

value = lambda name: helper.make_tensor_value_info(name, TensorProto.FLOAT, [1])
graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "small", [value("x")], [value("y")])
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8).SerializeToString()
ort.InferenceSession(model, providers=["CPUExecutionProvider"]).run(None, {"x": np.zeros(1, np.float32)})
names = [f"/proc/self/fd/{fd}" for fd in os.listdir("/proc/self/fd")]
print(sum(os.readlink(name).startswith("socket:") for name in names if os.path.lexists(name)))
"""


def used(importing: str, home: Path, **more: str) -> tuple[set[str], int]:
    """Run a network in a process whose every folder is `home`; return the files it left there and its open sockets."""
    home.mkdir()
    for folder in ("cache", "config", "data", "state", "tmp"):
        (home / folder).mkdir()
    # Without what tells onnxruntime that it is being tested: there it would keep quiet by itself.
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONPATH": str(ROOT / "src"),
        "HOME": str(home),
        "TMPDIR": str(home / "tmp"),
        **{f"XDG_{name.upper()}_HOME": str(home / name) for name in ("cache", "config", "data", "state")},
        **more,
    }
    done = subprocess.run(
        [sys.executable, "-c", importing + USE],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    files = {str(path.relative_to(home)) for path in home.rglob("*") if path.is_file()}
    return files, int(done.stdout)


@pytest.mark.parametrize("said", [{}, {"ORT_DISABLE_TELEMETRY": "0"}], ids=["nothing said", "a no"])
def test_nothing_is_written_and_no_socket_is_opened(tmp_path, said):
    assert used(f"from {OURS} import ort", tmp_path / "home", **said) == (set(), 0)


def test_this_release_would_write_if_it_were_let(tmp_path):
    files, _sockets = used("import onnxruntime as ort", tmp_path / "home")
    if not files:
        pytest.skip("this release of onnxruntime writes nothing, so the test above shows nothing")
    assert any("deviceid" in file for file in files)


def imports_of(path: Path) -> list[str]:
    """Return the modules that a file imports, in the order of its lines."""
    nodes = sorted(
        (node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Import | ast.ImportFrom)),
        key=lambda node: node.lineno,
    )
    return [
        name
        for node in nodes
        for name in ([alias.name for alias in node.names] if isinstance(node, ast.Import) else [node.module or ""])
    ]


def test_everywhere_our_own_import_comes_first():
    late = []
    for folder in ("src", "tests", "benchmarks", "research", "training", "scripts", "examples"):
        for path in (ROOT / folder).rglob("*.py"):
            names = imports_of(path)
            first = next((n for n, name in enumerate(names) if name.partition(".")[0] == "onnxruntime"), None)
            is_ours = path == ROOT / "src" / "mien" / "inference" / "ort.py"
            if first is not None and not is_ours and OURS not in names[:first]:
                late.append(str(path.relative_to(ROOT)))
    assert late == []
