"""Photos of strangers, read in processes that may not take much: what breaks them breaks nothing else."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import httpx
import numpy as np
import pytest

from mien.app.factory import VisionFactory
from mien.app.people.file import unpack_person
from mien.app.personas.file import unpack_persona
from mien.app.ports import StreamSpec
from mien.cli.serve import photo_worker_pool
from mien.config import Settings
from mien.errors import BusyError, MediaError, MediaTooCostlyError, MediaTooLargeError, NoFaceError
from mien.registry.runtime import Runtime
from mien.registry.store import Store
from mien.runners import PhotoWorkerPool, ProcessRunner
from support import photo_worker
from support.live import ListLedger, serving
from support.photo_worker import CRASH, LIE, SLEEP, TELL_ENVIRONMENT
from support.photos import as_png, astronaut
from support.pictures import endless_progressive_jpeg, flat_photo, lying_png
from support.pipelines import SmallFactory
from support.policies import showing, swapping
from support.worker import COMMAND, worker_pids

PHOTO = flat_photo("JPEG", (320, 240))
HUNGRY = flat_photo("AVIF", (6000, 4000), speed=10, subsampling="4:4:4")
"""A thousand bytes, of which a decoder makes 72 MB, several times over."""
FORM = {"owner_agrees": "true", "declared_by": "Kim"}


def reader(*, memory_bytes=2**30, cpu_s=60, max_pixels=24_000_000, timeout_s=60.0, **more):
    return PhotoWorkerPool(
        photo_worker.command(memory_bytes=memory_bytes, cpu_s=cpu_s), max_pixels=max_pixels, timeout_s=timeout_s, **more
    )


@contextlib.asynccontextmanager
async def serving_with(photos: PhotoWorkerPool, ledger: ListLedger | None = None) -> AsyncIterator[httpx.AsyncClient]:
    def open_runner(limits, ice_servers):
        return ProcessRunner(COMMAND, limits=limits, ice_servers=ice_servers, spares=0, photos=photos)

    async with serving(SmallFactory(), open_runner=open_runner, ledger=ledger) as client:
        yield client


async def post(client, photo):
    return await client.post("/api/references", files={"photo": ("me.jpg", photo)}, data=FORM)


def readers_running():
    return worker_pids("support.photo_worker")


async def test_a_photo_is_read_in_a_process_that_is_gone_afterwards():
    read = await reader().read([PHOTO, PHOTO])
    assert unpack_persona(read.data).name == "Ada"
    assert len(read.findings) == 2
    assert not readers_running()


async def test_a_face_that_was_read_in_one_process_is_worn_in_another():
    async with serving_with(reader()) as client:
        added = await post(client, PHOTO)
        assert added.status_code == 201, added.text
        swap = {"subject": {"kind": "primary"}, "treatment": {"kind": "swap", "persona": added.json()["id"]}}
        worn = {"policy": {"version": 1, "rules": [swap]}}
        made = await client.post("/api/broadcasts", json=worn)
        assert made.status_code == 201, made.text
        url, own = f"/api/broadcasts/{made.json()['id']}", {"Authorization": f"Bearer {made.json()['token']}"}
        for spec in ({"policy": None}, worn, worn):  # the worker forgets the face, and gets it again
            changed = await client.patch(url, json=spec, headers=own)
            assert changed.status_code == 200, changed.text


async def test_a_photo_that_takes_too_much_memory_is_refused_and_the_server_lives():
    ledger = ListLedger()
    async with serving_with(reader(memory_bytes=450 * 2**20), ledger) as client:
        refused = await post(client, HUNGRY)
        assert (refused.status_code, refused.json()["code"]) == (422, "media.too_costly")
        assert ledger.declarations == []
        assert (await post(client, PHOTO)).status_code == 201
        assert (await client.get("/api/health")).status_code == 200


async def test_a_photo_that_takes_too_long_of_the_processor_is_refused():
    spinning = endless_progressive_jpeg((3000, 2000), 6000)
    with pytest.raises(MediaTooCostlyError):
        await reader(cpu_s=2).read([spinning])
    assert not readers_running()


async def test_a_photo_that_takes_too_long_by_the_clock_is_refused():
    with pytest.raises(MediaTooCostlyError, match="within 3 s"):
        await reader(timeout_s=3.0).read([PHOTO + SLEEP])
    assert not readers_running()


async def test_a_photo_that_breaks_its_reader_is_refused():
    with pytest.raises(MediaError, match="cannot be read"):
        await reader().read([PHOTO + CRASH])


async def test_a_reader_that_was_taken_over_is_not_believed():
    with pytest.raises(MediaError, match="cannot be read"):
        await reader().read([PHOTO + LIE])


async def test_a_reader_has_no_settings_in_its_environment(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("MIEN_WHIP_TOKEN", "operator" * 4)
    read = await reader().read([PHOTO + TELL_ENVIRONMENT])
    assert [finding.code for finding in read.findings[0]] == ["blurred"]


async def test_too_many_pixels_are_refused_by_the_header_and_a_lying_header_by_the_reader():
    photos = reader(max_pixels=10_000)
    with pytest.raises(MediaTooLargeError, match="320x240"):
        await photos.read([PHOTO])
    assert not readers_running()
    with pytest.raises(MediaTooLargeError, match="9000x3000"):
        await reader().read([lying_png((9000, 3000), (10, 10))])


@pytest.mark.parametrize("form", ["GIF", "TIFF", "BMP", "PPM", "JPEG2000"])
async def test_other_pictures_than_photos_meet_no_decoder(form):
    photos = PhotoWorkerPool(["no-such-program"], max_pixels=10**8, timeout_s=5)
    with pytest.raises(MediaError, match="no picture that is taken"):
        await photos.read([flat_photo(form, (64, 48))])


async def test_one_at_a_time_is_read_some_wait_and_further_ones_are_turned_away():
    photos = reader(at_once=1, waiting=1)
    first = asyncio.create_task(photos.read([PHOTO + SLEEP]))
    while not readers_running():  # noqa: ASYNC110  # processes begin without an event
        await asyncio.sleep(0.02)
    second = asyncio.create_task(photos.read([PHOTO]))
    await asyncio.sleep(0)
    with pytest.raises(BusyError):
        await photos.read([PHOTO])
    first.cancel()
    assert (await second).data
    with pytest.raises(asyncio.CancelledError):
        await first
    assert not readers_running()


@pytest.mark.models
class TestWithRealModels:
    async def test_a_face_is_read_as_it_would_be_in_this_process_and_can_be_worn(self):
        settings = Settings(host="127.0.0.1")
        photo = as_png(astronaut())
        read = await photo_worker_pool(settings).read([photo])
        maker = VisionFactory(Runtime(Store(settings.models_dir)))
        here = maker.read_reference([photo])
        assert read.findings == here.findings
        there = unpack_persona(read.data)
        assert (there.texture == here.persona.texture).all()
        assert (there.matte == here.persona.matte).all()
        assert (
            maker.build(StreamSpec(swapping("reference:1"), {"reference:1": read}))(astronaut(), at=0.0) is None
        )  # in the delay line

    async def test_a_person_is_read_as_they_would_be_in_this_process_and_is_known(self):
        settings = Settings(host="127.0.0.1")
        photo = as_png(astronaut())
        read = await photo_worker_pool(settings).read([photo, photo], use="show")
        maker = VisionFactory(Runtime(Store(settings.models_dir)))
        here = maker.read_person([photo, photo])
        assert read.findings == here.findings
        assert np.array_equal(unpack_person(read.data), here.templates)
        assert maker.build(StreamSpec(showing("1"), people={"1": read}))(astronaut(), at=0.0) is None

    async def test_what_the_coach_says_comes_back_with_the_refusal(self):
        with pytest.raises(NoFaceError) as refused:
            await photo_worker_pool(Settings(host="127.0.0.1")).read([flat_photo("AVIF", (640, 480), speed=10)])
        assert [finding.code for finding in refused.value.findings[0]] == ["no_face"]
