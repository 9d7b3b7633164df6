"""Compiled kernels: the few loops over pixels and packets that neither NumPy, OpenCV nor a network does as well.

They are plain C, built with the package where there is a compiler. Each has a slower path beside it that gives the same
result: the reference of the tests, and the way of a machine without the library. A call lets other threads run.
It imports nothing of mien's.
"""

import hashlib
import os
import sys
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

import numpy as np
from cffi import FFI
from numpy.typing import NDArray

LIBRARY: Final = {"win32": "kernels.dll", "darwin": "kernels.dylib"}.get(sys.platform, "kernels.so")
_DECLARATIONS: Final = files(__name__).joinpath("kernels.h").read_bytes()
INTERFACE: Final = int(hashlib.sha256(_DECLARATIONS).hexdigest()[:7], 16)
"""Tells the text of `kernels.h` from any other; `hatch_build.py` compiles it in."""

ffi: Final = FFI()
ffi.cdef(_DECLARATIONS.decode())
_POINTER: Final = ffi.typeof("void *")


def address(array: NDArray[np.generic]) -> Any:
    """Return where an array begins, for a kernel; the array must live while the kernel runs."""
    if array.flags.c_contiguous:
        return ffi.from_buffer(_POINTER, array)  # a tenth of the time of a cast, a hundred times a frame
    return ffi.cast("void *", array.ctypes.data)


def load(library: Path) -> Any | None:
    """Return the kernels in a library; None where it is missing, for another system, of other sources, or not whole.

    The digest beside it is compared first: the loader dies of a library that was cut off, and waits for a pipe.
    """
    digest = Path(f"{library}.sha256")
    try:
        if not (library.is_file() and digest.is_file()):
            return None
        if hashlib.sha256(library.read_bytes()).hexdigest() != digest.read_text(encoding="ascii", errors="replace"):
            return None
        found = ffi.dlopen(str(library))
        return found if found.mien_interface() == INTERFACE else None
    except (OSError, AttributeError):
        return None


kernels: Final[Any | None] = (
    None if os.environ.get("MIEN_NATIVE") == "0" else load(Path(str(files(__name__).joinpath(LIBRARY))))
)
"""The kernels, as cffi gives them; None where the slower paths are to be used. `MIEN_NATIVE=0` wants those."""
