"""Videos that change midway or say much around the picture: what is kept, what is mended, and what is said."""

import io
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import PIL.Image
import pytest
from av.stream import Disposition

from mien.app.files.treat import TreatReport, treat_file
from mien.errors import MediaError
from mien.media.files.images import is_still
from mien.media.files.video_reader import VideoImage, VideoReader
from mien.vision.types import Image, TreatedFrame
from support.clips import Keep, decode, frame_index
from support.muxing import Audio, Film, mux

SUFFIXES = [".mp4", ".mov", ".mkv", ".webm"]


def treat(source: Path, target: Path, pipeline: object | None = None, **options: object) -> TreatReport:
    keep = pipeline or Keep()
    return treat_file(source, target, lambda **_: keep, **options)


def join(target: Path, *parts: Path) -> Path:
    target.write_bytes(b"".join(part.read_bytes() for part in parts))
    return target


def audio_of(path: Path, index: int = 0) -> tuple[list[float], np.ndarray]:
    """Return the times of a track's frames, and its samples of one channel."""
    with av.open(str(path)) as container:
        frames = list(container.decode(audio=index))
    resampler = av.AudioResampler("flt", "mono", 48_000)
    samples = [piece.to_ndarray().reshape(-1) for frame in frames for piece in resampler.resample(frame)]
    return [frame.time for frame in frames], np.concatenate(samples)


def note_of(report: TreatReport, word: str) -> str:
    found = [note for note in report.notes if word in note]
    assert len(found) == 1, report.notes
    return found[0]


# --- the picture changes -----------------------------------------------------------------------------------


class Flushed(Keep):
    """Keeps frames back, and remembers how many were in when it was emptied."""

    def __init__(self, delay: int) -> None:
        super().__init__(delay)
        self.emptied_after: list[int] = []

    def flush(self) -> Iterator[TreatedFrame]:
        self.emptied_after.append(len(self.images))
        yield from super().flush()


def inner(image: Image) -> tuple[int, int, int, int]:
    """Return left, top, right and bottom of what is not black."""
    lit = image.max(axis=2) > 24
    rows, columns = np.flatnonzero(lit.any(axis=1)), np.flatnonzero(lit.any(axis=0))
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


@pytest.mark.parametrize(
    ("then", "shape", "box"),
    [
        pytest.param((96, 160), None, (51, 0, 109, 96), id="turned"),
        pytest.param((320, 192), None, (0, 0, 160, 96), id="larger"),
        pytest.param((80, 48), None, (0, 0, 160, 96), id="smaller"),
        pytest.param((160, 48), None, (0, 24, 160, 72), id="flatter"),
        pytest.param((160, 96), Fraction(2), (0, 24, 160, 72), id="oblong pixels"),
        pytest.param((96, 160), Fraction(1, 2), (66, 0, 95, 96), id="turned, with oblong pixels"),
    ],
)
def test_a_film_that_changes_its_size_is_fitted_with_bars_and_searched_anew(tmp_path, then, shape, box):
    size = (160, 96)
    first = mux(tmp_path / "a.ts", Film(size_wh=size, pts=range(6)))
    second = mux(tmp_path / "b.ts", Film(size_wh=then, pts=range(6, 12), pixel_shape=shape))
    source, pipeline = join(tmp_path / "in.ts", first, second), Flushed(4)
    report = treat(source, tmp_path / "out.mp4", pipeline)
    assert report.size_wh == size
    assert (report.frames, pipeline.emptied_after) == (12, [6, 12]), "no frame waits beside one of another size"
    # The lower half of the picture: stripes, of which one is almost black.
    left, top, right, bottom = inner(pipeline.images[-1])
    assert np.abs(np.subtract((left, bottom), (box[0], box[3]))).max() <= 2
    assert np.abs(right - box[2]) <= 2
    assert top >= box[1] - 2
    assert "bars" in note_of(report, "changes its size")
    assert [frame.width for frame in decode(tmp_path / "out.mp4")] == [160] * 12


def test_several_changes_are_counted_and_a_return_to_the_first_size_needs_no_bars(tmp_path):
    parts = [
        mux(tmp_path / f"{n}.ts", Film(size_wh=size, pts=range(n * 3, n * 3 + 3)))
        for n, size in enumerate([(160, 96), (96, 160), (64, 64), (160, 96)])
    ]
    pipeline = Flushed(2)
    report = treat(join(tmp_path / "in.ts", *parts), tmp_path / "out.webm", pipeline)
    assert pipeline.emptied_after == [3, 6, 9, 12]
    assert "3 time(s), first to 96x160" in note_of(report, "changes its size")
    assert inner(pipeline.images[-1])[0] == 0


def test_a_picture_that_is_turned_midway_by_its_matrix_alone_is_fitted_and_searched_anew(tmp_path, monkeypatch):
    def matrix(frame: av.VideoFrame) -> tuple[int, ...] | None:
        """Ask for a quarter turn from the seventh frame on, as a phone's SEI would: no encoder here writes one."""
        return (0, 65536, 0, -65536, 0, 0, 0, 0, 1 << 30) if (frame.time or 0) > 0.22 else None

    monkeypatch.setattr("mien.media.files.orientation.display_matrix", matrix)
    source, pipeline = mux(tmp_path / "in.mkv", Film(size_wh=(160, 96), pts=range(12))), Flushed(4)
    report = treat(source, tmp_path / "out.mp4", pipeline)
    assert pipeline.emptied_after == [6, 12]
    assert inner(pipeline.images[-1])[0] >= 50
    assert "first to 96x160" in note_of(report, "changes its size")


def test_other_pixels_of_the_same_size_are_no_change(tmp_path):
    parts = [
        mux(tmp_path / f"{kind}.mjpeg", Film("mjpeg", pix_fmt=kind, pts=range(3), first=3 * n), form="mjpeg")
        for n, kind in enumerate(["yuvj420p", "yuvj444p", "yuvj422p"])
    ]
    pipeline = Flushed(1)
    report = treat(join(tmp_path / "in.mjpeg", *parts), tmp_path / "out.mp4", pipeline)
    assert [frame_index(image) for image in pipeline.images] == list(range(9))
    assert (report.frames, pipeline.emptied_after) == (9, [9])
    assert not any("changes" in note for note in report.notes)


@pytest.mark.parametrize(
    ("codec", "pix_fmt", "suffix"),
    [
        ("prores_ks", "yuva444p10le", ".mov"),
        ("png", "rgba", ".mov"),
        ("ffv1", "bgra", ".mkv"),
        ("qtrle", "argb", ".mov"),
    ],
)
def test_transparency_is_laid_on_white_and_said(tmp_path, codec, pix_fmt, suffix):
    source = mux(tmp_path / f"in{suffix}", Film(codec, pix_fmt=pix_fmt, alpha=0, pts=range(2)))
    pipeline = Keep()
    report = treat(source, tmp_path / "out.mp4", pipeline)
    assert pipeline.images[0].min() >= 250
    assert "transparency was laid on white" in report.notes
    opaque = mux(tmp_path / f"opaque{suffix}", Film(codec, pix_fmt=pix_fmt, alpha=255, pts=range(2)))
    assert not any("transparency" in note for note in treat(opaque, tmp_path / "opaque.mp4").notes)


def test_transparency_that_no_decoder_reads_is_said_too(tmp_path):
    options = {"deadline": "realtime", "auto-alt-ref": "0"}
    film = Film("libvpx-vp9", pix_fmt="yuva420p", alpha=90, pts=range(2), options=options)
    source = mux(tmp_path / "in.webm", film)
    assert "transparency" in note_of(treat(source, tmp_path / "out.webm"), "opaque")


# --- the clock jumps ---------------------------------------------------------------------------------------


def takes(folder: Path, kind: str, starts: tuple[float, float], sound: str) -> tuple[Path, Path]:
    """Write two takes of a second each; the picture begins 40 ms after the sound."""
    codec = "mpeg2video" if kind in {"vob", "mpg"} else "libx264"
    form = {"vob": "vob", "mpg": "mpeg"}.get(kind)
    made = []
    for number, start in enumerate(starts):
        first = round(start * 25) + 1
        made.append(
            mux(
                folder / f"{number}.{kind}",
                Film(codec, pts=range(first, first + 25), b_frames=2, first=number * 25),
                Audio(sound, start_s=start, seconds=1.0),
                form=form,
            )
        )
    return made[0], made[1]


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize(
    ("kind", "starts", "sound"),
    [
        pytest.param("ts", (0, 0), "aac", id="begins anew"),
        pytest.param("ts", (0, 3600), "mp2", id="leaps ahead"),
        pytest.param("ts", (7000, 20), "mp2", id="falls back"),
        pytest.param("vob", (0, 0), "mp2", id="vob"),
        pytest.param("mkv", (0, 0), "aac", id="matroska"),
    ],
)
def test_joined_takes_follow_one_another_with_sound_in_step(tmp_path, suffix, kind, starts, sound):
    source = join(tmp_path / f"in.{kind}", *takes(tmp_path, kind, starts, sound))
    report = treat(source, tmp_path / f"out{suffix}", Keep(3))
    frames = decode(tmp_path / f"out{suffix}")
    assert [frame_index(f.to_ndarray(format="rgb24")) for f in frames] == [n % 20 for n in range(50)]
    assert report.seconds == pytest.approx(49 / 25, abs=0.08)
    assert frames[-1].time - frames[0].time == pytest.approx(49 / 25, abs=0.08)
    # The tone begins anew with each take: its place tells how far sound and picture are apart.
    sounds, samples = audio_of(tmp_path / f"out{suffix}")
    assert sounds[-1] - sounds[0] == pytest.approx(2.0, abs=0.1)
    assert samples.size == pytest.approx(2.0 * 48_000, rel=0.06)
    assert frames[0].time - sounds[0] == pytest.approx(0.04, abs=0.03)
    assert "sound in step" in note_of(report, "clock jumps 1 time(s)")


def test_the_picture_after_a_joint_is_searched_anew(tmp_path):
    source, pipeline = join(tmp_path / "in.ts", *takes(tmp_path, "ts", (0, 0), "mp2")), Flushed(6)
    treat(source, tmp_path / "out.mp4", pipeline)
    assert pipeline.emptied_after == [25, 50]


def test_a_timelapse_keeps_its_times(tmp_path):
    source = mux(tmp_path / "in.mkv", Film(pts=range(0, 3000, 300), time_base=Fraction(1), rate=Fraction(1, 300)))
    report = treat(source, tmp_path / "out.mkv")
    assert [frame.time for frame in decode(tmp_path / "out.mkv")] == list(range(0, 3000, 300))
    assert report.notes == ()


@pytest.mark.parametrize("suffix", [".mkv", ".mp4", ".ts"])
def test_b_frames_of_a_slow_film_are_no_jump_of_the_clock(tmp_path, suffix):
    film = Film(pts=range(14), time_base=Fraction(1), rate=Fraction(1), b_frames=3)
    report = treat(mux(tmp_path / f"in{suffix}", film), tmp_path / "out.mkv")
    frames = decode(tmp_path / "out.mkv")
    assert np.diff([frame.time for frame in frames]) == pytest.approx([1.0] * 13, abs=0.002)
    assert [frame_index(f.to_ndarray(format="rgb24")) for f in frames] == list(range(14))
    assert report.notes == ()


@pytest.mark.parametrize("codec", ["libx264", "mpeg4"])
def test_frames_in_avi_come_out_evenly_though_their_stamps_do_not(tmp_path, codec):
    source = mux(tmp_path / "in.avi", Film(codec, pts=range(20), b_frames=2), Audio("libmp3lame", seconds=0.8))
    treat(source, tmp_path / "out.mp4", Keep(2))
    frames = decode(tmp_path / "out.mp4")
    assert [frame.time for frame in frames] == pytest.approx([n / 25 for n in range(20)], abs=0.001)
    assert [frame_index(f.to_ndarray(format="rgb24")) for f in frames] == list(range(20))


def test_times_below_zero_that_a_demuxer_drops_are_made_up_again(tmp_path):
    options = {"avoid_negative_ts": "disabled"}
    source = mux(tmp_path / "in.mkv", Film(pts=range(-6, 6)), Audio(start_s=-0.24, seconds=0.5), options=options)
    treat(source, tmp_path / "out.mkv")
    times = [frame.time for frame in decode(tmp_path / "out.mkv")]
    assert np.diff(times) == pytest.approx([0.04] * 11, abs=0.002)
    assert times[0] - audio_of(tmp_path / "out.mkv")[0][0] == pytest.approx(0, abs=0.03)


@pytest.mark.parametrize("rate", [15, 24, 30, 50])
@pytest.mark.parametrize(
    ("codec", "form"), [("libx264", "h264"), ("libx265", "hevc"), ("mpeg4", "m4v"), ("mpeg2video", "mpeg2video")]
)
def test_a_raw_stream_plays_at_the_rate_it_says(tmp_path, codec, form, rate):
    if codec == "mpeg2video" and rate == 15:
        pytest.skip("MPEG-2 knows no 15 frames a second")
    film = Film(codec, pts=range(8), time_base=Fraction(1, rate), rate=Fraction(rate), b_frames=2)
    source = mux(tmp_path / f"in.{form}", film, form=form)
    report = treat(source, tmp_path / "out.mp4")
    frames = decode(tmp_path / "out.mp4")
    assert [frame.time for frame in frames] == pytest.approx([n / rate for n in range(8)], abs=0.001)
    assert [frame_index(f.to_ndarray(format="rgb24")) for f in frames] == list(range(8))
    assert report.notes == ()


@pytest.mark.parametrize("suffix", [".mjpeg", ".mjpg", ".avi"])
@pytest.mark.parametrize("orientation", [None, *range(10)])
def test_a_stream_of_camera_jpegs_is_a_film_that_stands_upright(tmp_path, suffix, orientation):
    shown = np.zeros((64, 96, 3), np.uint8)
    shown[:32, :48], shown[32:, 48:] = (220, 30, 30), (30, 30, 220)
    exif = PIL.Image.Exif()
    if orientation is not None:
        exif[0x0112] = orientation
    one = io.BytesIO()
    PIL.Image.fromarray(shown).save(one, "JPEG", quality=95, subsampling=0, exif=exif)
    source = tmp_path / f"in{suffix}"
    if suffix == ".avi":
        with av.open(source, "w") as container:
            film = container.add_stream("mjpeg", rate=25)
            film.width, film.height, film.pix_fmt = 96, 64, "yuvj444p"
            for number in range(4):
                packet = av.Packet(one.getvalue())
                packet.stream, packet.pts, packet.dts, packet.time_base = film, number, number, Fraction(1, 25)
                packet.is_keyframe = True
                container.mux(packet)
    else:
        source.write_bytes(one.getvalue() * 4)  # JFIF first, as most write it
    assert not is_still(source)
    with VideoReader(source) as film:
        frames = [piece.image for piece in film if isinstance(piece, VideoImage)]
    assert len(frames) == 4
    with PIL.Image.open(one) as opened:
        upright = np.asarray(PIL.ImageOps.exif_transpose(opened))
    assert all(frame.shape == upright.shape and np.abs(frame - upright.astype(float)).mean() < 6 for frame in frames)


def test_a_raw_stream_that_says_no_rate_gets_one_and_a_note(tmp_path):
    source = mux(tmp_path / "in.mjpeg", Film("mjpeg", pix_fmt="yuvj420p"), form="mjpeg")
    assert "25 frames a second were assumed" in note_of(treat(source, tmp_path / "out.mp4"), "frame rate")


# --- sound changes -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize(
    ("first", "then"),
    [
        pytest.param(Audio("mp2", seconds=1), Audio("mp2", layout="mono", seconds=1), id="stereo then mono"),
        pytest.param(Audio("aac", seconds=1, layout="mono"), Audio("aac", seconds=1), id="mono then stereo"),
        pytest.param(Audio("aac", seconds=1), Audio("aac", rate=44_100, seconds=1), id="another rate"),
        pytest.param(Audio("ac3", seconds=1), Audio("ac3", layout="5.1", seconds=1), id="stereo then surround"),
    ],
)
def test_sound_that_changes_midway_goes_on(tmp_path, suffix, first, then):
    then.start_s = 1.2
    parts = (
        mux(tmp_path / "a.ts", Film(pts=range(25)), first),
        mux(tmp_path / "b.ts", Film(pts=range(30, 55)), then),
    )
    report = treat(join(tmp_path / "in.ts", *parts), tmp_path / f"out{suffix}")
    assert "was made one kind" in note_of(report, "sound changes midway")
    times, samples = audio_of(tmp_path / f"out{suffix}")
    assert times[-1] - times[0] == pytest.approx(2.2, abs=0.1)
    loud = [float(np.abs(samples[round(at * 48_000) :][:2400]).mean()) for at in (0.5, 1.08, 1.7)]
    assert loud[0] > 0.02
    assert loud[1] < loud[0] / 4, "the gap between the parts is silent"
    assert loud[2] > 0.02
    crossings = np.count_nonzero(np.diff(np.signbit(samples[round(1.5 * 48_000) : round(1.9 * 48_000)])))
    assert crossings / 2 / 0.4 == pytest.approx(440, rel=0.05), "the second part has its pitch"
    with av.open(str(tmp_path / f"out{suffix}")) as container:
        assert container.streams.audio[0].layout.nb_channels == max(map(channels, (first, then)))


def channels(sound: Audio) -> int:
    return av.AudioLayout(sound.layout).nb_channels


# --- what is said around the picture -----------------------------------------------------------------------


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_languages_titles_purposes_and_chapters_of_every_track_are_kept(tmp_path, suffix):
    nobody = Disposition(0)
    sounds = (
        Audio(words={"language": "eng", "title": "Film"}, disposition=nobody),
        Audio(words={"language": "kor", "title": "감독의 말"}, disposition=Disposition.default | Disposition.comment),
    )
    film = Film(pts=range(25), words={"language": "jpn", "title": "Main"})
    chapters = ((0.0, 0.4, "one"), (0.4, 1.0, "둘"))
    source = mux(tmp_path / "in.mkv", film, *sounds, chapters=chapters, tags={"title": "A day"})
    treat(source, tmp_path / f"out{suffix}")
    with av.open(str(tmp_path / f"out{suffix}")) as container:
        tracks = [*container.streams.video, *container.streams.audio]
        assert [s.metadata.get("language") for s in tracks] == ["jpn", "eng", "kor"]
        assert [s.metadata.get("title") or s.metadata.get("name") for s in tracks] == ["Main", "Film", "감독의 말"]
        assert [bool(s.disposition & Disposition.default) for s in tracks] == [True, False, True]
        told = [
            (float(c["start"] * c["time_base"]), float(c["end"] * c["time_base"]), c["metadata"]["title"])
            for c in container.chapters()
        ]
        assert told == list(chapters)
        assert container.metadata["title"] == "A day"
    again = treat(tmp_path / f"out{suffix}", tmp_path / f"again{suffix}")
    assert not any("data streams" in note for note in again.notes)


def test_forced_subtitles_stay_forced(tmp_path):
    source = mux(tmp_path / "in.mkv", Film(), words=((0.1, "hi"),), words_disposition=Disposition.forced)
    treat(source, tmp_path / "out.mkv")
    with av.open(str(tmp_path / "out.mkv")) as container:
        assert container.streams.subtitles[0].disposition == Disposition.forced


def test_chapters_of_a_broadcast_clock_move_with_the_picture(tmp_path):
    source = mux(tmp_path / "in.nut", Film(pts=range(25)), chapters=((0.2, 0.6, "one"),))
    treat(source, tmp_path / "out.mkv")
    with av.open(str(tmp_path / "out.mkv")) as container:
        assert [c["start"] * c["time_base"] for c in container.chapters()] == [Fraction(1, 5)]


def test_tags_that_stay_behind_are_named(tmp_path):
    source = mux(tmp_path / "in.mkv", Film(), tags={"title": "A day", "ARTIST": "Kim", "comment": "secret"})
    report = treat(source, tmp_path / "out.mkv")
    assert note_of(report, "tags").endswith("(artist, comment)")
    assert b"secret" not in (tmp_path / "out.mkv").read_bytes()


def change(path: Path, old: bytes, new: bytes) -> Path:
    data = path.read_bytes()
    assert old in data
    path.write_bytes(data.replace(old, new))
    return path


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_tracks_without_a_decoder_are_left_out_with_a_note(tmp_path, suffix):
    source = mux(tmp_path / "in.mkv", Film(), Audio("libopus"), Audio("aac"), words=((0.1, "hello"),))
    change(change(source, b"A_AAC", b"A_QQQ"), b"S_TEXT/UTF8", b"S_TEXT/QQQQ")
    report = treat(source, tmp_path / f"out{suffix}")
    assert note_of(report, "sound track") == "sound track 2 of 2 cannot be decoded here and was left out"
    assert note_of(report, "subtitle track") == "subtitle track 1 of 1 cannot be decoded here and was left out"
    with av.open(str(tmp_path / f"out{suffix}")) as container:
        assert [stream.type for stream in container.streams] == ["video", "audio"]


def test_a_film_without_a_decoder_is_refused_in_one_line_even_beside_a_cover(tmp_path):
    source = change(mux(tmp_path / "in.mkv", Film(), Audio()), b"V_MPEG4/ISO/AVC", b"V_MPEG4/ISO/QQQ")
    with pytest.raises(MediaError, match="cannot be decoded here") as refusal:
        treat(source, tmp_path / "out.mkv")
    assert refusal.value.code == "media.unreadable"
    assert [path.name for path in tmp_path.iterdir()] == ["in.mkv"]


def test_what_lies_behind_the_end_of_a_video_is_said(tmp_path):
    def noise(size_wh: tuple[int, int], index: int) -> Image:
        return np.random.default_rng(index).integers(0, 255, (size_wh[1], size_wh[0], 3)).astype(np.uint8)

    from support.clips import Clip

    part = Clip(size_wh=(320, 180), picture=noise).write(tmp_path / "a.mp4")
    report = treat(join(tmp_path / "in.mp4", part, part), tmp_path / "out.mp4")
    assert report.frames == 12
    assert "of the file could be read" in note_of(report, "only the first")


# --- what is said of the end -------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".mov"])
def test_a_film_that_begins_late_is_not_called_cut_off(tmp_path, suffix):
    source = mux(tmp_path / f"in{suffix}", Film(pts=range(9000, 9012)))
    report = treat(source, tmp_path / f"out{suffix}")
    assert report.notes == ()
    with av.open(str(tmp_path / f"out{suffix}")) as written:
        assert sum(1 for _ in written.decode(video=0)) == 12


def test_a_cover_larger_than_the_film_is_not_taken_for_more_of_it(tmp_path):
    """As music services and encyclopaedias ship them: the cover stands in the index, behind the pictures."""
    source = mux(tmp_path / "in.mp4", Film(pts=range(12)))
    source.write_bytes(source.read_bytes() + (300_008).to_bytes(4) + b"udta" + bytes(300_000))
    assert treat(source, tmp_path / "out.mp4").notes == ()
    joined = join(tmp_path / "joined.mp4", source, source)
    assert "the rest was left out" in note_of(treat(joined, tmp_path / "short.mp4"), "only the first")
