"""Videos in files: decoded upright, in order, with every frame's own time; and what may travel along."""

from __future__ import annotations  # av.Packet takes a type only in its stubs

from collections import deque
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any, Self, cast

import av
from av.audio.stream import AudioStream
from av.subtitles.stream import SubtitleStream

from mien.errors import MediaError, MediaTooLargeError, MediaTruncatedError
from mien.media.colour import Colour, ToRgb, colour_of
from mien.media.files.demuxing import (
    AudioKind,
    Chapter,
    audio_kinds,
    chapters_of,
    clock_of,
    has_no_shape,
    open_video,
    rate_of,
    select,
    why,
)
from mien.media.files.frame_times import backdate, frame_times, is_raw
from mien.media.files.orientation import Orientation
from mien.media.files.remainder import film_behind
from mien.media.files.timeline import Timeline
from mien.media.files.upright import (
    fitted_size,
    is_transposed,
    plausible_shape,
    turn,
    with_bars,
)
from mien.media.files.video_frames import MAX_FRAME_PIXELS, CarriedPacket, FrameForm, VideoImage, VideoInfo, notes_about
from mien.vision.types import Image

_END_SLACK_S = 0.5
_MAX_UNTIMED = 16
_END_SHARE, _END_BYTES = 0.75, 2**16
"""Where reading ends before this share of a file, something lies behind it; indexes are smaller."""


class VideoReader:
    """Opens a video and yields its frames and the packets that travel along, in the order of the file.

    The picture is turned as the file's display matrix says and stretched to square pixels, so that the
    detector sees what a viewer sees. Where it changes its size midway, it is fitted into the first one with bars. Only
    one video stream is read: a cover picture, a thumbnail track or a second camera could show an untreated face.

    Args:
        path: The file.
        max_pixels: Refuse larger frames, before any is decoded.
        max_seconds: Refuse longer videos; None for no limit.

    Raises:
        MediaTooLargeError: The frames are too large or the video is too long.
        MediaTruncatedError: The file ends before its first frame.
        MediaError: It is no video that can be read.
    """

    info: VideoInfo
    audio: tuple[AudioStream, ...]
    subtitles: tuple[SubtitleStream, ...]

    def __init__(self, path: Path, *, max_pixels: int = MAX_FRAME_PIXELS, max_seconds: float | None = None) -> None:
        self._path, self._max_pixels, self._max_seconds = path, max_pixels, max_seconds
        self._container = open_video(path)
        try:
            self._begin()
        except BaseException:
            self._container.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self._container.close()

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences about what could not be kept or read; complete once all frames were."""
        return tuple(self._notes)

    @property
    def title(self) -> str | None:
        """The title the file carries."""
        return self._container.metadata.get("title")

    @property
    def film(self) -> av.VideoStream:
        """The stream of pictures that is read."""
        return self._film

    @property
    def chapters(self) -> list[Chapter]:
        """The chapters of the file, in the time of its frames."""
        return chapters_of(self._container, self._start)

    def audio_kinds(self, stream: AudioStream) -> list[AudioKind]:
        """Return the kinds of audio in a track, in order, each once; see `demuxing.audio_kinds`."""
        return audio_kinds(self._path, stream)

    def __iter__(self) -> Iterator[VideoImage | CarriedPacket]:
        """Yield frames and packets. Can be walked once."""
        while self._waiting:
            yield self._waiting.popleft()
            if not self._waiting:
                self._waiting.extend(self._next_pieces())

    # --- opening -------------------------------------------------------------------------------------------

    def _begin(self) -> None:
        chosen = select(self._container, self._path)
        self._film, self.audio, self.subtitles = chosen.film, chosen.audio, chosen.subtitles
        self._notes = list(chosen.notes)
        self._check_size(self._film.width, self._film.height)
        self._check_length()
        self._film.thread_type = "AUTO"
        # The decoder itself refuses a frame that grows beyond the limit in mid-stream.
        self._film.codec_context.options = {"max_pixels": str(self._max_pixels)}
        self._start, leap = clock_of(self._container)
        self._timeline: Timeline[CarriedPacket] = Timeline(start=self._start, leap=leap)
        self._packets = self._timeline(self._container.demux(self._film, *self.audio, *self.subtitles))
        self._rgb = ToRgb()
        self._orientation = Orientation(self._film)
        self._shape_is_coded = has_no_shape(self._container)
        self._first: FrameForm | None = None
        self._form: FrameForm | None = None
        self._changes: list[FrameForm] = []
        self._colour: Colour | None = None
        self._first_codec_shape: Fraction | None = None
        self._last_s = 0.0
        self._broken = 0
        self._ended = False
        self._time_base = self._film.time_base or Fraction(1, 90000)
        self._rate, said = rate_of(self._container, self._film)
        if not said:
            self._notes.append(f"the file does not say its frame rate; {self._rate} frames a second were assumed")
        self._step = 1 / (self._rate * self._time_base)
        self._time_of = frame_times(self._container.format.name, self._step)
        self._untimed: list[av.VideoFrame] | None = None if is_raw(self._container.format.name) else []
        self._read_to = 0
        self._waiting: deque[VideoImage | CarriedPacket] = deque()
        while not self._ended and self._first is None:
            self._waiting.extend(self._next_pieces())
        if self._first is None or self._colour is None:
            raise MediaTruncatedError(f"{self._path} holds no frame that can be decoded")
        self.info = VideoInfo(
            self._first.upright_wh, self._time_base, self._rate, self._colour, self._frames_expected()
        )

    def _check_size(self, width: int, height: int) -> None:
        if width * height > self._max_pixels:
            raise MediaTooLargeError(
                f"{self._path} has frames of {width}x{height} pixels, at most {self._max_pixels} are read"
            )

    def _check_length(self) -> None:
        seconds = self._length_s()
        if self._max_seconds is not None and seconds is not None and seconds > self._max_seconds:
            raise MediaTooLargeError(f"{self._path} lasts {seconds:.0f} s, at most {self._max_seconds:.0f} s are read")

    def _length_s(self) -> float | None:
        if self._container.duration is None:
            return None
        return self._container.duration / av.time_base

    def _frames_expected(self) -> int | None:
        length = self._length_s()
        return self._film.frames or (None if length is None else round(length * self._rate))

    # --- reading -------------------------------------------------------------------------------------------

    def _next_pieces(self) -> list[VideoImage | CarriedPacket]:
        """Read on until there is something to hand out; an empty list is the end."""
        while True:
            try:
                packet = next(self._packets)
            except StopIteration:
                break
            except (av.FFmpegError, OSError, ValueError) as error:
                self._notes.append(f"the file cannot be read to its end ({why(error)})")
                break
            self._remember_time(packet)
            if packet.stream.index != self._film.index:
                return [packet]
            pieces = [self._see(frame) for frame in self._timed(cast("av.Packet[av.VideoStream]", packet))]
            if pieces:
                return [*pieces]
        if not self._ended:
            self._ended = True
            self._note_the_end()
        return []

    def _timed(self, packet: av.Packet[av.VideoStream]) -> list[av.VideoFrame]:
        """Decode a packet; hold the first frames until one of them has a time."""
        frames = self._decode(packet)
        if self._untimed is None:
            return frames
        self._untimed += frames
        if backdate(self._untimed, self._step) or len(self._untimed) > _MAX_UNTIMED or not packet.size:
            frames, self._untimed = self._untimed, None
            return frames
        return []

    def _decode(self, packet: av.Packet[av.VideoStream]) -> list[av.VideoFrame]:
        self._time_of.expect(packet)
        self._orientation.expect(packet)
        try:
            return packet.decode()
        except (av.FFmpegError, ValueError):
            self._time_of.forget(packet)
            self._broken += 1
            return []

    def _remember_time(self, packet: av.Packet[Any]) -> None:
        if packet.pos is not None:
            self._read_to = max(self._read_to, packet.pos + packet.size)
        if packet.pts is not None and packet.time_base:
            end = float((packet.pts + (packet.duration or 0)) * packet.time_base)
            self._last_s = max(self._last_s, end)

    def _note_the_end(self) -> None:
        if self._broken:
            self._notes.append(f"{self._broken} damaged frame(s) could not be decoded and are missing")
        if self._rgb.saw_transparency:
            self._notes.append("transparency was laid on white")
        if self._changes and self._first is not None:
            first, then = (f"{w}x{h}" for w, h in (self._first.upright_wh, self._changes[0].upright_wh))
            self._notes.append(
                f"the picture changes its size or shape {len(self._changes)} time(s), first to {then}; "
                f"it was fitted into {first}, with bars where they differ"
            )
        size = self._container.size
        behind = film_behind(self._path, self._read_to) if self._read_to < _END_SHARE * size else 0
        if behind > max((1 - _END_SHARE) * size, _END_BYTES):
            share = round(100 * self._read_to / size)
            self._notes.append(
                f"only the first {share} % of the file could be read as one video; the rest was left out"
            )
        if self._timeline.repairs:
            self._notes.append(
                f"the file's clock jumps {self._timeline.repairs} time(s), as where recordings were joined; "
                "the parts follow one another now, sound in step"
            )
            return  # what such a file promises of its length is wrong
        length = self._length_s()
        # Kinds of files differ in whether the time before the first packet is a part of the length.
        start = min((self._container.start_time or 0) / av.time_base - float(self._start), 0.0)
        if length is not None and self._last_s < start + length - _END_SLACK_S:
            self._notes.append(
                f"the file is cut off: it promises {length:.1f} s, {self._last_s - start:.1f} s could be read"
            )

    def _see(self, frame: av.VideoFrame) -> VideoImage:
        colour = colour_of(frame)
        form = FrameForm((frame.width, frame.height), self._pixel_shape(), self._orientation(frame))
        cut = self._form is not None and form != self._form
        if self._first is None:
            self._check_size(frame.width, frame.height)
            self._check_size(*form.square_wh)
            self._first, self._colour = form, colour
            self._notes += notes_about(frame, colour, form)
        elif cut:
            self._changes.append(form)
        self._form = form
        image = self._upright(frame, colour, form, self._first.upright_wh)
        pts = self._time_of(frame)
        at = float(pts * self._time_base)
        while self._timeline.joints and at >= self._timeline.joints[0]:
            self._timeline.joints.popleft()
            cut = True
        return VideoImage(image, pts, at, frame.duration or 0, cut)

    def _upright(self, frame: av.VideoFrame, colour: Colour, form: FrameForm, frame_wh: tuple[int, int]) -> Image:
        width, height = form.upright_wh if form.upright_wh == frame_wh else fitted_size(form.upright_wh, frame_wh)
        coded_wh = (height, width) if is_transposed(form.matrix) else (width, height)
        try:
            image = turn(self._rgb(frame, colour, coded_wh), form.matrix)
        except (av.FFmpegError, ValueError) as error:
            kind = frame.format.name
            raise MediaError(f"{self._path} has frames ({kind}) that do not turn into RGB: {why(error)}") from error
        return image if (width, height) == frame_wh else with_bars(image, frame_wh)

    def _pixel_shape(self) -> Fraction:
        """Return the shape of this frame's pixels.

        The container's word goes before the codec's, unless the codec changes its own, as FFmpeg's own guess does; a
        broadcast stream's container says nothing, and what FFmpeg says in its name is another part's.
        """
        coded = self._film.codec_context.sample_aspect_ratio or Fraction(1)
        if self._first_codec_shape is None:
            self._first_codec_shape = coded
        if self._shape_is_coded or coded != self._first_codec_shape:
            return plausible_shape(coded)
        return plausible_shape(self._film.sample_aspect_ratio)
