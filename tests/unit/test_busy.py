"""What repeats a test that failed for want of processor time must not hide what fails for another reason."""

import pytest

from support import busy

pytest_plugins = ["pytester"]

TEST = """
runs = []

def test_that_fails_at_first():
    runs.append(1)
    assert len(runs) > {failures}
"""
PLUGIN = """
import pytest
from support import busy

def pytest_configure(config):
    busy.Processor.was_busy = lambda _self: {was_busy}
    config.pluginmanager.register(busy.RerunsWhenBusy(), "here")
"""


@pytest.mark.parametrize(
    ("failures", "was_busy", "passed", "runs"),
    [(1, False, 0, 1), (1, True, 1, 2), (2, True, 1, 3), (9, True, 0, 3)],
)
def test_only_a_failure_on_a_busy_machine_is_tried_again(pytester, failures, was_busy, passed, runs, monkeypatch):
    monkeypatch.setattr(
        busy.Processor, "was_busy", busy.Processor.was_busy
    )  # restored after the plug-in has changed it
    pytester.makepyfile(TEST.format(failures=failures))
    pytester.makeconftest(PLUGIN.format(was_busy=was_busy))
    outcome = pytester.runpytest_inprocess("-p", "no:asyncio").parseoutcomes()
    assert outcome.get("passed", 0) == passed
    assert outcome.get("failed", 0) == 1 - passed
    assert outcome.get("rerun", 0) == runs - 1


def test_a_leak_is_never_tried_again(pytester, monkeypatch):
    monkeypatch.setattr(busy.Processor, "was_busy", busy.Processor.was_busy)
    leaks = TEST.replace("assert len(runs) > {failures}", "must_hide(hidden=len(runs) > 1)")
    pytester.makepyfile("from support.busy import must_hide\n" + leaks)
    pytester.makeconftest(PLUGIN.format(was_busy=True))
    outcome = pytester.runpytest_inprocess("-p", "no:asyncio").parseoutcomes()
    assert (outcome.get("failed"), outcome.get("rerun", 0)) == (1, 0)


@pytest.mark.parametrize(("waited_s", "late_s", "is_busy"), [(0.0, 0.0, False), (6.0, 0.0, True), (0.0, 0.1, True)])
def test_a_processor_is_busy_if_tasks_wait_for_it_or_a_thread_wakes_up_late(monkeypatch, waited_s, late_s, is_busy):
    clock_s = [100.0, 0.0]
    monkeypatch.setattr(busy.Processor, "_beat", lambda _self: None)
    monkeypatch.setattr(busy.time, "monotonic", lambda: clock_s[0])
    monkeypatch.setattr(busy, "_waited_s", lambda: clock_s[1])
    processor = busy.Processor()
    processor.late_s = 9.0
    processor.begin()
    clock_s[:] = [clock_s[0] + 20.0, clock_s[1] + waited_s]
    processor.late_s = max(processor.late_s, late_s)
    assert processor.was_busy() is is_busy


def test_the_pressure_of_linux_is_read_and_its_absence_is_no_fault(monkeypatch, tmp_path):
    pressure = tmp_path / "cpu"
    monkeypatch.setattr(busy, "PRESSURE", pressure)
    assert busy._waited_s() == 0.0
    pressure.write_text("some avg10=0.39 avg60=3.59 avg300=1.73 total=7075723\nfull avg10=0.00 total=0\n")
    assert busy._waited_s() == pytest.approx(7.075723)
