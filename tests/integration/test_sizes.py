"""A publisher's picture changes its size in mid-stream: a cut for those who look for faces, nothing for viewers."""

import asyncio

import cv2
import numpy as np
import pytest

from mien.app.ports import StreamSpec
from support.busy import must_hide
from support.live import Camera, publish, serving, sharpness, stripes, watching
from support.pipelines import SmallFactory
from support.policies import live_swap
from support.scenes import astronaut_boxes, astronaut_frame

BASE_WH = (640, 360)
FPS = 25
SIZES = [
    pytest.param((320, 180), id="halved"),
    pytest.param((360, 640), id="rotated"),
    pytest.param((401, 301), id="odd"),
    pytest.param((1280, 720), id="doubled"),
]


def shot(number, size_wh):
    frame = astronaut_frame(number / FPS, size_wh=BASE_WH, face_px=130)
    return np.asarray(cv2.resize(frame, size_wh, interpolation=cv2.INTER_AREA), np.uint8)


def treat(factory, policy, sizes):
    pipeline = factory.build(policy)
    out = [pipeline(shot(number, size_wh), at=number / FPS) for number, size_wh in enumerate(sizes)]
    return {round(frame.at * FPS): frame.image for frame in (*out, *pipeline.flush()) if frame is not None}


def middle_of_the_face(number, size_wh):
    box = astronaut_boxes(number / FPS, size_wh=BASE_WH, face_px=130)[0] + np.array([15, 15, -15, -15])
    x0, y0, x1, y1 = (box * np.tile(np.array(size_wh) / BASE_WH, 2)).astype(int)
    return np.s_[y0:y1, x0:x1]


@pytest.mark.models
@pytest.mark.parametrize("policy", [StreamSpec(), live_swap(everyone=True)])
@pytest.mark.parametrize("size_wh", SIZES)
def test_no_face_is_bare_around_a_change_of_size(factory, policy, size_wh):
    sizes = [BASE_WH] * 8 + [size_wh] * 8 + [BASE_WH] * 4
    frames = treat(factory, policy, sizes)
    assert sorted(frames) == list(range(20))
    for number, each_wh in enumerate(sizes):
        assert frames[number].shape[1::-1] == each_wh
        middle = middle_of_the_face(number, each_wh)
        changed = (frames[number][middle] != shot(number, each_wh)[middle]).any(axis=-1)
        assert changed.mean() > 0.75, number


@pytest.mark.models
def test_what_is_found_after_a_change_of_size_hides_nothing_in_the_frames_before_it(factory):
    stabilise = treat(factory, StreamSpec(), [BASE_WH] * 12)
    changed = treat(factory, StreamSpec(), [BASE_WH] * 9 + [(320, 180)] * 3)
    for number in range(9):
        assert np.array_equal(stabilise[number], changed[number]), number


@pytest.mark.models
@pytest.mark.parametrize("size_wh", [(16, 16), (2, 2), (1, 1), (640, 4), (4, 640)])
def test_a_picture_too_small_for_a_face_breaks_nothing(factory, size_wh):
    frames = treat(factory, StreamSpec(), [BASE_WH] * 4 + [size_wh] * 4 + [BASE_WH] * 4)
    assert [frames[number].shape[1::-1] for number in (3, 4, 7, 8)] == [BASE_WH, size_wh, size_wh, BASE_WH]


class ChangingCamera(Camera):
    """Changes the size of its picture when it is told to."""

    async def recv(self):
        frame = await super().recv()
        assert frame.width == self.size_wh[0]
        return frame


@pytest.mark.parametrize("codec", ["VP8", "H264"])
async def test_viewers_go_on_through_changes_of_size_and_see_no_untreated_picture(codec):
    def draw(size_wh, number):
        return stripes((size_wh[0] & ~1, size_wh[1] & ~1), number)

    camera = ChangingCamera(draw, size_wh=(320, 240))
    async with serving(SmallFactory(), live={"codecs": [codec]}) as client:
        made = (await client.post("/api/broadcasts", json={"record": False})).json()
        session = await publish(client, made["whip_url"], camera, token=made["token"])
        async with watching(client, made["whep_url"], audio=False) as watcher:
            for size_wh in ((320, 240), (160, 120), (240, 320), (64, 48), (640, 480)):
                camera.size_wh = size_wh
                seen_before = len(watcher.frames)
                await watcher.until(
                    lambda seen, wh=size_wh, since=seen_before: (
                        [(frame.width, frame.height) for _, frame in seen.frames[since:]].count(wh) > 3
                    ),
                    timeout_s=20,
                )
            shown = (await client.get(f"/api/broadcasts/{made['id']}")).json()
            assert (shown["state"], shown["vision_errors"]) == ("live", 0)
            for _, frame in watcher.frames[1:]:
                if min(frame.width, frame.height) >= 120:  # smaller stripes are cells themselves
                    must_hide(hidden=sharpness(np.asarray(frame.to_ndarray(format="rgb24"))) < 14)
        await asyncio.wait_for(session.close_peer(), 10)
