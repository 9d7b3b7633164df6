"""A broadcast whose devices are missing or fail mid-stream goes on in software, and shows nothing untreated."""

import asyncio

import av
import numpy as np

from mien.media.codecs.devices import DeviceH264Encoder
from mien.media.codecs.encoder import new_context
from mien.media.codecs.h264 import H264Encoder
from support.busy import must_hide
from support.live import Camera, publish, serving, sharpness, watching
from support.pipelines import SmallFactory
from support.serving_workers import make, serving_with_workers

NONE_HERE = {"codecs": ["H264"], "codec_devices": ["videotoolbox", "vaapi"]}


async def watch(client, *, frames, then=lambda: None):
    """Broadcast until a viewer has seen so many frames, and as many after `then`; return all that they saw."""
    made = await make(client)
    session = await publish(client, made["whip_url"], Camera(), token=made["token"])
    async with watching(client, made["whep_url"], audio=False) as watcher:
        await watcher.until(lambda seen: len(seen.frames) > frames)
        then()
        before = len(watcher.frames)
        await watcher.until(lambda seen: len(seen.frames) > before + frames)
        shown = (await client.get(f"/api/broadcasts/{made['id']}")).json()
        assert (shown["codec"], shown["vision_errors"]) == ("H264", 0)
        seen = [np.asarray(frame.to_ndarray(format="rgb24")) for _, frame in watcher.frames[1:]]
    await asyncio.wait_for(session.close_peer(), 10)
    for image in seen:
        must_hide(hidden=sharpness(image) < 14)
    return seen


async def test_a_worker_that_is_told_of_devices_it_has_not_does_without():
    async with serving_with_workers(live=NONE_HERE) as client:
        assert await watch(client, frames=10)


async def test_viewers_go_on_through_the_end_of_a_device(monkeypatch):
    broken, opened = asyncio.Event(), []

    def open_twin(self, size_wh, bit_rate):
        opened.append(self.device)
        if self.device is None:
            return H264Encoder._open(self, size_wh, bit_rate)
        context = new_context("libx264", size_wh, bit_rate)
        context.options = {"preset": "ultrafast", "tune": "zerolatency", "forced-idr": "1"}
        self._full_rate = bit_rate
        return context

    def encode(self, context, frame):
        if self.device is not None and broken.is_set():
            raise av.error.ExternalError(-542398533, "the device is gone")
        return context.encode(frame)

    monkeypatch.setattr(DeviceH264Encoder, "_open", open_twin)
    monkeypatch.setattr(DeviceH264Encoder, "_encoded", encode)
    async with serving(SmallFactory(), live={"codecs": ["H264"], "codec_devices": ["cuda"]}) as client:
        await watch(client, frames=15, then=broken.set)
    assert opened[0] == "cuda"
    assert opened[-1] is None
    assert len(opened) > opened.count(None) > 0
