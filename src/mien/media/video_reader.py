"""Videos in files: decoded upright, in order, with every frame's own time; and what may travel along."""

from __future__ import annotations  # av.Packet takes a type only in its stubs

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeAlias, cast

import av
import numpy as np
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.sidedata.sidedata import SideData
from av.sidedata.sidedata import Type as SideDataType
from av.stream import Disposition
from av.subtitles.stream import SubtitleStream

from mien.errors import MediaError, MediaTooLargeError, MediaTruncatedError
from mien.media.colour import Colour, ToRgb, colour_of
from mien.vision.faces import Image

MAX_FRAME_PIXELS = 8192 * 4320
# Demuxers named one by one: FFmpeg also has formats that are lists of other files or addresses.
_DEMUXERS = "mov,matroska,avi,mpegts,mpeg,flv,asf,ogg,mxf,ivf,gif,nut,h264,hevc,mjpeg,m4v,yuv4mpegpipe"
_NO_FILM = Disposition.attached_pic | Disposition.timed_thumbnails | Disposition.still_image
_MAX_STRETCH = 16
"""Pixels more than so many times as wide as high, or as high as wide, are a broken tag."""
_END_SLACK_S = 0.5

CarriedPacket: TypeAlias = "av.Packet[Any]"
"""A packet of sound or subtitles, as it came."""


@dataclass(frozen=True, slots=True)
class VideoImage:
    """One frame as a viewer would see it.

    Attributes:
        image: Upright, square pixels.
        pts: Time in units of the video's time base.
        at: The same time in seconds.
        duration: In units of the time base; 0 where the file does not say.
    """

    image: Image
    pts: int
    at: float
    duration: int


@dataclass(frozen=True, slots=True)
class VideoInfo:
    """What is known of a video once its first frame is decoded.

    Attributes:
        size_wh: Of the upright picture, in square pixels.
        time_base: Unit of the time stamps, in seconds.
        rate: Frames per second, on average or nominally.
        colour: Of the file's frames.
        frames: How many frames there should be, or None.
    """

    size_wh: tuple[int, int]
    time_base: Fraction
    rate: Fraction
    colour: Colour
    frames: int | None


class VideoReader:
    """Opens a video and yields its frames and the packets that travel along, in the order of the file.

    The picture is turned as the file's display matrix says and stretched to square pixels, so that the
    detector sees what a viewer sees. Only one video stream is read: a cover picture, a thumbnail track or a
    second camera could show an untreated face.

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
        self._container = _open(path)
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

    def __iter__(self) -> Iterator[VideoImage | CarriedPacket]:
        """Yield frames and packets. Can be walked once."""
        while self._waiting:
            yield self._waiting.popleft()
            if not self._waiting:
                self._waiting.extend(self._next_pieces())

    # --- opening -------------------------------------------------------------------------------------------

    def _begin(self) -> None:
        self._notes: list[str] = []
        self._stream = self._film()
        self.audio = tuple(self._container.streams.audio)
        self.subtitles = tuple(self._container.streams.subtitles)
        self._note_what_stays_behind()
        self._check_size(self._stream.width, self._stream.height)
        self._check_length()
        self._stream.thread_type = "AUTO"
        # The decoder itself refuses a frame that grows beyond the limit in mid-stream.
        self._stream.codec_context.options = {"max_pixels": str(self._max_pixels)}
        self._packets = self._container.demux(self._stream, *self.audio, *self.subtitles)
        self._rgb = ToRgb()
        self._size_wh: tuple[int, int] | None = None
        self._colour: Colour | None = None
        self._last_pts: int | None = None
        self._last_s = 0.0
        self._broken = 0
        self._ended = False
        self._time_base = self._stream.time_base or Fraction(1, 90000)
        self._rate = self._stream.average_rate or self._stream.guessed_rate or Fraction(25)
        self._waiting: deque[VideoImage | CarriedPacket] = deque()
        while not self._ended and self._size_wh is None:
            self._waiting.extend(self._next_pieces())
        if self._size_wh is None or self._colour is None:
            raise MediaTruncatedError(f"{self._path} holds no frame that can be decoded")
        self.info = VideoInfo(
            self._size_wh,
            self._time_base,
            self._rate,
            self._colour,
            self._frames_expected(),
        )

    def _film(self) -> av.VideoStream:
        films = [s for s in self._container.streams.video if not s.disposition & _NO_FILM]
        if not films:
            raise MediaError(f"{self._path} holds no video ({_streams(self._container)})")
        return max(films, key=lambda s: (bool(s.disposition & Disposition.default), s.width * s.height))

    def _note_what_stays_behind(self) -> None:
        others = len(self._container.streams.video) - 1
        if others:
            self._notes.append(f"{others} further picture stream(s), such as a cover, were left out")
        if self._container.streams.data or self._container.streams.attachments:
            self._notes.append("data streams and attachments (positions, fonts, pictures) were left out")

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
        return self._stream.frames or (None if length is None else round(length * self._rate))

    # --- reading -------------------------------------------------------------------------------------------

    def _next_pieces(self) -> list[VideoImage | CarriedPacket]:
        """Read on until there is something to hand out; an empty list is the end."""
        while True:
            try:
                packet = next(self._packets)
            except StopIteration:
                break
            except (av.FFmpegError, OSError) as error:
                self._notes.append(f"the file cannot be read to its end ({_why(error)})")
                break
            self._remember_time(packet)
            if packet.stream.index != self._stream.index:
                return [packet]
            pieces = [self._see(frame) for frame in self._decode(cast("av.Packet[av.VideoStream]", packet))]
            if pieces:
                return [*pieces]
        if not self._ended:
            self._ended = True
            self._note_the_end()
        return []

    def _decode(self, packet: av.Packet[av.VideoStream]) -> list[av.VideoFrame]:
        try:
            return packet.decode()
        except av.FFmpegError:
            self._broken += 1
            return []

    def _remember_time(self, packet: av.Packet[Any]) -> None:
        if packet.pts is not None and packet.time_base:
            end = float((packet.pts + (packet.duration or 0)) * packet.time_base)
            self._last_s = max(self._last_s, end)

    def _note_the_end(self) -> None:
        if self._broken:
            self._notes.append(f"{self._broken} damaged frame(s) could not be decoded and are missing")
        length = self._length_s()
        start = (self._container.start_time or 0) / av.time_base
        if length is not None and self._last_s < start + length - _END_SLACK_S:
            self._notes.append(
                f"the file is cut off: it promises {length:.1f} s, {self._last_s - start:.1f} s could be read"
            )

    def _see(self, frame: av.VideoFrame) -> VideoImage:
        colour = colour_of(frame)
        self._check_size(frame.width, frame.height)
        width, height = _square_pixels(frame.width, frame.height, self._pixel_shape())
        self._check_size(width, height)
        matrix = _display_matrix(frame)
        upright_wh = (height, width) if _is_transposed(matrix) else (width, height)
        if self._size_wh is None or self._colour is None:
            self._size_wh, self._colour = upright_wh, colour
            self._note_about_first(frame, colour, (width, height), matrix)
        elif upright_wh != self._size_wh:
            # The film changes its size: the writer cannot, so every frame takes the first one's.
            width, height = self._size_wh[::-1] if _is_transposed(matrix) else self._size_wh
        try:
            image = _turn(self._rgb(frame, colour, (width, height)), matrix)
        except av.FFmpegError as error:
            kind = frame.format.name
            raise MediaError(f"{self._path} has frames ({kind}) that do not turn into RGB: {_why(error)}") from error
        pts = self._pts(frame)
        return VideoImage(image, pts, float(pts * self._time_base), frame.duration or 0)

    def _pixel_shape(self) -> Fraction:
        shape = self._stream.sample_aspect_ratio or Fraction(1)
        return shape if Fraction(1, _MAX_STRETCH) <= shape <= _MAX_STRETCH else Fraction(1)

    def _note_about_first(
        self,
        frame: av.VideoFrame,
        colour: Colour,
        size_wh: tuple[int, int],
        matrix: tuple[int, ...] | None,
    ) -> None:
        if colour.is_hdr:
            self._notes.append("HDR was brought down to standard range (BT.709)")
        elif any(component.bits > 8 for component in frame.format.components):
            self._notes.append("more than 8 bits per colour became 8")
        if frame.interlaced_frame:
            self._notes.append("the video is interlaced and was treated as it is, both fields at once")
        if size_wh != (frame.width, frame.height):
            self._notes.append("oblong pixels became square ones")
        if matrix is not None and not _is_right_angle(matrix):
            self._notes.append("the file asks for a turn by an odd angle; the nearest quarter turn was taken")

    def _pts(self, frame: av.VideoFrame) -> int:
        """Return the frame's time; a missing one is made up and a repeated one moved by the least step."""
        if self._last_pts is None:
            pts = frame.pts or 0
        elif frame.pts is None:
            pts = self._last_pts + max(round(1 / (self._rate * self._time_base)), 1)
        else:
            pts = max(frame.pts, self._last_pts + 1)
        self._last_pts = pts
        return pts


def _open(path: Path) -> InputContainer:
    try:
        if path.is_dir():
            raise MediaError(f"{path} is a folder, not a video")
        with path.open("rb") as file:
            head = file.read(16)
        if not head:
            raise MediaError(f"{path} is empty (0 bytes)")
        return av.open(
            f"file:{path}",
            mode="r",
            metadata_errors="replace",
            container_options={"format_whitelist": _DEMUXERS, "protocol_whitelist": "file"},
        )
    except (av.FFmpegError, OSError) as error:
        if isinstance(error, FileNotFoundError):
            raise MediaError(f"there is no file {path}") from error
        if isinstance(error, PermissionError):
            raise MediaError(f"{path} may not be read: {_why(error)}") from error
        if head[4:8] == b"ftyp":
            raise MediaTruncatedError(
                f"{path} is an MP4 whose index is missing; it was cut off or is still being written"
            ) from error
        raise MediaError(f"{path} is not a picture or video mien can read ({_why(error)})") from error


def _why(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)


def _streams(container: InputContainer) -> str:
    kinds = sorted({stream.type for stream in container.streams})
    return "it holds " + (", ".join(kinds) or "nothing")


def _square_pixels(width: int, height: int, shape: Fraction) -> tuple[int, int]:
    """Return the size at which pixels are square, never smaller than the frame.

    Example:
        >>> _square_pixels(720, 576, Fraction(64, 45))
        (1024, 576)
    """
    if shape >= 1:
        return round(width * shape), height
    return width, round(height / shape)


def _display_matrix(frame: av.VideoFrame) -> tuple[int, ...] | None:
    for data in cast("Iterable[SideData]", frame.side_data):  # the stubs call this mapping one of strings
        if data.type == SideDataType.DISPLAYMATRIX:
            return tuple(int(value) for value in np.frombuffer(memoryview(data), np.int32))
    return None


def _is_transposed(matrix: tuple[int, ...] | None) -> bool:
    return matrix is not None and abs(matrix[1]) > abs(matrix[0])


def _is_right_angle(matrix: tuple[int, ...]) -> bool:
    across, along = sorted((abs(matrix[0]), abs(matrix[1])))
    return across * 50 < along


def _turn(image: Image, matrix: tuple[int, ...] | None) -> Image:
    """Turn and mirror as the matrix (a b u, c d v, x y w) maps (x, y) to (ax + cy, bx + dy)."""
    if matrix is None:
        return image
    a, b, _, c, d = matrix[:5]
    if _is_transposed(matrix):
        image, flip_columns, flip_rows = image.transpose(1, 0, 2), c < 0, b < 0
    else:
        flip_columns, flip_rows = a < 0, d < 0
    turned = image[:: -1 if flip_rows else 1, :: -1 if flip_columns else 1]
    return np.ascontiguousarray(turned)
