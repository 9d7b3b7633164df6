"""Recording of a treated broadcast: what viewers got, packet for packet, in files that survive a crash.

H.264 goes into fragmented MP4, VP8 into WebM (docs/decisions/0050-recordings.md). A file is called `*.part` while
it grows by a fragment at a time; whatever ends the process, it plays up to the last whole fragment, and `recover`
makes a proper file of it at the next start.
"""

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import av
import structlog

from mien.errors import OutputError
from mien.media.codecs.encoded import VIDEO_CLOCK_RATE, EncodedAudio, EncodedFrame, VideoCodec
from mien.media.recording.part import part_of
from mien.media.recording.recovery import recover
from mien.media.recording.segment import FILE_KINDS, Segment, shape_of
from mien.rate_limit import LogThrottle

__all__ = ["KEYFRAME_EVERY_S", "Recorder", "RecordingLimits", "recover"]

log = structlog.get_logger()

KEYFRAME_EVERY_S: Final = 2.0
"""A fragment reaches from keyframe to keyframe, and a crash costs the last one."""

_ASK_AGAIN_S: Final = 0.5
_RETRY_S: Final = 5.0
"""So long after the disk refused, another file is begun."""
_AUDIO_KEPT: Final = 150
"""Audio runs ahead of its frame; three seconds of it wait for the keyframe that begins a file."""


@dataclass(frozen=True, slots=True)
class RecordingLimits:
    """When a recording ends by itself, and how far it may lag.

    Attributes:
        max_bytes: The most bytes of all its files together; None for no limit.
        max_s: From the first frame to the last; None for no limit.
        queue_bytes: What may wait for a slow disk before frames are left out.
    """

    max_bytes: int | None = None
    max_s: float | None = None
    queue_bytes: int = 16 * 1024 * 1024


class Recorder:
    """Writes the frames of layer 0 and the audio of one broadcast to files, on a thread of its own.

    `put_frame` and `put_audio` never wait and may be called from any thread. A file begins at a keyframe, and
    another one when the frames change their size or the disk takes things again after it did not. While the disk
    is slow or full, what comes up to the next keyframe is left out, counted and logged.

    Args:
        folder: Where the files shall lie; it must exist.
        name: The first file's name, without its suffix; the others are called `name-2`, `name-3` and so on.
        codec: The codec of the frames.
        audio: Whether the files shall have a track for audio.
        want_keyframe: Called when a keyframe is due, at the beginning and then every two seconds.
        limits: When it ends, and how far it may lag.

    Raises:
        OutputError: `name` is no plain name, or there is no such folder.

    Attributes:
        dropped: Frames that were left out since the first keyframe.
        name: What the names of its files begin with.
        ended: Why the recording ended by itself: "size" or "time"; None while it goes on.
    """

    def __init__(
        self,
        folder: Path,
        name: str,
        *,
        codec: VideoCodec,
        want_keyframe: Callable[[], None],
        audio: bool = True,
        limits: RecordingLimits | None = None,
    ) -> None:
        if not name or Path(name).name != name or name.startswith("."):
            raise OutputError(f"a recording needs a plain name, got {name!r}")
        if not folder.is_dir():
            raise OutputError(f"there is no folder {folder} to record into")
        self.dropped = 0
        self._gaps = LogThrottle()
        self.ended: str | None = None
        self._folder = folder
        self.name = name
        self._codec = codec
        self._with_audio = audio
        self._limits = limits or RecordingLimits()
        self._want_keyframe = want_keyframe
        self._files: list[Path] = []

        # What the feeding threads share with ours.
        self._changed = threading.Condition()
        self._waiting: deque[EncodedFrame | EncodedAudio] = deque()
        self._waiting_bytes = 0
        self._closing = False
        self._in_step = False
        self._began = False
        self._keyframe_pts = 0
        self._asked_pts: int | None = None

        # What belongs to our thread alone.
        self._segment: Segment | None = None
        self._recent_audio: deque[EncodedAudio] = deque(maxlen=_AUDIO_KEPT)
        self._finished_bytes = 0
        self._first_pts: int | None = None
        self._retry_at = 0.0
        self._thread = threading.Thread(target=self._run, name="mien-recorder", daemon=True)
        self._thread.start()
        want_keyframe()

    @property
    def gaps(self) -> int:
        """How often frames were left out."""
        return self._gaps.times

    @property
    def files(self) -> tuple[Path, ...]:
        """The finished files, in order."""
        return tuple(self._files)

    def put_frame(self, frame: EncodedFrame) -> None:
        """Record a frame; those of other layers than the best are not wanted."""
        if frame.layer != 0:
            return
        with self._changed:
            if self._closing or self.ended:
                return
            if frame.is_keyframe:
                self._in_step = self._began = True
                self._keyframe_pts = frame.pts
            if self._in_step and self._is_full(frame):
                self._leave_out_until_keyframe("disk_slow")
            if self._in_step:
                self._queue(frame)
            elif self._began:
                self.dropped += 1
            ask = not self._in_step or frame.pts - self._keyframe_pts >= KEYFRAME_EVERY_S * VIDEO_CLOCK_RATE
            asked = self._asked_pts
            if not ask or (asked is not None and frame.pts - asked < _ASK_AGAIN_S * VIDEO_CLOCK_RATE):
                return
            self._asked_pts = frame.pts
        self._want_keyframe()

    def put_audio(self, audio: EncodedAudio) -> None:
        """Record a packet of audio."""
        with self._changed:
            if self._closing or self.ended or not self._with_audio:
                return
            if not self._is_full(audio):
                self._queue(audio)

    def close(self, *, timeout_s: float) -> bool:
        """Write what waits, finish the file and return whether all that was done in time."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _is_full(self, item: EncodedFrame | EncodedAudio) -> bool:
        return bool(self._waiting) and self._waiting_bytes + len(item.data) > self._limits.queue_bytes

    def _queue(self, item: EncodedFrame | EncodedAudio) -> None:
        self._waiting.append(item)
        self._waiting_bytes += len(item.data)
        self._changed.notify()

    def _leave_out_until_keyframe(self, why: str) -> None:
        """Note a gap. Everything between here and the next keyframe would build on what is missing."""
        self._in_step = False
        if self._gaps.count():
            log.warning("recording_has_gap", why=why, times=self.gaps)

    # Our thread ---------------------------------------------------------------------------------------------

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._closing)
                if not self._waiting or self.ended:
                    break
                item = self._waiting.popleft()
                self._waiting_bytes -= len(item.data)
            try:
                if isinstance(item, EncodedFrame):
                    self._write_frame(item)
                else:
                    self._write_audio(item)
            except Exception as error:  # noqa: BLE001  # whatever it was, the next file may go well
                self._give_up_segment(error)
        self._finish_segment()

    def _write_frame(self, frame: EncodedFrame) -> None:
        if frame.is_keyframe:
            shape = shape_of(self._codec, frame.data)
            if self._segment is not None and self._segment.shape != shape:
                self._finish_segment()
            if self._segment is None and time.monotonic() >= self._retry_at:
                self._begin_segment(frame, shape)
        if self._segment is None:
            with self._changed:
                self.dropped += 1
            return
        self._segment.add_frame(frame)
        if self._first_pts is None:
            self._first_pts = frame.pts
        if self._limits.max_s is not None and frame.pts - self._first_pts >= self._limits.max_s * VIDEO_CLOCK_RATE:
            self._end("time")
        elif self._limits.max_bytes is not None and self._finished_bytes + self._segment.size > self._limits.max_bytes:
            self._end("size")

    def _write_audio(self, audio: EncodedAudio) -> None:
        self._recent_audio.append(audio)
        if self._segment is not None:
            self._segment.add_audio(audio)

    def _begin_segment(self, keyframe: EncodedFrame, shape: bytes) -> None:
        path = self._free_path()
        self._segment = Segment(path, self._codec, keyframe, shape, audio=self._with_audio)
        for audio in self._recent_audio:
            self._segment.add_audio(audio)
        log.info("recording_began", file=path.name)

    def _finish_segment(self) -> None:
        segment, self._segment = self._segment, None
        if segment is None:
            return
        try:
            segment.finish()
        except (OSError, av.FFmpegError) as error:
            log.warning("recording_not_indexed", file=segment.path.name, error=type(error).__name__)
        self._keep(segment)

    def _give_up_segment(self, error: Exception) -> None:
        """End a file that the disk refused to carry on: it keeps its whole fragments."""
        self._retry_at = time.monotonic() + _RETRY_S
        with self._changed:
            self._leave_out_until_keyframe(type(error).__name__)
        segment, self._segment = self._segment, None
        if segment is not None:
            segment.abandon()
            self._keep(segment)

    def _keep(self, segment: Segment) -> None:
        self._finished_bytes += segment.size
        try:
            if segment.publish():
                self._files.append(segment.path)
                log.info("recording_finished", file=segment.path.name, size=segment.size)
        except OSError as error:
            log.warning("recording_not_renamed", file=segment.path.name, error=type(error).__name__)

    def _end(self, why: str) -> None:
        with self._changed:
            self.ended = why
            self._waiting.clear()
            self._changed.notify()
        log.info("recording_ended", why=why)

    def _free_path(self) -> Path:
        suffix = FILE_KINDS[self._codec].suffix
        number = 1
        while True:
            path = self._folder / f"{self.name}{f'-{number}' if number > 1 else ''}{suffix}"
            if not path.exists() and not part_of(path).exists():
                return path
            number += 1
