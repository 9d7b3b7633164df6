"""How mien was installed, and how its kernels are compiled again."""

import json
from importlib import metadata


def how_to_compile() -> str:
    """Return what brings the kernels to an installation without."""
    editable = "--editable " if _is_editable() else ""
    command = f"pip install --force-reinstall --no-deps {editable}."
    return f"install a C compiler, gcc from 12 on or clang, then: {command}"


def _is_editable() -> bool:
    """Tell whether the source tree itself is what is imported (PEP 610); a copy would take its place else."""
    try:
        told = json.loads(metadata.distribution("mien").read_text("direct_url.json") or "{}")
        return bool(told["dir_info"]["editable"])
    except (metadata.PackageNotFoundError, ValueError, KeyError, TypeError):
        return False
