import queue
import time

import av
import numpy as np
import pytest

from mien.sessions.encoder_thread import KEYFRAME_GAP_S, EncoderThread
from mien.vision.faces import TreatedFrame
from mien.vision.slate import slate


class Player:
    """Decodes what comes out, and remembers which packets were keyframes."""

    def __init__(self):
        self._packets = queue.Queue()
        self._decoder = av.CodecContext.create("libvpx", "r")
        self.keys = []

    def put(self, packet):
        self._packets.put(packet)

    def next(self, timeout_s=3.0):
        packet = self._packets.get(timeout=timeout_s)
        self.keys.append(packet.is_keyframe)
        (frame,) = self._decoder.decode(packet)
        return frame.to_ndarray(format="rgb24")

    def empty(self):
        return self._packets.empty()


@pytest.fixture
def player():
    return Player()


@pytest.fixture
def thread(player):
    thread = EncoderThread(emit=player.put, epoch=time.monotonic(), slate_after_s=0.5)
    thread.set_audience(present=True)
    yield thread
    assert thread.close(timeout_s=5)


def painted(level, size_wh=(64, 48)):
    image = np.full((size_wh[1], size_wh[0], 3), level, np.uint8)
    return TreatedFrame(image=image, at=time.monotonic(), counts={"mosaic": 2})


def is_slate(image):
    height, width = image.shape[:2]
    return np.abs(image.astype(int) - slate((width, height), at=0).image).mean() < 6


def test_before_anything_is_safe_there_is_the_slate(thread, player):
    assert is_slate(player.next())
    assert thread.on_slate


def test_a_picture_stays_for_a_while_and_then_gives_way_to_a_slate_of_its_size(thread, player):
    while not is_slate(player.next()):
        pass
    thread.treated.put(painted(200))
    shown = [player.next() for _ in range(6)]
    bright = [image.mean() > 150 for image in shown]
    assert bright[0]
    assert bright[1]  # repeated while nothing new comes
    assert not bright[-1]
    assert is_slate(shown[-1])
    assert shown[-1].shape == (48, 64, 3)
    assert (thread.on_slate, thread.counts) == (True, {})


def test_forgetting_brings_the_slate_at_once(thread, player):
    thread.treated.put(painted(200))
    while player.next().mean() < 150:
        pass
    thread.forget()
    assert is_slate(player.next())


def test_what_is_no_treated_frame_never_leaves(thread, player):
    thread.treated.put(np.full((48, 64, 3), 200, np.uint8))
    assert all(is_slate(player.next()) for _ in range(4))


def test_without_an_audience_nothing_is_encoded_but_the_numbers_go_on(thread, player):
    player.next()
    thread.set_audience(present=False)
    thread.treated.put(painted(10))
    deadline = time.monotonic() + 3
    while not thread.counts and time.monotonic() < deadline:
        time.sleep(0.01)
    while not player.empty():
        player.next()
    thread.treated.put(painted(20))
    time.sleep(0.1)
    assert player.empty()
    assert (thread.counts, thread.size_wh) == ({"mosaic": 2}, (64, 48))


def test_many_requests_are_answered_by_one_keyframe(thread, player):
    player.next()
    time.sleep(KEYFRAME_GAP_S)
    thread.want_keyframe()
    began = time.monotonic()
    while not player.keys[1:] or not player.keys[-1]:
        player.next()
    assert time.monotonic() - began < 0.2
    first = len(player.keys)
    for _ in range(20):
        thread.want_keyframe()
    while len(player.keys) < first + 8:
        player.next()
    assert sum(player.keys[first:]) == 1
