"""A broadcast as a worker runs it: the encoder thread, a recorder and a thumbnail, in real time."""

import time
from functools import partial

import av
import cv2
import numpy as np
import pytest

from mien.app.live.encoder_thread import EncoderThread
from mien.media.codecs.encoded import VideoCodec
from mien.media.recording.recorder import Recorder
from mien.media.thumbnail import ThumbnailMaker
from mien.vision.types import TreatedFrame


def show(thread, seconds, fps=25):
    """Give frames of noise on grey to the thread, in real time."""
    rng = np.random.default_rng(5)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        image = rng.integers(150, 250, (240, 320, 3), np.uint8)
        thread.treated.put(TreatedFrame(cv2.blur(image, (9, 9)), at=time.monotonic()))
        time.sleep(1 / fps)


@pytest.mark.parametrize("codec", list(VideoCodec))
def test_viewers_recording_and_thumbnail_show_the_same_and_forget_together(tmp_path, codec):
    pictures, thumbnail = [], ThumbnailMaker(every_s=0.0)
    recorders = []

    def emit(picture):
        pictures.append(picture)
        for recorder in recorders:
            recorder.put_frame(picture)

    thread = EncoderThread(emit=emit, epoch=time.monotonic(), slate_after_s=60.0, codec=codec, taps=[thumbnail])
    try:
        thread.set_audience(frozenset({0}))
        show(thread, 0.5)
        recorders.append(
            Recorder(tmp_path, "show", codec=codec, want_keyframe=partial(thread.want_keyframe, 0), audio=False)
        )
        show(thread, 4.5)
        assert cv2.imdecode(np.frombuffer(thumbnail.latest(), np.uint8), cv2.IMREAD_COLOR).mean() > 150
        thread.forget()
        assert thumbnail.latest() is None
        time.sleep(0.7)
    finally:
        assert thread.close(timeout_s=5)
    assert recorders[0].close(timeout_s=10)

    with av.open(str(recorders[0].files[0])) as container:
        keys = [float(p.pts * p.time_base) for p in container.demux(video=0) if p.size and p.is_keyframe]
    with av.open(str(recorders[0].files[0])) as container:
        seen = [frame.to_ndarray(format="rgb24").mean() for frame in container.decode(video=0)]
    assert keys[:3] == pytest.approx([0.0, 2.0, 4.0], abs=0.9)
    assert sum(picture.is_keyframe for picture in pictures) <= 6  # the first, the recorder's, the slate's
    bright = [level > 150 for level in seen]
    assert bright == sorted(bright, reverse=True)  # once forgotten, never again
    assert bright[0]
    assert not bright[-1]
    assert recorders[0].dropped == 0
