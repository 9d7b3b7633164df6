"""The build hook: whatever is wrong with the compiler, the package is built, and what works stays."""

import hashlib
import importlib.util
import shutil
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

ROOT = Path(__file__).parents[2]
needs_cc = pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler here")


@pytest.fixture
def hook(tmp_path, monkeypatch):
    """The hook on a copy of the sources, and the warnings that it gave."""
    if importlib.util.find_spec("hatchling") is None:  # it is where the package is built, and nowhere else
        interface = ModuleType("hatchling.builders.hooks.plugin.interface")
        interface.BuildHookInterface = object
        monkeypatch.setitem(sys.modules, "hatchling.builders.hooks.plugin.interface", interface)
    spec = importlib.util.spec_from_file_location("hatch_build", ROOT / "hatch_build.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    folder = tmp_path / module.SOURCES
    folder.mkdir(parents=True)
    for source in [*(ROOT / module.SOURCES).glob("*.c"), *(ROOT / module.SOURCES).glob("*.h")]:
        shutil.copy(source, folder)
    for variable in ("CC", "MIEN_NATIVE", "MIEN_NATIVE_TARGET"):
        monkeypatch.delenv(variable, raising=False)

    class Hook(module.KernelsHook):
        root = str(tmp_path)

        def __init__(self):
            self.warnings = []

        @property
        def app(self):
            return SimpleNamespace(display_warning=self.warnings.append)

        def build(self):
            data = {"artifacts": []}
            self.initialize("standard", data)
            return data

    made = Hook()
    made.folder, made.library = folder, folder / module._library()
    return made


def compiler(tmp_path, script, *, mode=0o755):
    path = tmp_path / "a-compiler"
    path.write_bytes(b"#!/bin/sh\n" + script)
    path.chmod(mode)
    return str(path)


@pytest.mark.parametrize(
    "named",
    [
        pytest.param(lambda _folder: "/no/such/compiler", id="missing"),
        pytest.param(lambda _folder: 'cc "', id="quoting"),
        pytest.param(lambda folder: compiler(folder, b"exit 0\n", mode=0o644), id="not executable"),
        pytest.param(lambda folder: compiler(folder, b"printf '\\377\\376' >&2; exit 1\n"), id="no text"),
        pytest.param(lambda folder: compiler(folder, b"exit 0\n"), id="makes nothing"),
    ],
)
def test_a_compiler_that_fails_is_a_warning_and_what_worked_stays(hook, tmp_path, monkeypatch, named):
    hook.library.write_bytes(b"works")
    monkeypatch.setenv("CC", named(tmp_path))
    assert hook.build() == {"artifacts": []}
    assert len(hook.warnings) == 1
    assert hook.library.read_bytes() == b"works"
    monkeypatch.setenv("MIEN_NATIVE", "1")
    with pytest.raises(RuntimeError, match="could not be compiled"):
        hook.build()


def test_no_compiler_at_all_is_a_warning(hook, monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert hook.build() == {"artifacts": []}
    assert "no C compiler" in hook.warnings[0]


@needs_cc
@pytest.mark.parametrize("blank", ["", "  "])
def test_a_blank_name_is_none_and_the_digest_lies_beside_the_library(hook, monkeypatch, blank):
    pytest.importorskip("packaging")
    monkeypatch.setenv("CC", blank)
    data = hook.build()
    assert hook.warnings == []
    digest = hook.library.with_name(f"{hook.library.name}.sha256")
    assert {Path(name).name for name in data["artifacts"]} == {hook.library.name, digest.name}
    assert digest.read_text() == hashlib.sha256(hook.library.read_bytes()).hexdigest()


def test_kernels_that_are_not_wanted_are_removed(hook, monkeypatch):
    hook.library.write_bytes(b"works")
    monkeypatch.setenv("MIEN_NATIVE", "0")
    hook.build()
    assert not hook.library.exists()
