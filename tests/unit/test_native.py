import shutil
import subprocess
import sys

import pytest

from mien import native

needs_cc = pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler here; mien then takes its slower paths")


@needs_cc
def test_an_installation_with_a_compiler_has_the_kernels():
    assert native.kernels is not None
    assert native.kernels.mien_interface() == native.INTERFACE


def test_what_is_no_library_is_not_used(tmp_path):
    (tmp_path / "kernels.so").write_bytes(b"\x7fELF and nothing more")
    assert native.load(tmp_path / "kernels.so") is None
    assert native.load(tmp_path / "missing.so") is None


@needs_cc
@pytest.mark.parametrize("source", ["int mien_interface(void) { return -1; }", "int other(void) { return 1; }"])
def test_a_library_of_other_sources_is_not_used(tmp_path, source):
    (tmp_path / "other.c").write_text(source)
    subprocess.run(["cc", "-shared", "-fPIC", "-o", tmp_path / "other.so", tmp_path / "other.c"], check=True)
    assert native.load(tmp_path / "other.so") is None


def test_a_setting_leaves_the_kernels_out():
    code = "from mien.native import kernels; print(kernels)"
    environment = {"MIEN_NATIVE": "0", "PATH": ""}
    said = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "None"
