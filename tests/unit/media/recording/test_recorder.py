import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import av
import numpy as np
import pytest
from structlog.testing import capture_logs

from mien.errors import OutputError
from mien.media.codecs.encoded import EncodedFrame, VideoCodec
from mien.media.recording.recorder import Recorder, RecordingLimits, recover
from support.broadcasts import FLASH_S, FPS, Broadcast

SUFFIX = {VideoCodec.VP8: ".webm", VideoCodec.H264: ".mp4"}

every_codec = pytest.mark.parametrize("codec", list(VideoCodec))


def feed(recorder, broadcast, seconds):
    for item in broadcast.run(seconds):
        if isinstance(item, EncodedFrame):
            recorder.put_frame(item)
        else:
            recorder.put_audio(item)


def record(folder, broadcast, codec, seconds, **how):
    recorder = Recorder(folder, "show", codec=codec, want_keyframe=broadcast.want_keyframe, **how)
    feed(recorder, broadcast, seconds)
    assert recorder.close(timeout_s=20)
    return recorder


def decoded(path):
    """Return the times and pictures, and the times and levels of the sound, of a file."""
    with av.open(str(path)) as container:
        pictures = [(frame.time, frame.to_ndarray(format="gray")) for frame in container.decode(video=0)]
    with av.open(str(path)) as container:
        levels = []
        for frame in container.decode(audio=0) if container.streams.audio else ():
            samples = np.abs(frame.to_ndarray()).max(axis=0)
            levels += [(frame.time + i / 48_000, float(samples[i : i + 48].max())) for i in range(0, len(samples), 48)]
    return pictures, levels


def keyframes(path):
    with av.open(str(path)) as container:
        return [float(p.pts * p.time_base) for p in container.demux(video=0) if p.size and p.is_keyframe]


@every_codec
def test_a_recording_plays_from_beginning_to_end(tmp_path, codec):
    recorder = record(tmp_path, Broadcast(codec), codec, 5.0)
    assert [path.name for path in tmp_path.iterdir()] == ["show" + SUFFIX[codec]]
    pictures, levels = decoded(recorder.files[0])
    assert len(pictures) == 5 * FPS
    assert np.diff([at for at, _ in pictures]) == pytest.approx(1 / FPS, abs=0.0015)
    assert pictures[0][0] == pytest.approx(0, abs=0.02)
    assert levels[-1][0] == pytest.approx(5, abs=0.1)
    with av.open(str(recorder.files[0])) as container:
        assert container.duration / av.time_base == pytest.approx(5, abs=0.1)
    assert (recorder.dropped, recorder.gaps, recorder.ended) == (0, 0, None)


@every_codec
def test_flash_and_beep_stay_together(tmp_path, codec):
    path = record(tmp_path, Broadcast(codec), codec, 5.0).files[0]
    pictures, levels = decoded(path)
    flashes = [at for at, image in pictures if image.mean() > 240]
    beeps = [at for at, level in levels if level > 0.1]
    starts = [[at for at in times if at % 1 < FLASH_S and at > 0.5] for times in (flashes, beeps)]
    for second in range(1, 5):
        flash, beep = (min(at for at in times if at >= second - 0.05) for times in starts)
        assert beep == pytest.approx(flash, abs=0.015)


@every_codec
def test_a_keyframe_comes_every_two_seconds(tmp_path, codec):
    path = record(tmp_path, Broadcast(codec), codec, 7.0).files[0]
    assert np.diff(keyframes(path)) == pytest.approx(2.0, abs=0.1)


@every_codec
def test_it_begins_at_a_keyframe_and_asks_for_one(tmp_path, codec):
    broadcast, asked = Broadcast(codec), []
    list(broadcast.run(0.5))  # others watch already
    recorder = Recorder(tmp_path, "show", codec=codec, want_keyframe=lambda: asked.append(1))
    feed(recorder, broadcast, 0.4)
    assert asked
    broadcast.want_keyframe()
    feed(recorder, broadcast, 1.0)
    assert recorder.close(timeout_s=20)
    pictures, _ = decoded(recorder.files[0])
    assert len(pictures) == FPS
    assert pictures[0][0] == pytest.approx(0, abs=0.02)
    assert recorder.dropped == 0  # what was before the beginning is not missing


@every_codec
def test_a_new_size_begins_a_new_file(tmp_path, codec):
    broadcast = Broadcast(codec)
    recorder = Recorder(tmp_path, "show", codec=codec, want_keyframe=broadcast.want_keyframe)
    feed(recorder, broadcast, 1.0)
    broadcast.size_wh = (240, 320)
    feed(recorder, broadcast, 1.0)
    assert recorder.close(timeout_s=20)
    suffix = SUFFIX[codec]
    assert [path.name for path in recorder.files] == [f"show{suffix}", f"show-2{suffix}"]
    for path, shape in zip(recorder.files, [(240, 320), (320, 240)], strict=True):
        pictures, levels = decoded(path)
        assert {image.shape for _, image in pictures} == {shape}
        assert len(pictures) == FPS
        assert levels[0][0] < 0.05


def test_older_files_are_never_touched(tmp_path):
    (tmp_path / "show.webm").write_bytes(b"old")
    (tmp_path / "show-2.webm.part").write_bytes(b"of another")
    recorder = record(tmp_path, Broadcast(VideoCodec.VP8), VideoCodec.VP8, 1.0)
    assert [path.name for path in recorder.files] == ["show-3.webm"]
    assert (tmp_path / "show.webm").read_bytes() == b"old"


@every_codec
def test_without_sound_there_is_no_track_for_it(tmp_path, codec):
    path = record(tmp_path, Broadcast(codec), codec, 3.0, audio=False).files[0]
    with av.open(str(path)) as container:
        assert [stream.type for stream in container.streams] == ["video"]
    assert len(decoded(path)[0]) == 3 * FPS


def test_sound_out_of_order_is_left_out(tmp_path):
    broadcast = Broadcast(VideoCodec.VP8)
    recorder = Recorder(tmp_path, "show", codec=VideoCodec.VP8, want_keyframe=broadcast.want_keyframe)
    items = list(broadcast.run(1.0))
    sounds = [item for item in items if not isinstance(item, EncodedFrame)]
    sounds[20], sounds[21] = sounds[21], sounds[20]
    for item in items:
        if isinstance(item, EncodedFrame):
            recorder.put_frame(item)
    for sound in sounds:
        recorder.put_audio(sound)
    assert recorder.close(timeout_s=20)
    assert len(decoded(recorder.files[0])[0]) == FPS


@every_codec
@pytest.mark.parametrize(
    ("limits", "why"),
    [
        pytest.param(RecordingLimits(max_s=2.0), "time", id="time"),
        pytest.param(RecordingLimits(max_bytes=60_000), "size", id="size"),
    ],
)
def test_a_recording_ends_at_its_limits(tmp_path, codec, limits, why):
    recorder = record(tmp_path, Broadcast(codec), codec, 8.0, limits=limits)
    assert recorder.ended == why
    path = recorder.files[0]
    pictures, _ = decoded(path)
    if limits.max_s:
        assert pictures[-1][0] == pytest.approx(limits.max_s, abs=0.1)
    else:
        # A fragment is counted when it is whole, so the last one may come on top.
        assert limits.max_bytes < path.stat().st_size < 3 * limits.max_bytes
        assert len(pictures) < 8 * FPS


@every_codec
def test_what_a_slow_disk_cannot_take_is_left_out_up_to_the_next_keyframe(tmp_path, codec):
    broadcast = Broadcast(codec)
    pictures = [item for item in broadcast.run(4.0) if isinstance(item, EncodedFrame)]
    with capture_logs() as logs:
        recorder = Recorder(
            tmp_path,
            "show",
            codec=codec,
            want_keyframe=broadcast.want_keyframe,
            limits=RecordingLimits(queue_bytes=sum(len(picture.data) for picture in pictures) // 4),
        )
        for picture in pictures:  # all at once: no disk is that fast
            recorder.put_frame(picture)
        time.sleep(0.5)
        feed(recorder, broadcast, 1.0)
        feed(recorder, broadcast, 1.0)
        assert recorder.close(timeout_s=20)
    assert recorder.gaps >= 1
    assert recorder.dropped > FPS
    shown, _ = decoded(recorder.files[0])
    assert 0 < len(shown) < 6 * FPS
    assert len(shown) + recorder.dropped == 6 * FPS
    assert {"why": "disk_slow", "times": 1}.items() <= next(
        e for e in logs if e["event"] == "recording_has_gap"
    ).items()


CHILD = """
import sys, time
from pathlib import Path
from mien.media.codecs.encoded import EncodedFrame, VideoCodec
from mien.media.recording.recorder import Recorder
from support.broadcasts import Broadcast
codec = VideoCodec(sys.argv[2])
broadcast = Broadcast(codec)
recorder = Recorder(Path(sys.argv[1]), "show", codec=codec, want_keyframe=broadcast.want_keyframe)
for item in broadcast.run(600):
    (recorder.put_frame if isinstance(item, EncodedFrame) else recorder.put_audio)(item)
    time.sleep(0.002)
"""


def start_child(folder, codec):
    here = Path(__file__).parents[3]
    paths = os.pathsep.join([str(here.parent / "src"), str(here)])
    return subprocess.Popen(
        [sys.executable, "-c", CHILD, str(folder), codec.value],
        env={**os.environ, "PYTHONPATH": paths},
        stdout=subprocess.DEVNULL,
    )


def wait_for_size(part, size, child):
    deadline = time.monotonic() + 60
    while not (part.exists() and part.stat().st_size > size):
        assert child.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.02)


@every_codec
def test_after_a_kill_everything_up_to_the_last_fragment_is_there(tmp_path, codec):
    part = tmp_path / f"show{SUFFIX[codec]}.part"
    child = start_child(tmp_path, codec)
    try:
        wait_for_size(part, 100_000, child)
        assert recover(tmp_path) == []  # its recorder lives
        assert part.exists()
    finally:
        child.send_signal(signal.SIGKILL)
        child.wait()
    in_the_rough, _ = decoded(part)
    assert len(in_the_rough) >= 4 * FPS
    (path,) = recover(tmp_path)
    assert [left.name for left in tmp_path.iterdir()] == [f"show{SUFFIX[codec]}"]
    pictures, levels = decoded(path)
    assert len(pictures) == len(in_the_rough)
    assert np.diff([at for at, _ in pictures]) == pytest.approx(1 / FPS, abs=0.0015)
    assert levels[-1][0] == pytest.approx(pictures[-1][0], abs=0.3)
    with av.open(str(path)) as container:
        assert container.duration / av.time_base == pytest.approx(len(pictures) / FPS, abs=0.3)


@every_codec
def test_a_file_cut_off_anywhere_is_recovered_up_to_there(tmp_path, codec):
    whole = record(tmp_path, Broadcast(codec), codec, 7.0).files[0]
    child = start_child(tmp_path, codec)
    part = tmp_path / f"show-2{SUFFIX[codec]}.part"
    try:
        wait_for_size(part, 60_000, child)
    finally:
        child.kill()
        child.wait()
    fragments = part.read_bytes()
    part.unlink()
    seen = []
    for share in (1.0, 0.93, 0.8, 0.5, 0.25, 0.001):
        part.write_bytes(fragments[: int(len(fragments) * share)])
        found = recover(tmp_path)
        seen.append(len(decoded(found[0])[0]) if found else 0)
        assert not part.exists()
        for path in found:
            path.unlink()
    assert seen[0] >= 2 * FPS
    assert seen == sorted(seen, reverse=True)
    assert seen[3] < seen[0]
    assert seen[-1] == 0
    assert len(decoded(whole)[0]) == 7 * FPS


def test_a_file_without_a_picture_is_removed_and_others_are_left_alone(tmp_path):
    for name in ("empty.mp4.part", "empty.webm.part", "notes.txt.part", ".result.mp4.1234.part"):
        (tmp_path / name).write_bytes(b"" if "empty" in name else b"mine")
    (tmp_path / "junk.webm.part").write_bytes(b"\x1a\x45\xdf\xa3 and nothing")
    with capture_logs() as logs:
        assert recover(tmp_path) == []
    assert sorted(path.name for path in tmp_path.iterdir()) == [".result.mp4.1234.part", "notes.txt.part"]
    assert [event["event"] for event in logs] == ["recording_was_empty"] * 3


FULL_DISK = """
import resource, sys, time
from pathlib import Path
from mien.media.recording import recorder as module
from mien.media.codecs.encoded import EncodedFrame, VideoCodec
from support.broadcasts import Broadcast
module._RETRY_S = 0.0
resource.setrlimit(resource.RLIMIT_FSIZE, (150_000, 150_000))
codec = VideoCodec(sys.argv[2])
broadcast = Broadcast(codec)
recorder = module.Recorder(Path(sys.argv[1]), "show", codec=codec, want_keyframe=broadcast.want_keyframe)
for item in broadcast.run(24):
    (recorder.put_frame if isinstance(item, EncodedFrame) else recorder.put_audio)(item)
    time.sleep(0.001)
assert recorder.close(timeout_s=20)
print(recorder.dropped, recorder.gaps, *[path.name for path in recorder.files])
"""


@every_codec
def test_when_the_disk_takes_no_more_whole_fragments_stay_and_another_file_follows(tmp_path, codec):
    here = Path(__file__).parents[3]
    result = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(tmp_path), codec.value],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(here.parent / "src"), str(here)])},
        capture_output=True,
        text=True,
        timeout=100,
        check=True,
    )
    dropped, gaps, *names = result.stdout.splitlines()[-1].split()
    assert int(gaps) >= 1
    assert int(dropped) >= 1
    assert len(names) >= 2
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(names)
    total = 0
    for name in names:
        pictures, _ = decoded(tmp_path / name)
        assert (tmp_path / name).stat().st_size <= 150_000
        assert pictures
        total += len(pictures)
    assert total > 8 * FPS


def test_only_a_plain_name_in_an_existing_folder_is_taken(tmp_path):
    for folder, name in ((tmp_path, "../show"), (tmp_path, ""), (tmp_path, ".hidden"), (tmp_path / "no", "show")):
        with pytest.raises(OutputError):
            Recorder(folder, name, codec=VideoCodec.VP8, want_keyframe=lambda: None)


def test_nothing_recorded_leaves_nothing(tmp_path):
    recorder = Recorder(tmp_path, "show", codec=VideoCodec.H264, want_keyframe=lambda: None)
    assert recorder.close(timeout_s=5)
    assert recorder.files == ()
    assert list(tmp_path.iterdir()) == []


def test_nobody_but_its_owner_can_read_a_recording(tmp_path):
    before = os.umask(0)
    try:
        recorder = record(tmp_path, Broadcast(VideoCodec.VP8), VideoCodec.VP8, 1.0)
    finally:
        os.umask(before)
    assert [stat.S_IMODE(file.stat().st_mode) for file in recorder.files] == [0o600]
