"""What was recorded plays in a real browser: as finished, as a crash left it, and as recovered."""

import shutil
import time

import pytest

from mien.media.codecs.encoded import EncodedFrame, VideoCodec
from mien.media.recording.recorder import Recorder, recover
from support.broadcasts import Broadcast

SECONDS = 6.0
PLAY = """async () => {
    const video = document.querySelector("video");
    video.muted = true;
    const heard = name => new Promise(done => video.addEventListener(name, done, { once: true }));
    while (video.readyState < 1) await new Promise(done => setTimeout(done, 20));
    video.pause();
    const sought = heard("seeked");
    video.currentTime = 3.2;
    await sought;
    const from = video.getVideoPlaybackQuality().totalVideoFrames;
    await video.play();
    while (video.currentTime < 3.7) await new Promise(done => setTimeout(done, 20));
    return {
        width: video.videoWidth,
        seconds: video.duration,
        frames: video.getVideoPlaybackQuality().totalVideoFrames - from,
        sound: video.webkitAudioDecodedByteCount > 0,
    };
}"""


def record(folder, codec):
    """Record, copy the file as it is before its end, and return the recorder's file and the copy."""
    broadcast = Broadcast(codec, size_wh=(640, 360))
    recorder = Recorder(folder, "show", codec=codec, want_keyframe=broadcast.want_keyframe)
    for item in broadcast.run(SECONDS):
        if isinstance(item, EncodedFrame):
            recorder.put_frame(item)
        else:
            recorder.put_audio(item)
    (part,) = folder.glob("*.part")
    before, size = -1, 0
    while size != before:  # until the thread has written all it can
        time.sleep(0.3)
        before, size = size, part.stat().st_size
    cut = folder / ("cut" + part.suffixes[0])
    shutil.copy(part, cut)
    assert recorder.close(timeout_s=10)
    return recorder.files[0], cut


@pytest.mark.parametrize("codec", list(VideoCodec))
def test_a_recording_plays_and_seeks_in_the_browser(tmp_path, viewer, codec):
    finished, cut = record(tmp_path, codec)
    lost = tmp_path / f"lost{cut.suffix}"
    shutil.copy(cut, lost.with_name(lost.name + ".part"))
    assert recover(tmp_path) == [lost]
    for path, least_s in ((finished, SECONDS - 0.1), (cut, 3.9), (lost, 3.9)):
        viewer.goto(path.as_uri())
        seen = viewer.evaluate(PLAY)
        assert (seen["width"], seen["sound"]) == (640, True)
        assert seen["frames"] >= 5
        if path is not cut:
            assert least_s < seen["seconds"] < SECONDS + 0.1
