"""Whatever goes wrong on air: no viewer ever gets a camera picture, and the broadcast recovers or says what is so.

The proof is what viewers received, every picture from the first to the last.
"""

import contextlib

import pytest

from mien.workers import ProcessRunner
from support import faults
from support.faults import COMMAND, QUICK, FickleCamera, Switch, TrappedFactory, on_air, suffer, trapped_encoders
from support.live import serving, sharpness
from support.worker import worker_pids

STRIPED = 8
"""Sharpness from which a picture shows some of the camera's stripes: they have 30, paint and slate have below 4."""


@pytest.fixture
def switch(tmp_path, monkeypatch):
    path = tmp_path / "switch"
    monkeypatch.setenv("MIEN_TEST_SWITCH", str(path))
    return Switch(path)


@contextlib.asynccontextmanager
async def striped(switch, *, runner="local"):
    """Serve a broadcast whose camera sees stripes and whose treatment paints everything blue."""
    def open_runner(limits, ice_servers):
        return ProcessRunner(COMMAND, limits=limits, ice_servers=ice_servers, spares=0)

    more = {"open_runner": open_runner} if runner == "process" else {}
    camera = FickleCamera()
    with trapped_encoders(switch):
        async with (
            serving(TrappedFactory(switch=switch), live=QUICK | {"max_pixels": 640 * 480}, **more) as client,
            on_air(client, camera, switch) as live,
        ):
            if runner == "process":
                (live.worker_pid,) = worker_pids(module="support.faults")
            yield live


def shows_stripes(image):
    return image.shape[1] > 16 and sharpness(image) > STRIPED


@pytest.mark.parametrize(
    "fault",
    [
        faults.VISION_RAISES,
        faults.VISION_RETURNS_A_CAMERA_PICTURE,
        faults.VISION_HANGS_ONCE,
        faults.VISION_HANGS,
        faults.ENCODER_RAISES,
        faults.ENCODER_HANGS,
        faults.ENCODER_NEVER_WORKS_AGAIN,
        faults.OVERLOAD,
        faults.CLOCK_JUMPS,
        faults.REPORTS_LIE,
        faults.SIZES,
        faults.TINY,
        faults.HUGE,
        faults.FLOOD,
        faults.PAYLOADS_MUTATED,
        faults.PACKETS_MUTATED,
        faults.KEYFRAMES_LOST,
        faults.GARBAGE,
        faults.VANISHED,
        faults.RECONNECTED,
    ],
    ids=str,
)
async def test_no_camera_picture_leaves_when(fault, switch):
    async with striped(switch) as live:
        await suffer(fault, live)
        assert not any(shows_stripes(image) for image in live.received())


@pytest.mark.parametrize(
    "fault",
    [
        faults.WORKER_KILLED,
        faults.WORKER_FROZEN,
        faults.WORKER_NEVER_THAWS,
        faults.VISION_RAISES,
        faults.ENCODER_RAISES,
        faults.VANISHED,
    ],
    ids=str,
)
async def test_no_camera_picture_leaves_a_worker_process_when(fault, switch):
    async with striped(switch, runner="process") as live:
        await suffer(fault, live)
        assert not any(shows_stripes(image) for image in live.received())
