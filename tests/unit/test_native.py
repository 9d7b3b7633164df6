import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from mien import native

needs_cc = pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler here; mien then takes its slower paths")


def seal(library):
    """Put beside a library the digest without which it is not even looked at."""
    library.with_name(f"{library.name}.sha256").write_text(hashlib.sha256(library.read_bytes()).hexdigest())


@pytest.fixture
def whole(tmp_path):
    """A copy of the installed library and its digest."""
    folder = Path(native.__file__).parent
    for name in (native.LIBRARY, f"{native.LIBRARY}.sha256"):
        shutil.copy(folder / name, tmp_path)
    return tmp_path / native.LIBRARY


@needs_cc
def test_a_library_is_loaded_only_whole_and_with_its_digest(whole):
    assert native.load(whole) is not None
    data = whole.read_bytes()
    whole.unlink()  # the old one is mapped
    whole.write_bytes(data[: len(data) // 2])
    assert native.load(whole) is None
    whole.write_bytes(data)
    whole.with_name(f"{whole.name}.sha256").unlink()
    assert native.load(whole) is None


@needs_cc
@pytest.mark.parametrize("place", ["library", "digest"])
def test_nobody_waits_for_a_pipe_in_its_place(whole, place):
    pipe = whole if place == "library" else whole.with_name(f"{whole.name}.sha256")
    pipe.unlink()
    os.mkfifo(pipe)
    assert native.load(whole) is None


@needs_cc
def test_an_installation_with_a_compiler_has_the_kernels():
    assert native.kernels is not None
    assert native.kernels.mien_interface() == native.INTERFACE


def test_what_is_no_library_is_not_used(tmp_path):
    (tmp_path / "kernels.so").write_bytes(b"\x7fELF and nothing more")
    seal(tmp_path / "kernels.so")
    assert native.load(tmp_path / "kernels.so") is None
    assert native.load(tmp_path / "missing.so") is None


@needs_cc
@pytest.mark.parametrize("source", ["int mien_interface(void) { return -1; }", "int other(void) { return 1; }"])
def test_a_library_of_other_sources_is_not_used(tmp_path, source):
    (tmp_path / "other.c").write_text(source)
    subprocess.run(["cc", "-shared", "-fPIC", "-o", tmp_path / "other.so", tmp_path / "other.c"], check=True)
    seal(tmp_path / "other.so")
    assert native.load(tmp_path / "other.so") is None


def test_a_setting_leaves_the_kernels_out():
    code = "from mien.native import kernels; print(kernels)"
    environment = {"MIEN_NATIVE": "0", "PATH": ""}
    said = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "None"
