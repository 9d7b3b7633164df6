"""Compile the kernels of `src/mien/native` into the package while it is built, where there is a C compiler.

Without one, or with one that fails, the package is built all the same, and takes its slower paths. `MIEN_NATIVE=1` in
the environment makes that an error; `MIEN_NATIVE=0` leaves the kernels out. `MIEN_NATIVE_TARGET` names another system
to compile for, as one of `TARGETS`; that takes `ziglang`, a C compiler that PyPI has.
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
DIGEST = ".sha256"
"""Ends the name of the file beside a library that holds its digest; `mien.native` loads no other library."""


class KernelsHook(BuildHookInterface):
    """Put the compiled kernels into wheels and editable installs."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile, and mark the wheel as one for this platform; see hatchling's `BuildHookInterface`."""
        del version
        wish = os.environ.get("MIEN_NATIVE", "")
        target = os.environ.get("MIEN_NATIVE_TARGET")
        folder = Path(self.root) / SOURCES
        name = TARGETS[target][2] if target else _library()
        _remove_all(folder, but=None if wish == "0" else name)
        if wish == "0":
            return
        try:
            _compile(_compiler(target), folder, folder / name)
        except (OSError, ValueError, subprocess.CalledProcessError) as error:
            why = error.stderr if isinstance(error, subprocess.CalledProcessError) else error
            if wish == "1":
                raise RuntimeError(f"the kernels could not be compiled: {why}") from error
            self.app.display_warning(f"the kernels could not be compiled, mien will be slower: {why}")
            return
        build_data["artifacts"] += [f"{SOURCES}/{name}", f"{SOURCES}/{name}{DIGEST}"]
        build_data["pure_python"] = False
        build_data["tag"] = f"py3-none-{TARGETS[target][1] if target else _platform_tag()}"


def _remove_all(folder: Path, *, but: str | None) -> None:
    """Remove libraries for other systems; one for this system works until there is a new one."""
    for _zig, _wheel, name in TARGETS.values():
        if name != but:
            for file in (folder / name, folder / f"{name}{DIGEST}"):
                file.unlink(missing_ok=True)


def _compiler(target: str | None) -> list[str]:
    """Return what begins a command that compiles.

    Raises:
        FileNotFoundError: There is no compiler.
        ValueError: `CC` cannot be read as a command.
    """
    if target is not None:
        return [sys.executable, "-m", "ziglang", "cc", "-target", TARGETS[target][0]]
    if named := shlex.split(os.environ.get("CC", "")):
        return named
    found = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if found is None:
        raise FileNotFoundError("there is no C compiler (cc)")
    return [found]


def _compile(compiler: list[str], folder: Path, library: Path) -> None:
    interface = f"-DMIEN_INTERFACE=0x{hashlib.sha256((folder / 'kernels.h').read_bytes()).hexdigest()[:7]}"
    independent = [] if library.suffix == ".dll" else ["-fPIC"]
    sources = map(str, sorted(folder.glob("*.c")))
    with tempfile.TemporaryDirectory() as beside:  # linkers for Windows leave more than the library
        made = Path(beside) / library.name
        subprocess.run(
            [*compiler, *FLAGS, interface, *independent, *sources, "-o", str(made), "-lm"],
            check=True,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",  # a compiler says what it will
        )
        part = library.with_suffix(".part")
        shutil.copy(made, part)
        digest = hashlib.sha256(part.read_bytes()).hexdigest()
        part.replace(library)  # a process that has the old one open keeps it
        part.write_text(digest)
        part.replace(f"{library}{DIGEST}")


def _library() -> str:
    return {"win32": "kernels.dll", "darwin": "kernels.dylib"}.get(sys.platform, "kernels.so")


def _platform_tag() -> str:
    from packaging.tags import platform_tags  # noqa: PLC0415  # hatchling brings it

    return next(iter(platform_tags()))
