"""Compile the kernels of `src/mien/native` into the package while it is built, where there is a C compiler.

Without one the package is built all the same, and takes its slower paths. `MIEN_NATIVE=1` in the environment makes a
missing compiler an error; `MIEN_NATIVE=0` leaves the kernels out. `MIEN_NATIVE_TARGET` names another system to compile
for, as one of `TARGETS`; that takes `ziglang`, a C compiler that PyPI has.
"""

import hashlib
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

SOURCES = Path("src/mien/native")
FLAGS = (
    "-std=c11",
    "-O3",
    "-ffp-contract=fast",
    "-fno-math-errno",
    "-shared",
    "-Wall",
    "-Wextra",
)
TARGETS = {
    "linux-x86_64": ("x86_64-linux-gnu.2.28", "manylinux_2_28_x86_64", "kernels.so"),
    "linux-aarch64": ("aarch64-linux-gnu.2.28", "manylinux_2_28_aarch64", "kernels.so"),
    "macos-x86_64": ("x86_64-macos.11.0", "macosx_11_0_x86_64", "kernels.dylib"),
    "macos-arm64": ("aarch64-macos.11.0", "macosx_11_0_arm64", "kernels.dylib"),
    "windows-x86_64": ("x86_64-windows-gnu", "win_amd64", "kernels.dll"),
}
"""By name: what zig calls it, the wheel's platform, and the library's file."""


class KernelsHook(BuildHookInterface):
    """Put the compiled kernels into wheels and editable installs."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile, and mark the wheel as one for this platform; see hatchling's `BuildHookInterface`."""
        del version
        wish = os.environ.get("MIEN_NATIVE", "")
        target = os.environ.get("MIEN_NATIVE_TARGET")
        compiler = _compiler(target)
        folder = Path(self.root) / SOURCES
        for _zig, _wheel, name in TARGETS.values():
            (folder / name).unlink(missing_ok=True)
        if wish == "0":
            return
        if compiler is None:
            if wish == "1":
                raise RuntimeError("there is no C compiler (cc); install one, or build without MIEN_NATIVE=1")
            self.app.display_warning("no C compiler: mien is built without its kernels and will be slower")
            return
        name = TARGETS[target][2] if target else _library()
        try:
            _compile(compiler, folder, folder / name)
        except subprocess.CalledProcessError as error:
            if wish == "1":
                raise
            self.app.display_warning(f"the kernels could not be compiled, mien will be slower: {error.stderr}")
            return
        build_data["artifacts"].append(f"{SOURCES}/{name}")
        build_data["pure_python"] = False
        build_data["tag"] = f"py3-none-{TARGETS[target][1] if target else _platform_tag()}"


def _compiler(target: str | None) -> list[str] | None:
    if target is not None:
        return [sys.executable, "-m", "ziglang", "cc", "-target", TARGETS[target][0]]
    if named := os.environ.get("CC"):
        return shlex.split(named)
    found = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    return None if found is None else [found]


def _compile(compiler: list[str], folder: Path, library: Path) -> None:
    interface = f"-DMIEN_INTERFACE=0x{hashlib.sha256((folder / 'kernels.h').read_bytes()).hexdigest()[:7]}"
    independent = [] if library.suffix == ".dll" else ["-fPIC"]
    sources = map(str, sorted(folder.glob("*.c")))
    with tempfile.TemporaryDirectory() as beside:  # linkers for Windows leave more than the library
        made = Path(beside) / library.name
        subprocess.run(
            [*compiler, *FLAGS, interface, *independent, *sources, "-o", str(made), "-lm"],
            check=True,
            capture_output=True,
            text=True,
        )
        part = library.with_suffix(".part")
        shutil.copy(made, part)
        part.replace(library)  # a process that has the old one open keeps it


def _library() -> str:
    return {"win32": "kernels.dll", "darwin": "kernels.dylib"}.get(sys.platform, "kernels.so")


def _platform_tag() -> str:
    from packaging.tags import platform_tags  # noqa: PLC0415  # hatchling brings it

    return next(iter(platform_tags()))
