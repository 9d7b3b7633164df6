"""The file job: every face in a picture or a video has its treatment, every frame comes out once, in order."""

import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Literal, Protocol, TypeAlias

from mien.app.ports import Pipeline
from mien.errors import InputError, OutputError, ShapeError
from mien.media.files.atomic import check_target, new_file
from mien.media.files.containers import WRITABLE_VIDEO_SUFFIXES, check_video_suffix
from mien.media.files.demuxing import open_video, select
from mien.media.files.images import (
    DEFAULT_IMAGE_PIXELS,
    WRITABLE_SUFFIXES,
    encode_still,
    is_still,
    read_still,
    still_format,
)
from mien.media.files.prefetch import ReadAhead, WriteBehind
from mien.media.files.video_frames import MAX_FRAME_PIXELS, CarriedPacket, VideoImage
from mien.media.files.video_reader import VideoReader
from mien.media.files.video_writer import VideoWriter
from mien.vision.types import Image, TreatedFrame

_BELT = 4
"""Frames that may wait between two threads: enough to even out keyframes, and 100 MB at 4K."""


class MakePipeline(Protocol):
    """Makes the pipeline once the file is known."""

    def __call__(self, *, still: bool, fps: float) -> Pipeline:
        """Return a pipeline for one file.

        Args:
            still: One single picture: a face has one look to be recognised by.
            fps: Frames per second of the video; 0 for a still.
        """
        ...


@dataclass(frozen=True, slots=True)
class FileLimits:
    """What a hostile or huge file may not exceed."""

    image_pixels: int = DEFAULT_IMAGE_PIXELS
    frame_pixels: int = MAX_FRAME_PIXELS
    seconds: float | None = None


DEFAULT_LIMITS = FileLimits()


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the job is.

    Attributes:
        frames: Frames treated.
        frames_expected: How many there should be, or None where the file does not say.
        elapsed_s: Time spent.
    """

    frames: int
    frames_expected: int | None
    elapsed_s: float


@dataclass(frozen=True, slots=True)
class TreatReport:
    """What was done.

    Attributes:
        kind: "image" or "video".
        frames: Frames written.
        faces: How many faces had which treatment, summed over the frames, by its name.
        frames_with_faces: Frames in which any face was found.
        size_wh: Width and height of the frames.
        seconds: From the first to the last frame.
        elapsed_s: Time the job took.
        notes: Plain sentences about what the reader should know.
        recognised: The enrolled people who were recognised in any frame.
    """

    kind: Literal["image", "video"]
    frames: int
    faces: dict[str, int]
    frames_with_faces: int
    size_wh: tuple[int, int]
    seconds: float
    elapsed_s: float
    notes: tuple[str, ...]
    recognised: frozenset[str] = frozenset()

    @property
    def fps(self) -> float:
        """Frames treated per second of work."""
        return self.frames / self.elapsed_s if self.elapsed_s > 0 else 0.0


def treat_file(
    source: Path,
    target: Path,
    make_pipeline: MakePipeline,
    *,
    overwrite: bool = False,
    progress: Callable[[Progress], None] | None = None,
    limits: FileLimits = DEFAULT_LIMITS,
) -> TreatReport:
    """Treat the picture or video `source` and write the result to `target`, whole or not at all.

    Args:
        source: A picture or a video.
        target: Where to; its suffix says as what. Never `source` itself.
        make_pipeline: Called once the source has proved readable.
        overwrite: Replace an older `target`.
        progress: Called after each frame of a video, in this thread.
        limits: Refuse larger input.

    Raises:
        MediaError: The source is no picture or video that can be read, or too large.
        OutputError: The target is refused or cannot be written.
    """
    kind = check_files(source, target, overwrite=overwrite)
    if kind == "image":
        return _treat_frame(source, target, make_pipeline, overwrite=overwrite, limits=limits)
    return _treat_video(
        source, target, make_pipeline, overwrite=overwrite, progress=progress or _say_nothing, limits=limits
    )


def check_files(source: Path, target: Path, *, overwrite: bool) -> Literal["image", "video"]:
    """Refuse at once what could not end well, and say what kind of job it is.

    Raises:
        MediaError: There is no such source.
        OutputError: The target is refused: it exists, is the source, or names the wrong kind of file.
    """
    check_target(target, source=source, overwrite=overwrite)
    suffix = target.suffix.lower()
    if is_still(source):
        if suffix in WRITABLE_VIDEO_SUFFIXES:
            raise OutputError(f"{source.name} is a picture and becomes one: not {suffix}, but .png or .jpg")
        still_format(suffix)
        return "image"
    if suffix in WRITABLE_SUFFIXES:
        with open_video(source) as container:
            select(container, source)  # what is no video either gets no advice to make one of it
        raise OutputError(f"{source.name} is no still picture: not {suffix}, but {' '.join(WRITABLE_VIDEO_SUFFIXES)}")
    check_video_suffix(suffix)
    return "video"


# --- pictures ----------------------------------------------------------------------------------------------


def _treat_frame(
    source: Path, target: Path, make_pipeline: MakePipeline, *, overwrite: bool, limits: FileLimits
) -> TreatReport:
    started = time.monotonic()
    still = read_still(source, max_pixels=limits.image_pixels)
    frame = _treat_still(make_pipeline(still=True, fps=0.0), still.image)
    data = encode_still(frame, suffix=target.suffix, icc_profile=still.icc_profile)
    with new_file(target, overwrite=overwrite) as part:
        part.write_bytes(data)
    tally = _Tally()
    tally.add(frame)
    return TreatReport(
        kind="image",
        frames=1,
        faces=dict(tally.faces),
        frames_with_faces=tally.frames_with_faces,
        size_wh=(frame.image.shape[1], frame.image.shape[0]),
        seconds=0.0,
        elapsed_s=time.monotonic() - started,
        notes=(*still.notes, *tally.notes()),
        recognised=frozenset(tally.recognised),
    )


def _treat_still(pipeline: Pipeline, image: Image) -> TreatedFrame:
    first = pipeline(image, at=0.0)
    frames = [frame for frame in (first, *pipeline.flush()) if frame is not None]
    if len(frames) != 1:
        raise ShapeError(f"a pipeline must return a picture once, got {len(frames)}")
    return frames[0]


# --- videos ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Ready:
    """A treated frame and its place in the file."""

    frame: TreatedFrame
    pts: int
    duration: int


_Output: TypeAlias = "_Ready | CarriedPacket"


def _treat_video(
    source: Path,
    target: Path,
    make_pipeline: MakePipeline,
    *,
    overwrite: bool,
    progress: Callable[[Progress], None],
    limits: FileLimits,
) -> TreatReport:
    started = time.monotonic()
    with VideoReader(source, max_pixels=limits.frame_pixels, max_seconds=limits.seconds) as reader:
        pipeline = make_pipeline(still=False, fps=float(reader.info.rate))
        tally = _Tally()
        began = time.monotonic()
        with (
            new_file(target, overwrite=overwrite) as part,
            VideoWriter(part, suffix=target.suffix, origin=reader, name=target.name) as writer,
            WriteBehind(partial(_write, writer), size=_BELT) as put,
            ReadAhead(reader, size=_BELT) as pieces,
        ):
            for piece in _treated(pieces, pipeline):
                put(piece)
                if isinstance(piece, _Ready):
                    tally.add(piece.frame)
                    progress(Progress(tally.frames, reader.info.frames, time.monotonic() - began))
        return TreatReport(
            kind="video",
            frames=tally.frames,
            faces=dict(tally.faces),
            frames_with_faces=tally.frames_with_faces,
            size_wh=reader.info.size_wh,
            seconds=tally.seconds,
            elapsed_s=time.monotonic() - started,
            notes=(*reader.notes, *writer.notes, *tally.notes()),
            recognised=frozenset(tally.recognised),
        )


def _write(writer: VideoWriter, piece: _Output) -> None:
    if isinstance(piece, _Ready):
        writer.write_frame(piece.frame, pts=piece.pts, duration=piece.duration)
    else:
        writer.write_packet(piece)


def _treated(pieces: "ReadAhead[VideoImage | CarriedPacket]", pipeline: Pipeline) -> "Iterator[_Output]":
    """Send the frames through the pipeline and pair each with its place; all else passes by."""
    places: deque[VideoImage] = deque()
    for piece in pieces:
        if not isinstance(piece, VideoImage):
            yield piece
            continue
        if piece.cut:  # whoever is followed in the frames that wait is searched anew in this one
            for held in pipeline.flush():
                yield _pair(held, places)
        places.append(piece)
        frame = pipeline(piece.image, at=piece.at)
        if frame is not None:
            yield _pair(frame, places)
    for frame in pipeline.flush():
        yield _pair(frame, places)
    if places:
        raise ShapeError(f"the pipeline kept {len(places)} frame(s) back, the first from {places[0].at} s")


def _pair(frame: TreatedFrame, places: "deque[VideoImage]") -> _Ready:
    if not places:
        raise ShapeError(f"the pipeline returned more frames than it was given, the last at {frame.at} s")
    if not isinstance(frame, TreatedFrame):
        raise InputError(f"only a TreatedFrame may be written, got {type(frame).__name__}")
    place = places.popleft()
    if frame.at != place.at:
        raise ShapeError(f"the pipeline changed the order: wanted the frame of {place.at} s, got {frame.at} s")
    return _Ready(frame, place.pts, place.duration)


# --- both --------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Tally:
    """Counts what happened."""

    frames: int = 0
    frames_with_faces: int = 0
    faces: Counter[str] = field(default_factory=Counter)
    recognised: set[str] = field(default_factory=set)
    first_at: float | None = None
    last_at: float = 0.0

    def add(self, frame: TreatedFrame) -> None:
        self.frames += 1
        self.frames_with_faces += sum(frame.counts.values()) > 0
        self.faces.update(frame.counts)
        self.recognised |= frame.recognised
        self.first_at = frame.at if self.first_at is None else self.first_at
        self.last_at = frame.at

    @property
    def seconds(self) -> float:
        return self.last_at - (self.first_at or 0.0)

    def notes(self) -> list[str]:
        if self.frames_with_faces == 0:
            what = "the picture" if self.frames == 1 else "any frame"
            return [f"no face was found in {what}; nothing was hidden, look at the result before you share it"]
        return []


def _say_nothing(_progress: Progress) -> None:
    """Stand in where nobody wants to know."""
