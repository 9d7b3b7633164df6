"""What of the machine's processors this process may use."""

import math
import os
import platform
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import Final

_CGROUPS: Final = Path("/sys/fs/cgroup")
_OWN_CGROUPS: Final = Path("/proc/self/cgroup")
_CPUINFO: Final = Path("/proc/cpuinfo")


def cores(cgroups: Path = _CGROUPS, own: Path = _OWN_CGROUPS) -> float:
    """Return how many cores this process may use: those it may run on, or less where a container has a quota.

    Args:
        cgroups: Where Linux mounts control groups.
        own: Where Linux tells which of them this process is in.

    Returns:
        At least 0.1; half a core is 0.5.
    """
    affine = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(0.1, min(float(affine), _quota(cgroups, own)))


def processor_name(cpuinfo: Path = _CPUINFO) -> str:
    """Return what the processor calls itself.

    Args:
        cpuinfo: Where Linux tells of its processors.
    """
    with suppress(OSError):
        for line in cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines():
            name, _, value = line.partition(":")
            if name.strip() == "model name":
                return value.strip()
    return platform.processor() or platform.machine()


def _quota(cgroups: Path, own: Path) -> float:
    """Return the least quota of the control groups that this process is in, in cores; infinity without one."""
    least = math.inf
    lines: list[str] = []
    with suppress(OSError):
        lines = own.read_text(encoding="utf-8", errors="replace").splitlines()
    for line in lines:
        _, controllers, path = (*line.split(":", 2), "", "")[:3]
        # Version 2 has one tree and no controllers in this line; version 1 has a tree for some of them.
        if controllers and "cpu" not in controllers.split(","):
            continue
        tree = cgroups / controllers if controllers else cgroups
        inner = PurePosixPath(path.lstrip("/"))
        # Inside a container the path is the host's, and the mounted tree begins with the container's own group.
        for group in {tree / inner, *(tree / parent for parent in inner.parents), tree}:
            least = min(least, _quota_v2(group), _quota_v1(group))
    return least


def _quota_v2(group: Path) -> float:
    with suppress(OSError, ValueError, ZeroDivisionError):
        quota, period = (group / "cpu.max").read_text().split()
        return math.inf if quota == "max" else int(quota) / int(period)
    return math.inf


def _quota_v1(group: Path) -> float:
    with suppress(OSError, ValueError, ZeroDivisionError):
        quota = int((group / "cpu.cfs_quota_us").read_text())
        return quota / int((group / "cpu.cfs_period_us").read_text()) if quota > 0 else math.inf
    return math.inf
