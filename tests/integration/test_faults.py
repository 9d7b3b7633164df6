"""Whatever goes wrong on air: no viewer ever gets a camera picture, and the broadcast recovers or says what is so.

The proof is what viewers received, every picture from the first to the last.
"""

import contextlib

import cv2
import numpy as np
import pytest

from mien.runners import ProcessRunner
from mien.vision.types import TreatedFrame
from support import faults
from support.busy import must_hide
from support.faults import QUICK, FickleCamera, Switch, TrappedFactory, on_air, suffer, trapped_encoders
from support.judge import Judge
from support.live import serving, sharpness
from support.photos import hopper
from support.pipelines import SmallFactory
from support.scenes import astronaut_frame
from support.worker import worker_pids

STRIPED = 8
"""Sharpness from which a picture shows some of the camera's stripes: they have 30, paint and slate have below 4."""


FPS = 12
STRANGER = 0.9
"""Cosine below which the judge takes what it found for somebody else."""


@pytest.fixture
def switch(tmp_path):
    return Switch(tmp_path / "switch")


@contextlib.asynccontextmanager
async def striped(switch, *, runner="local"):
    """Serve a broadcast whose camera sees stripes and whose treatment paints everything blue."""

    def open_runner(limits, ice_servers):
        return ProcessRunner(switch.command, limits=limits, ice_servers=ice_servers, spares=0)

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
        must_hide(hidden=not any(shows_stripes(image) for image in live.received()))


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
        must_hide(hidden=not any(shows_stripes(image) for image in live.received()))


# The real pipeline before real faces --------------------------------------------------------------------------


def astronaut_at(size_wh, number):
    """Draw a face that sways, a third as wide as the picture's shorter side."""
    return astronaut_frame(number / FPS, face_px=min(size_wh) // 3, size_wh=size_wh)


def astronaut_walking(size_wh, number):
    """Draw a face that walks through the picture and back, a whole width in two seconds."""
    width, _height = size_wh
    phase = number / FPS % 4
    shift = width * (0.5 - abs(phase / 2 - 1)) * 0.7
    still = astronaut_frame(1.0, face_px=min(size_wh) // 3, size_wh=size_wh)
    return cv2.warpAffine(still, np.float32([[1, 0, shift], [0, 1, 0]]), size_wh, borderMode=cv2.BORDER_REPLICATE)


def hopper_at(size_wh, number):
    """Draw another person's face."""
    width, height = size_wh
    photo = hopper()[:450]
    scale = height / photo.shape[0]
    place = np.float32([[scale, 0, width / 2 - 256 * scale + 10 * np.sin(number / 5)], [0, scale, 0]])
    return cv2.warpAffine(photo, place, size_wh, borderValue=(90, 90, 90))


def darkness(size_wh, _number):
    return np.zeros((size_wh[1], size_wh[0], 3), np.uint8)


@pytest.fixture(scope="module")
def judge(runtime):
    return Judge(runtime)


@pytest.fixture(scope="module")
def people(judge):
    """Return what the judge makes of the two people whom the camera sees."""
    return [judge.embedding(scene((640, 360), 3)) for scene in (astronaut_at, hopper_at)]


@contextlib.asynccontextmanager
async def before_faces(switch, factory, scene):
    """Serve a broadcast whose camera sees `scene`, and whose pipelines `factory` makes."""
    async with (
        serving(TrappedFactory(switch=switch, factory=factory), live=QUICK) as client,
        on_air(client, FickleCamera(scene, size_wh=(640, 360), fps=FPS), switch) as live,
    ):
        yield live


def likeness(judge, people, images):
    """Return how like either of the people the most telling of `images` is."""
    return max(judge.likeness(image, person) for image in images for person in people)


@pytest.mark.models
@pytest.mark.parametrize(
    ("fault", "scene"),
    [
        pytest.param(faults.MODEL_DIES, astronaut_at, id="the model's session dies"),
        pytest.param(faults.VISION_HANGS_ONCE, astronaut_at, id="vision hangs once"),
        pytest.param(faults.OVERLOAD, astronaut_walking, id="the face walks while vision is slow"),
        pytest.param(faults.SHAPES, astronaut_at, id="the camera's shape changes"),
        pytest.param(
            faults.shows("darkness", darkness, astronaut_at, darkness),
            astronaut_at,
            id="darkness, and the face is back",
        ),
        pytest.param(
            faults.shows("cuts", hopper_at, astronaut_at, hopper_at), astronaut_at, id="cuts to another face and back"
        ),
        pytest.param(faults.RECONNECTED, astronaut_at, id="the broadcaster reconnects"),
        pytest.param(faults.VANISHED, hopper_at, id="the broadcaster vanishes"),
        pytest.param(faults.KEYFRAMES_LOST, astronaut_at, id="key frames are lost"),
    ],
)
async def test_nobody_is_recognised_when(fault, scene, switch, factory, judge, people, monkeypatch):
    detector = factory.models._detector._net
    with monkeypatch.context() as patched:
        patched.setattr(detector, "_session", faults.TrappedModel(detector._session, switch))
        async with before_faces(switch, factory, scene) as live:
            await suffer(fault, live)
            received = list(live.received())
    must_hide(hidden=likeness(judge, people, received) < STRANGER)


class Leak:
    """A treatment that forgets to treat."""

    def __call__(self, image, *, at):
        return TreatedFrame(image=image, at=at)

    def flush(self):
        yield from ()


@pytest.mark.models
async def test_what_leaks_is_caught_by_the_proofs(switch, judge, people):
    for scene, caught in (
        (astronaut_at, lambda received: likeness(judge, people, received[-3:]) > STRANGER),
        (hopper_at, lambda received: likeness(judge, people, received[-3:]) > STRANGER),
        (faults.stripes, lambda received: any(map(shows_stripes, received))),
    ):
        leaks = SmallFactory(pipelines=[Leak() for _ in range(4)])
        async with before_faces(switch, leaks, scene) as live:
            await suffer(faults.NOTHING, live)
            received = list(live.received())
        assert caught(received), scene.__name__
