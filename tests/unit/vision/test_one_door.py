"""Treated frames are made in two places, so that there are two places to check."""

import ast
from pathlib import Path

import mien

SOURCES = Path(mien.__file__).parent
DOORS = {"vision/render/renderer.py", "vision/render/slate.py"}


def makes_treated_frames(path):
    calls = (node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call))
    return any(ast.unparse(call.func).rpartition(".")[2] == "TreatedFrame" for call in calls)


def test_only_the_renderer_and_the_slate_make_treated_frames():
    makers = {str(path.relative_to(SOURCES)) for path in SOURCES.rglob("*.py") if makes_treated_frames(path)}
    assert makers == DOORS
