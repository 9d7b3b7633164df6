"""Videos through the file job: what comes out, measured on real encoded clips."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from mien.app.files.treat import FileLimits, Progress, TreatReport, treat_file
from mien.errors import (
    MediaError,
    MediaTooLargeError,
    MediaTruncatedError,
    MienError,
    OutputError,
    ShapeError,
)
from mien.media.colour import Colour, colour_of
from mien.vision.types import Image, TreatedFrame
from support.clips import LIMITED_709, PATCHES, Clip, Keep, decode, frame_index, packets, patches


def treat(source: Path, target: Path, pipeline: object | None = None, **options: object) -> TreatReport:
    keep = pipeline or Keep()
    return treat_file(source, target, lambda **_: keep, **options)


def stripes_of(image: Image, size_wh: tuple[int, int]) -> list[list[int]]:
    """Return the mean colour in the middle of each stripe of `patches`."""
    width, height = size_wh
    middles = [round((i + 0.5) * width / len(PATCHES)) for i in range(len(PATCHES))]
    return [
        image[height // 2 : height - 4, x - 3 : x + 3].mean(axis=(0, 1)).round().astype(int).tolist() for x in middles
    ]


def files_of(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


# --- every frame, once, in time ----------------------------------------------------------------------------


@pytest.mark.parametrize("delay", [0, 1, 5, 40])
def test_every_frame_comes_out_once_and_in_order_whatever_the_delay(tmp_path, delay):
    source = Clip(pts=range(18)).write(tmp_path / "in.mp4")
    report = treat(source, tmp_path / "out.mp4", Keep(delay))
    frames = decode(tmp_path / "out.mp4")
    assert [frame_index(frame.to_ndarray(format="rgb24")) for frame in frames] == list(range(18))
    assert report.frames == 18


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv", ".webm"])
def test_uneven_times_and_a_late_start_stay_exact_to_the_containers_tick(tmp_path, suffix):
    times = [7, 40, 41, 90, 300, 301, 302, 777, 1500]
    source = Clip(pts=times, time_base=Fraction(1, 1000)).write(tmp_path / "in.mkv")
    treat(source, tmp_path / f"out{suffix}")
    wanted = [frame.time for frame in decode(source)]
    assert [frame.time for frame in decode(tmp_path / f"out{suffix}")] == pytest.approx(wanted, abs=1e-6)


def test_a_pipeline_that_loses_a_frame_is_caught_and_nothing_is_written(tmp_path):
    class Lossy(Keep):
        def flush(self) -> Iterator[TreatedFrame]:
            yield from list(super().flush())[:-1]

    source = Clip().write(tmp_path / "in.mp4")
    with pytest.raises(ShapeError, match="kept 1 frame"):
        treat(source, tmp_path / "out.mp4", Lossy(3))
    assert files_of(tmp_path) == ["in.mp4"]


# --- sound -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("codec", "before", "after"),
    [
        pytest.param("aac", ".mp4", ".mp4", id="aac"),
        pytest.param("aac", ".mp4", ".mkv", id="aac to matroska"),
        pytest.param("libopus", ".webm", ".webm", id="opus"),
        pytest.param("libopus", ".mkv", ".mp4", id="opus to mp4"),
        pytest.param("flac", ".mkv", ".mkv", id="flac"),
    ],
)
def test_sound_is_copied_packet_for_packet_and_keeps_its_time(tmp_path, codec, before, after):
    video = "libvpx" if before == ".webm" else "libx264"
    options = {"deadline": "realtime", "cpu-used": "8"} if video == "libvpx" else {"preset": "ultrafast"}
    source = Clip(pts=range(25), sound=codec, codec=video, options=options).write(tmp_path / f"in{before}")
    treat(source, tmp_path / f"out{after}", Keep(6))
    wanted, got = packets(source, "audio"), packets(tmp_path / f"out{after}", "audio")
    assert [data for data, _ in got] == [data for data, _ in wanted]
    lag = packets(tmp_path / f"out{after}", "video")[0][1] - packets(source, "video")[0][1]
    assert [at - lag for _, at in got] == pytest.approx([at for _, at in wanted], abs=0.0011)


@pytest.mark.parametrize(
    ("codec", "before", "after"),
    [
        pytest.param("pcm_s16le", ".mkv", ".mp4", id="pcm to mp4"),
        pytest.param("aac", ".mp4", ".webm", id="aac to webm"),
    ],
)
def test_sound_the_container_cannot_hold_is_converted_and_said_so(tmp_path, codec, before, after):
    source = Clip(pts=range(25), sound=codec, audio_start_s=0.2).write(tmp_path / f"in{before}")
    report = treat(source, tmp_path / f"out{after}")
    assert any("sound was converted" in note for note in report.notes)
    with av.open(str(tmp_path / f"out{after}")) as container:
        frames = list(container.decode(audio=0))
    samples = np.concatenate([frame.to_ndarray().reshape(-1) for frame in frames]).astype(np.float64)
    assert np.abs(samples).max() > 0.1 * (32767 if frames[0].format.name.startswith("s16") else 1)
    assert frames[0].time == pytest.approx(0.2, abs=0.03)
    assert frames[-1].time == pytest.approx(1.2, abs=0.06)


# --- colour ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "colour",
    [
        pytest.param(Colour(1, full_range=False, primaries=1, transfer=1), id="bt709 limited"),
        pytest.param(Colour(1, full_range=True, primaries=1, transfer=1), id="bt709 full"),
        pytest.param(Colour(6, full_range=False, primaries=6, transfer=6), id="bt601 limited"),
        pytest.param(Colour(5, full_range=True, primaries=5, transfer=6), id="bt601 PAL full"),
        pytest.param(Colour(9, full_range=False, primaries=9, transfer=14), id="bt2020 limited"),
    ],
)
def test_patches_keep_their_rgb_and_the_file_its_colour_tags(tmp_path, colour):
    size = (192, 108)
    source = Clip(size_wh=size, colour=colour).write(tmp_path / "in.mp4")
    keep = Keep()
    treat(source, tmp_path / "out.mp4", keep)
    assert np.abs(np.subtract(stripes_of(keep.images[5], size), PATCHES)).max() <= 4
    again = Keep()
    treat(tmp_path / "out.mp4", tmp_path / "twice.mp4", again)
    assert np.abs(np.subtract(stripes_of(again.images[5], size), PATCHES)).max() <= 5
    assert colour_of(decode(tmp_path / "out.mp4")[0]) == colour


@pytest.mark.parametrize(("size", "matrix"), [((320, 180), 6), ((1280, 720), 1)])
def test_colours_nobody_tagged_are_read_as_players_do_and_tagged_then(tmp_path, size, matrix):
    colour = Colour(matrix)
    source = Clip(size_wh=size, colour=colour, tagged=False, pts=range(3)).write(tmp_path / "in.mp4")
    keep = Keep()
    treat(source, tmp_path / "out.mp4", keep)
    assert np.abs(np.subtract(stripes_of(keep.images[1], size), PATCHES)).max() <= 4
    assert colour_of(decode(tmp_path / "out.mp4")[0]).matrix == matrix


def test_vp9_keeps_range_and_matrix(tmp_path):
    colour = Colour(1, full_range=True, primaries=1, transfer=1)
    source = Clip(colour=colour).write(tmp_path / "in.mp4")
    treat(source, tmp_path / "out.webm")
    keep = Keep()
    treat(tmp_path / "out.webm", tmp_path / "out.mp4", keep)
    assert np.abs(np.subtract(stripes_of(keep.images[5], (192, 108)), PATCHES)).max() <= 6


def test_hdr_is_brought_down_to_standard_range_with_a_note(tmp_path):
    source = Clip(colour=Colour(9, full_range=False, primaries=9, transfer=16), pts=range(3)).write(tmp_path / "in.mp4")
    report = treat(source, tmp_path / "out.mp4")
    assert any("HDR" in note for note in report.notes)
    assert colour_of(decode(tmp_path / "out.mp4")[0]) == LIMITED_709


# --- upright -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
@pytest.mark.parametrize("mirror", [False, True])
def test_the_detector_sees_frames_as_a_viewer_does_and_the_result_needs_no_turning(tmp_path, rotation, mirror):
    def corner(size_wh: tuple[int, int], _index: int) -> Image:
        image = np.full((size_wh[1], size_wh[0], 3), 40, np.uint8)
        image[: size_wh[1] // 4, : size_wh[0] // 4] = (220, 30, 30)
        image[: size_wh[1] // 4, -size_wh[0] // 4 :] = (30, 220, 30)
        return image

    source = Clip(size_wh=(160, 96), picture=corner, rotation=rotation, mirror=mirror).write(tmp_path / "in.mp4")
    keep = Keep()
    report = treat(source, tmp_path / "out.mp4", keep)
    coded = corner((160, 96), 0)
    # The order is the one in which FFmpeg's own tools turn such a picture: rotation first, then the mirror.
    turned = np.rot90(coded, rotation // 90)
    wanted = turned[:, ::-1] if mirror else turned
    assert keep.images[0].shape == wanted.shape
    assert np.abs(keep.images[0].astype(int) - wanted).mean() < 3
    assert report.size_wh == (wanted.shape[1], wanted.shape[0])
    assert all(frame.rotation == 0 for frame in decode(tmp_path / "out.mp4"))


def test_oblong_pixels_become_square(tmp_path):
    source = Clip(size_wh=(144, 112), pixel_shape=Fraction(64, 45)).write(tmp_path / "in.mp4")
    report = treat(source, tmp_path / "out.mp4")
    assert report.size_wh == (205, 112)
    assert any("square" in note for note in report.notes)
    with av.open(str(tmp_path / "out.mp4")) as container:
        assert container.streams.video[0].sample_aspect_ratio in {None, 1}


def test_odd_sides_are_kept_in_webm_and_evened_in_h264(tmp_path):
    source = Clip(size_wh=(101, 75), codec="libvpx", options={"deadline": "realtime"}).write(tmp_path / "in.webm")
    treat(source, tmp_path / "out.webm")
    assert (decode(tmp_path / "out.webm")[0].width, decode(tmp_path / "out.webm")[0].height) == (101, 75)
    report = treat(source, tmp_path / "out.mp4")
    assert (decode(tmp_path / "out.mp4")[0].width, decode(tmp_path / "out.mp4")[0].height) == (102, 76)
    assert any("even sides" in note for note in report.notes)


# --- what must not travel ----------------------------------------------------------------------------------


def test_neither_cover_nor_second_camera_nor_place_is_carried_over(tmp_path):
    cover = av.VideoFrame.from_ndarray(patches((64, 64)), format="rgb24").reformat(format="yuvj420p")
    with av.open(str(tmp_path / "in.mkv"), "w") as container:
        container.metadata.update({"title": "A day out", "location": "+37.5665+126.9780/", "comment": "secret"})
        films = []
        for size in ((192, 108), (96, 64)):
            film = container.add_stream("libx264", rate=25, options={"preset": "ultrafast"})
            film.width, film.height, film.pix_fmt = *size, "yuv420p"
            films.append(film)
        still = container.add_stream("mjpeg", rate=25)
        still.width, still.height, still.pix_fmt = 64, 64, "yuvj420p"
        container.add_attachment("cover.jpg", "image/jpeg", b"\xff\xd8\xff untreated")
        for film in films:
            for index in range(5):
                frame = av.VideoFrame.from_ndarray(patches((film.width, film.height), index), format="rgb24")
                frame.pts = index
                container.mux(film.encode(frame.reformat(format="yuv420p")))
            container.mux(film.encode(None))
        cover.pts = 0
        container.mux(still.encode(cover))
        container.mux(still.encode(None))
    report = treat(tmp_path / "in.mkv", tmp_path / "out.mkv")
    with av.open(str(tmp_path / "out.mkv")) as container:
        assert [(s.type, s.width) for s in container.streams] == [("video", 192)]
        assert container.metadata["title"] == "A day out"
    data = (tmp_path / "out.mkv").read_bytes()
    assert b"+37.5665" not in data
    assert b"secret" not in data
    assert b"untreated" not in data
    assert "3 further picture stream(s), such as a cover, were left out" in report.notes


def test_subtitles_of_plain_text_are_copied_and_others_are_left_out_with_a_note(tmp_path):
    film = Clip(pts=range(25)).write(tmp_path / "bare.mkv")
    with av.open(str(film)) as bare, av.open(str(tmp_path / "in.mkv"), "w") as container:
        copy = container.add_stream_from_template(bare.streams.video[0], opaque=True)
        text = container.add_mux_stream("subrip", time_base=Fraction(1, 1000))
        container.start_encoding()
        words = av.Packet(b"hello there")
        words.stream, words.time_base = text, Fraction(1, 1000)
        words.pts = words.dts = 100
        words.duration = 300
        container.mux(words)
        for packet in bare.demux(video=0):
            if packet.dts is not None:
                packet.stream = copy
                container.mux(packet)
    treat(tmp_path / "in.mkv", tmp_path / "out.mkv")
    assert packets(tmp_path / "out.mkv", "subtitle") == [(b"hello there", pytest.approx(0.1, abs=0.001))]
    report = treat(tmp_path / "in.mkv", tmp_path / "out.mp4")
    assert any("subtitles (subrip)" in note for note in report.notes)


# --- broken and hostile input ------------------------------------------------------------------------------


def test_a_cut_off_video_is_treated_as_far_as_it_goes_and_says_so(tmp_path):
    whole = Clip(pts=range(100), options={"preset": "ultrafast", "g": "10"}, sound="aac").write(tmp_path / "whole.mkv")
    data = whole.read_bytes()
    (tmp_path / "in.mkv").write_bytes(data[: len(data) // 2])
    report = treat(tmp_path / "in.mkv", tmp_path / "out.mp4")
    assert 10 < report.frames < 90
    assert any("cut off" in note for note in report.notes)
    assert len(decode(tmp_path / "out.mp4")) == report.frames


def test_an_mp4_without_its_index_is_called_cut_off(tmp_path):
    data = Clip().write(tmp_path / "whole.mp4").read_bytes()
    (tmp_path / "in.mp4").write_bytes(data[: len(data) // 2])
    with pytest.raises(MediaTruncatedError, match="cut off"):
        treat(tmp_path / "in.mp4", tmp_path / "out.mp4")


def test_damage_in_the_middle_costs_frames_but_no_crash_and_no_untreated_ones(tmp_path):
    data = bytearray(
        Clip(pts=range(60), options={"preset": "ultrafast", "g": "5"}).write(tmp_path / "a.mkv").read_bytes()
    )
    rng = np.random.default_rng(5)
    for place in rng.integers(len(data) // 3, 2 * len(data) // 3, 60):
        data[place] ^= 0xFF
    (tmp_path / "in.mkv").write_bytes(data)
    keep = Keep(3)
    report = treat(tmp_path / "in.mkv", tmp_path / "out.mp4", keep)
    assert report.frames == len(keep.images) == len(decode(tmp_path / "out.mp4"))


@pytest.mark.parametrize(
    ("name", "data"),
    [
        pytest.param("in.mp4", b"", id="empty"),
        pytest.param("in.mp4", b"this is a letter, not a film" * 99, id="text"),
        pytest.param("in.mp4", bytes(range(256)) * 64, id="noise"),
        pytest.param("in.m3u8", b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n", id="playlist"),
        pytest.param("in.txt", b"ffconcat version 1.0\nfile '/etc/passwd'\n", id="concat list"),
    ],
)
def test_what_is_no_film_is_refused_by_name_and_leaves_nothing(tmp_path, name, data):
    (tmp_path / name).write_bytes(data)
    with pytest.raises(MediaError, match=name):
        treat(tmp_path / name, tmp_path / "out.mp4")
    assert files_of(tmp_path) == [name]


def test_a_file_with_sound_alone_is_refused(tmp_path):
    with av.open(str(tmp_path / "in.m4a"), "w") as container:
        stream = container.add_stream("aac", rate=48_000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 2048), np.int16), format="s16", layout="stereo")
        frame.sample_rate, frame.pts = 48_000, 0
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    with pytest.raises(MediaError, match=r"no video \(it holds audio"):
        treat(tmp_path / "in.m4a", tmp_path / "out.mp4")


def test_frames_beyond_the_limit_are_refused_before_the_pipeline_is_made(tmp_path):
    source = Clip(size_wh=(640, 360), pts=range(2)).write(tmp_path / "in.mp4")
    with pytest.raises(MediaTooLargeError, match="640x360"):
        treat_file(
            source, tmp_path / "out.mp4", lambda **_: pytest.fail("made"), limits=FileLimits(frame_pixels=200_000)
        )


def test_a_stretched_pixel_cannot_smuggle_a_larger_frame_in(tmp_path):
    source = Clip(size_wh=(640, 360), pixel_shape=Fraction(15), pts=range(2)).write(tmp_path / "in.mp4")
    with pytest.raises(MediaTooLargeError, match="9600x360"):
        treat(source, tmp_path / "out.mp4", limits=FileLimits(frame_pixels=1_000_000))


def test_longer_videos_than_allowed_are_refused(tmp_path):
    source = Clip(pts=range(50)).write(tmp_path / "in.mp4")
    with pytest.raises(MediaTooLargeError, match="lasts 2 s"):
        treat(source, tmp_path / "out.mp4", limits=FileLimits(seconds=1.0))


# --- whole or not at all -----------------------------------------------------------------------------------


def test_a_failing_pipeline_leaves_the_older_result_untouched(tmp_path):
    class Failing(Keep):
        def __call__(self, image: Image, *, at: float) -> TreatedFrame | None:
            if at > 0.2:
                raise MienError("the eyes gave up")
            return super().__call__(image, at=at)

    source = Clip().write(tmp_path / "in.mp4")
    (tmp_path / "out.mp4").write_bytes(b"older")
    with pytest.raises(MienError, match="gave up"):
        treat(source, tmp_path / "out.mp4", Failing(), overwrite=True)
    assert (tmp_path / "out.mp4").read_bytes() == b"older"
    assert files_of(tmp_path) == ["in.mp4", "out.mp4"]


def test_an_existing_result_is_replaced_only_on_demand(tmp_path):
    source = Clip().write(tmp_path / "in.mp4")
    (tmp_path / "out.mp4").write_bytes(b"older")
    with pytest.raises(OutputError, match="--force"):
        treat(source, tmp_path / "out.mp4")
    treat(source, tmp_path / "out.mp4", overwrite=True)
    assert len(decode(tmp_path / "out.mp4")) == 12


def test_the_input_is_never_the_output_not_even_by_another_name(tmp_path):
    source = Clip().write(tmp_path / "in.mp4")
    (tmp_path / "alias.mp4").symlink_to(source)
    os.link(source, tmp_path / "twin.mp4")
    for name in ("in.mp4", "alias.mp4", "twin.mp4"):
        with pytest.raises(OutputError, match="input itself"):
            treat(source, tmp_path / name, overwrite=True)


@pytest.mark.parametrize("name", ["out.png", "out.avi", "out", "missing/out.mp4"])
def test_results_that_cannot_be_are_refused_before_any_work(tmp_path, name):
    source = Clip().write(tmp_path / "in.mp4")
    with pytest.raises(OutputError):
        treat_file(source, tmp_path / name, lambda **_: pytest.fail("made"))


def test_anything_but_a_treated_frame_is_refused(tmp_path):
    class Camera(Keep):
        def __call__(self, image: Image, *, at: float) -> TreatedFrame | None:
            class Lookalike:
                pass

            fake = Lookalike()
            fake.image, fake.at, fake.counts = image, at, {}
            return fake

    source = Clip().write(tmp_path / "in.mp4")
    with pytest.raises(MienError, match="only a TreatedFrame"):
        treat(source, tmp_path / "out.mp4", Camera())
    assert files_of(tmp_path) == ["in.mp4"]


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_a_stop_from_outside_leaves_nothing_behind(tmp_path, how):
    source = Clip(pts=range(400)).write(tmp_path / "in.mp4")
    script = (
        "import sys, time; from pathlib import Path\n"
        "from support.clips import Keep; from mien.cli.treat import stopping_on_terminate\n"
        "from mien.app.files.treat import treat_file\n"
        "with stopping_on_terminate():\n"
        "    def tell(progress):\n"
        "        print(progress.frames, flush=True)\n"
        "        time.sleep(0.02)\n"
        "    treat_file(Path(sys.argv[1]), Path(sys.argv[2]), lambda **_: Keep(), progress=tell)\n"
    )
    paths = os.pathsep.join(sys.path)
    process = subprocess.Popen(
        [sys.executable, "-c", script, source, tmp_path / "out.mp4"],
        env={**os.environ, "PYTHONPATH": paths},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    for line in process.stdout:
        if int(line) >= 5:
            break
    assert any(name.endswith(".part") for name in files_of(tmp_path))
    process.send_signal(how)
    _, errors = process.communicate(timeout=30)
    assert process.returncode != 0
    assert "KeyboardInterrupt" in errors
    assert files_of(tmp_path) == ["in.mp4"]


# --- what is told ------------------------------------------------------------------------------------------


def test_progress_counts_to_the_number_of_frames(tmp_path):
    seen: list[Progress] = []
    source = Clip(pts=range(15)).write(tmp_path / "in.mp4")
    treat(source, tmp_path / "out.mp4", Keep(4), progress=seen.append)
    assert [progress.frames for progress in seen] == list(range(1, 16))
    assert {progress.frames_expected for progress in seen} == {15}


def test_a_video_without_faces_is_written_with_a_warning(tmp_path):
    source = Clip().write(tmp_path / "in.mp4")
    report = treat(source, tmp_path / "out.mp4", Keep(counts={}))
    assert any("no face was found in any frame" in note for note in report.notes)


def test_an_animated_gif_is_a_video(tmp_path):
    from PIL import Image as Pillow

    pictures = [Pillow.fromarray(patches((80, 60), index)) for index in range(6)]
    pictures[0].save(tmp_path / "in.gif", save_all=True, append_images=pictures[1:], duration=100)
    report = treat(tmp_path / "in.gif", tmp_path / "out.mp4")
    assert report.frames == 6
    assert [frame.time for frame in decode(tmp_path / "out.mp4")] == pytest.approx([0, 0.1, 0.2, 0.3, 0.4, 0.5])


def test_one_more_look_at_the_clock(tmp_path):
    started = time.monotonic()
    report = treat(Clip().write(tmp_path / "in.mp4"), tmp_path / "out.mp4")
    assert 0 < report.elapsed_s < time.monotonic() - started
    assert report.seconds == pytest.approx(11 / 25)
