"""Tests of things that move, on machines that now and then have no processor to give.

A failure is tried again, twice at most, only if the processor was busy while the test ran; on a machine with time to
spare it counts at once. The summary lists what was tried again. A `LeakError` is never tried again: a face that is bare
on a busy machine alone is bare.
"""

import threading
import time
from pathlib import Path
from typing import Final

import pytest

TICK_S: Final = 0.01
LATE_S: Final = 0.05
"""A thread that wakes up so late has not had the processor."""
WAITED: Final = 0.2
"""A processor for which tasks stand in line for so much of the time is busy."""
RERUNS: Final = 2
PRESSURE: Final = Path("/proc/pressure/cpu")


class LeakError(AssertionError):
    """Something left that must never leave."""


def must_hide(*, hidden: bool, what: str = "") -> None:
    """Assert that nothing bare has left.

    Args:
        hidden: Whether everything that left is hidden.
        what: Says where that is not so.

    Raises:
        LeakError: It is not.
    """
    if not hidden:
        raise LeakError(what or "what must be hidden left bare")


class Processor:
    """Watches whether this machine had processor time for all who wanted it.

    Attributes:
        late_s: By how much a thread woke up late, at worst, since `begin`.
    """

    def __init__(self) -> None:
        self.late_s = 0.0
        self._began = (time.monotonic(), _waited_s())
        threading.Thread(target=self._beat, name="busy", daemon=True).start()

    def begin(self) -> None:
        """Forget what was before."""
        self.late_s = 0.0
        self._began = (time.monotonic(), _waited_s())

    @property
    def waited(self) -> float:
        """The share of the time since `begin` in which a task had to wait, from 0 to 1; 0 where Linux does not say."""
        began_s, waited_s = self._began
        return (_waited_s() - waited_s) / max(time.monotonic() - began_s, TICK_S)

    def was_busy(self) -> bool:
        """Whether what failed since `begin` may have failed for want of processor time."""
        return self.late_s >= LATE_S or self.waited >= WAITED

    def _beat(self) -> None:
        while True:
            due = time.monotonic() + TICK_S
            time.sleep(TICK_S)
            self.late_s = max(self.late_s, time.monotonic() - due)


def _waited_s() -> float:
    """Return for how long, since the machine started, a task waited for a processor (`/proc/pressure/cpu`)."""
    try:
        some = PRESSURE.read_text().splitlines()[0]
    except OSError:
        return 0.0
    return int(some.rpartition("=")[2]) / 1e6


class RerunsWhenBusy:
    """The plug-in that says to pytest-rerunfailures which failures to try again."""

    def __init__(self) -> None:
        self._processor = Processor()

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        for item in items:
            item.add_marker(pytest.mark.flaky(reruns=RERUNS, condition=self._may_be_tried_again))

    def _may_be_tried_again(self, error: BaseException | None) -> bool:
        return self._processor.was_busy() and not isinstance(error, LeakError)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self) -> None:
        self._processor.begin()
