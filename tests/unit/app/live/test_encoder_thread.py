import itertools
import queue
import threading
import time

import av
import numpy as np
import pytest

from mien.app.live import encoder_thread
from mien.app.live.encoder_thread import EncoderThread
from mien.media.codecs.encoded import VideoCodec
from mien.media.codecs.layers import KEYFRAME_GAP_S
from mien.vision.render.slate import slate
from mien.vision.types import TreatedFrame

BEST = frozenset({0})


class Player:
    """Decodes what comes out of one layer, and remembers which pictures were keyframes."""

    def __init__(self, codec=VideoCodec.VP8, layer=0):
        self._frames = queue.Queue()
        self._decoder = av.CodecContext.create({VideoCodec.VP8: "libvpx", VideoCodec.H264: "h264"}[codec], "r")
        if codec is VideoCodec.H264:
            self._decoder.options = {"flags": "+low_delay"}  # give each picture out at once
        self._layer = layer
        self.keys = []

    def put(self, picture):
        if picture.layer == self._layer:
            self._frames.put(picture)

    def next(self, timeout_s=10.0):
        picture = self._frames.get(timeout=timeout_s)
        self.keys.append(picture.is_keyframe)
        (frame,) = self._decoder.decode(av.Packet(picture.data))
        return frame.to_ndarray(format="rgb24")

    def empty(self):
        return self._frames.empty()


class Tap:
    def __init__(self):
        self.seen = []

    def put(self, treated):
        self.seen.append(treated)

    def forget(self):
        self.seen.clear()


@pytest.fixture(params=list(VideoCodec))
def player(request):
    player = Player(request.param)
    player.codec = request.param
    return player


@pytest.fixture
def tap():
    return Tap()


@pytest.fixture
def thread(player, tap):
    thread = EncoderThread(emit=player.put, epoch=time.monotonic(), slate_after_s=0.5, codec=player.codec, taps=[tap])
    thread.set_audience(BEST)
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
    shown = [player.next()]
    while is_slate(shown[0]):
        shown = [player.next()]
    shown += [player.next() for _ in range(5)]
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


def test_one_late_picture_hardly_changes_what_sound_waits_for_and_a_second_of_them_does(thread, player):
    levels = itertools.cycle((200, 60))  # each one differs from the last

    def show(*, late_s):
        level = next(levels)
        frame = painted(level)
        thread.treated.put(TreatedFrame(frame.image, at=time.monotonic() - late_s, counts=frame.counts))
        while (level < 130) != (player.next().mean() < 130):
            pass

    show(late_s=0.0)
    before = thread.delay_s
    show(late_s=10.0)
    assert before < thread.delay_s < before + 3
    for _ in range(30):
        show(late_s=10.0)
    assert thread.delay_s > before + 5


def test_without_an_audience_nothing_is_encoded_but_the_numbers_go_on(thread, player):
    player.next()
    thread.set_audience(frozenset())
    thread.treated.put(painted(10))
    deadline = time.monotonic() + 20
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
    while not player.empty():
        player.next()
    first = len(player.keys)
    thread.want_keyframe(0)
    while not any(player.keys[first:]):
        player.next()
    assert len(player.keys) - first <= 2  # one may have been on its way
    first, began = len(player.keys), time.monotonic()
    for _ in range(20):
        thread.want_keyframe(0)
    while len(player.keys) < first + 8:
        player.next()
    # One, unless the machine stood still: the next is granted a gap later.
    assert 1 <= sum(player.keys[first:]) <= max(1, (time.monotonic() - began) / KEYFRAME_GAP_S)


def test_a_new_audience_gets_a_keyframe_at_once(player, monkeypatch):
    monkeypatch.setattr(encoder_thread, "REPEAT_S", 20.0)  # whoever waits for a repetition waits too long
    thread = EncoderThread(emit=player.put, epoch=time.monotonic(), slate_after_s=60.0, codec=player.codec)
    try:
        thread.treated.put(painted(200))
        time.sleep(0.3)
        assert player.empty()
        thread.set_audience(BEST)
        assert player.next().mean() > 150
        assert player.keys == [True]
    finally:
        assert thread.close(timeout_s=5)


def test_two_rungs_show_the_same():
    best, lower = Player(), Player(layer=1)

    def emit(picture):
        best.put(picture)
        lower.put(picture)

    thread = EncoderThread(emit=emit, epoch=time.monotonic(), slate_after_s=60.0)
    try:
        thread.set_audience(frozenset({0, 1}))
        thread.treated.put(painted(200, (128, 96)))
        pictures = [best.next(), lower.next()]
        while pictures[0].shape != (96, 128, 3) or pictures[1].shape != (48, 64, 3):
            pictures = [best.next(), lower.next()]
        assert [round(picture.mean(), -1) for picture in pictures] == [200, 200]
    finally:
        assert thread.close(timeout_s=5)


def test_the_taps_see_what_viewers_see_whether_there_are_any_or_not(thread, tap):
    thread.set_audience(frozenset())
    frame = painted(200)
    thread.treated.put(frame)
    deadline = time.monotonic() + 20
    while len(tap.seen) < 2 and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(0.5)
    assert tap.seen[0] is frame
    assert [is_slate(seen.image) for seen in tap.seen] == [False, True]  # the slate once, not at each repetition


def test_after_forgetting_nothing_of_before_leaves_any_more(player, tap):
    emitted, calm, rng = [], [], np.random.default_rng(3)
    thread = EncoderThread(
        emit=emitted.append, epoch=time.monotonic(), slate_after_s=60.0, codec=player.codec, taps=[tap]
    )
    try:
        thread.set_audience(BEST)
        for number in range(12):
            # Forget at any moment of the frame's way: waiting, being shown, being encoded, sent.
            thread.treated.put(painted(250, (640, 480)))
            time.sleep(rng.uniform(0, 0.02))
            while not number and (not tap.seen or len(emitted) < 3):  # on a slow machine, too, one leaves
                time.sleep(0.005)
            thread.forget()
            first = len(emitted)
            assert tap.seen == []
            deadline = time.monotonic() + 20
            while len(emitted) < first + 2 and time.monotonic() < deadline:
                time.sleep(0.005)
            calm.append(range(first, len(emitted)))
    finally:
        assert thread.close(timeout_s=5)
    for picture in emitted:
        player.put(picture)
    levels = [player.next().mean() for _ in emitted]
    assert max(levels) > 200
    assert all(len(range_) >= 2 for range_ in calm)
    assert max(levels[number] for range_ in calm for number in range_) < 60  # nor does anything shine through


def test_forgetting_leaves_a_new_frame_the_time_to_come(thread, player):
    thread.treated.put(painted(200))
    while player.next().mean() < 150:
        pass
    thread.forget(at_once=False)
    levels = []
    for _ in range(10):
        thread.treated.put(painted(120))
        time.sleep(0.04)
    while not player.empty():
        levels.append(player.next().mean())
    after = [level for level in levels if level < 150]  # the others were sent before
    assert after
    assert min(after) > 100  # no slate between
    thread.forget(at_once=False)
    time.sleep(0.5)
    while not player.empty():
        levels.append(player.next().mean())
    assert levels[-1] < 60  # no frame came


def test_an_encoder_that_fails_starts_anew_and_the_broadcast_goes_on(thread, player):
    player.next()
    thread.treated.put(TreatedFrame(image=np.zeros((1, 1, 3), np.uint8), at=time.monotonic()))
    deadline = time.monotonic() + 20
    while not thread.errors and time.monotonic() < deadline:
        time.sleep(0.01)
    thread.treated.put(painted(200))
    while player.next().mean() < 150:
        pass
    assert thread.errors


def test_pictures_that_cannot_be_encoded_give_way_to_the_slate_and_nobody_is_told_that_they_flow(thread, player):
    thread.treated.put(painted(200))
    while player.next().mean() < 150:
        pass
    assert thread.flows
    until = time.monotonic() + 1.2
    while time.monotonic() < until:
        thread.treated.put(TreatedFrame(image=np.zeros((1, 1, 3), np.uint8), at=time.monotonic()))
        time.sleep(0.02)
    assert not thread.flows
    while not player.empty():
        last = player.next()
    assert is_slate(last)
    thread.treated.put(painted(200, (80, 60)))
    while player.next().shape != (60, 80, 3):
        pass
    assert thread.flows


def test_an_encoder_that_hangs_is_not_said_to_flow(thread, player, monkeypatch):
    thread.treated.put(painted(200))
    while player.next().mean() < 150:
        pass
    go_on = threading.Event()
    monkeypatch.setattr(thread._layer_encoders, "encode", lambda *_, **__: iter([go_on.wait(5)][:0]))
    thread.treated.put(painted(100))
    time.sleep(0.8)
    flowed = thread.flows
    go_on.set()
    assert not flowed
