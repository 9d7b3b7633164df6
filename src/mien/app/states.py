"""The states of a broadcast and the numbers it shows."""

from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Final, Self

from mien.app.profiles import ProfileReport, ProfileSetting
from mien.media.address_policy import Targets
from mien.media.codecs.devices import CodecDevice
from mien.media.codecs.encoded import VideoCodec
from mien.media.recording.recorder import RecordingLimits
from mien.vision.types import FaceTold


class BroadcastState(StrEnum):
    """What viewers of a broadcast see just now."""

    WAITING = "waiting"
    """Nobody publishes; viewers see the slate."""
    LIVE = "live"
    """Treated frames go out."""
    PAUSED = "paused"
    """Somebody publishes, but nothing safe has come for a while; viewers see the slate."""
    RESTARTING = "restarting"
    """What carried it broke and is being started again; peers must connect anew."""
    ENDED = "ended"
    """It is over; viewers are gone."""


class Load(StrEnum):
    """Whether a live session keeps up with its publisher, and what it has given up to do so."""

    OK = "ok"
    """Nothing, or nothing beyond the profile that the operator set."""
    REDUCED_QUALITY = "reduced_quality"
    """It treats a smaller frame, or fewer frames a second; or less than 80 % of what arrives leaves."""
    NO_SWAP = "no_swap"
    """Besides, every face gets a mosaic instead of a persona."""
    OVERLOADED = "overloaded"
    """Even so the video stops, or comes too rarely to be a video."""


@dataclass(frozen=True, slots=True)
class LiveLimits:
    """How long a live session waits, and how much it takes.

    Attributes:
        slate_after_s: The last safe frame stays up this long when no new one comes.
        hang_after_s: A pipeline that takes longer for one frame is given up.
        publisher_timeout_s: A publisher who sends no frame for so long is gone.
        viewer_grace_s: Viewers see the slate this long after the publisher left, then they are closed.
        max_viewers: More viewers are refused.
        max_pixels: Larger frames are not looked at.
        profile: Name of the profile that broadcasts begin with and never rise above; or "auto".
        shed_load: Whether quality is given up where the machine is too slow; otherwise only frames are dropped.
        start_kbps: Bit rate a browser is told to begin with.
        max_kbps: Bit rate a browser is told not to exceed.
        codecs: In which a broadcast may be sent, the preferred one first.
        codec_devices: Where frames are decoded, and encoded in H.264, the preferred one first; else in software.
        recordings_dir: Where recordings go; None forbids them.
        recording: When one ends by itself.
        push_targets: Which servers a broadcast may be pushed to.
    """

    slate_after_s: float = 2.0
    hang_after_s: float = 5.0
    publisher_timeout_s: float = 15.0
    viewer_grace_s: float = 10.0
    max_viewers: int = 64
    max_pixels: int = 1920 * 1088
    profile: ProfileSetting = "auto"
    shed_load: bool = True
    start_kbps: int = 2000
    max_kbps: int = 4000
    codecs: tuple[VideoCodec, ...] = (VideoCodec.VP8,)
    codec_devices: tuple[CodecDevice, ...] = ()
    recordings_dir: Path | None = None
    recording: RecordingLimits = field(default_factory=RecordingLimits)
    push_targets: Targets = field(default_factory=Targets)


DELAY_BOUNDS_S: Final = (0.02, 0.04, 0.06, 0.08, 0.1, 0.15, 0.2, 0.3, 0.5, 1.0)
"""Upper bounds of the classes in which a live session counts its delays; one more class has none."""


@dataclass(frozen=True, slots=True)
class LiveCounts:
    """What a live session has counted since it began. Counts of several sessions add up.

    Attributes:
        frames_in: Decoded frames.
        frames_out: Treated frames.
        dropped: Frames that were replaced by newer ones before anybody looked.
        vision_errors: Frames whose treatment failed; none of them left.
        delays: Treated frames by delay, from arrival to being encoded, in the classes of `DELAY_BOUNDS_S`.
        delay_sum_s: Sum of these delays.
    """

    frames_in: int = 0
    frames_out: int = 0
    dropped: int = 0
    vision_errors: int = 0
    delays: tuple[int, ...] = (0,) * (len(DELAY_BOUNDS_S) + 1)
    delay_sum_s: float = 0.0

    def __add__(self, other: "LiveCounts") -> "LiveCounts":
        return LiveCounts(
            frames_in=self.frames_in + other.frames_in,
            frames_out=self.frames_out + other.frames_out,
            dropped=self.dropped + other.dropped,
            vision_errors=self.vision_errors + other.vision_errors,
            delays=tuple(mine + theirs for mine, theirs in zip(self.delays, other.delays, strict=True)),
            delay_sum_s=self.delay_sum_s + other.delay_sum_s,
        )


@dataclass(frozen=True, slots=True)
class RecordingReport:
    """How a recording fares.

    Attributes:
        files: Names of its files that are finished.
        name: What the names of all its files begin with.
        dropped: Frames that were left out because the disk was slow or full.
        ended: Why it ended by itself: "size" or "time"; None while it goes on.
    """

    files: tuple[str, ...] = ()
    name: str = "-"
    dropped: int = 0
    ended: str | None = None


@dataclass(frozen=True, slots=True)
class PushReport:
    """How a push to a server elsewhere fares.

    Attributes:
        state: "connecting", "live", "retrying", "refused" or "ended".
        packets: Sent.
        octets: Bytes of payload in them.
        resent: Retransmissions.
        trouble: What went wrong last; None while all is well.
    """

    state: str
    packets: int = 0
    octets: int = 0
    resent: int = 0
    trouble: str | None = None


MAX_FACES_TOLD: Final = 32
"""A frame's largest ones; who answers for a crowd has no use for more."""


@dataclass(frozen=True, slots=True)
class FaceReport:
    """A face of the frame that viewers see, for the broadcast's owner.

    Attributes:
        id: Its face track's; stable while it is followed.
        box: x0, y0, x1, y1 as shares of the frame's width and height.
        treatment: What it got: "show", "mosaic" or "swap".
        is_primary: It is the primary person.
        person: The number of whom it is known as, or seems to be; "" where nobody speaks for anybody.
        doubt: Why it is not known, as in `vision.types.Doubt`; "" where it is, or nobody is registered.
    """

    id: int
    box: tuple[float, float, float, float]
    treatment: str
    is_primary: bool = False
    person: str = ""
    doubt: str = ""

    @classmethod
    def of(cls, face: FaceTold) -> Self:
        """Return the report of a face. Four places are a tenth of a pixel."""
        x0, y0, x1, y1 = (round(share, 4) for share in face.box)
        return cls(
            face.face_track_id, (x0, y0, x1, y1), face.treatment, face.is_primary, face.person or "", face.doubt or ""
        )


@dataclass(frozen=True, slots=True)
class PrimaryChoice:
    """A face that an owner points at: by its id, or by a place in the frame that viewers see.

    Attributes:
        face: Its id, as in `FaceReport`; None where a place is given.
        point: x and y as shares of the frame's width and height; None where an id is given.
    """

    face: int | None = None
    point: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class LiveStats:
    """The numbers of a live session over the last seconds.

    Attributes:
        fps_in: Decoded frames a second.
        fps_out: Treated frames a second.
        vision_ms: Median time of the treatment; None before the first frame.
        server_delay_ms: Median time from a frame's arrival to its being encoded; None before the first.
        faces: How many faces have which treatment, in the last frame.
        viewers: Connected viewers, without the broadcaster's own.
        size_wh: Size of the last treated frame.
        load: Whether it keeps up, and what it has given up to do so.
        profile: Which profile is on, why, and what would bring a better one.
        codec: In which the broadcast is sent; None before anybody wanted it.
        layers: How many viewers get which size; "0" is the full one.
        recording: How the recording fares; None when there is none.
        pushes: How the pushes to servers elsewhere fare, by id.
        counts: Everything since the start.
        seen: The faces of the frame that viewers see, the largest first.
        asked_primary: The face that the owner chose as the primary person and that is not taken yet; 0 for none.
    """

    fps_in: float = 0.0
    fps_out: float = 0.0
    vision_ms: float | None = None
    server_delay_ms: float | None = None
    faces: dict[str, int] = field(default_factory=dict)
    viewers: int = 0
    size_wh: tuple[int, int] | None = None
    load: Load = Load.OK
    profile: ProfileReport = field(default_factory=ProfileReport)
    codec: str | None = None
    layers: dict[str, int] = field(default_factory=dict)
    recording: RecordingReport | None = None
    pushes: dict[str, PushReport] = field(default_factory=dict)
    counts: LiveCounts = field(default_factory=LiveCounts)
    seen: tuple[FaceReport, ...] = ()
    asked_primary: int = 0


@dataclass(frozen=True, slots=True)
class LiveReport:
    """What a live session says of itself.

    Attributes:
        state: What viewers see.
        stats: Its numbers.
        idle_s: For how long nobody has published.
    """

    state: BroadcastState = BroadcastState.WAITING
    stats: LiveStats = field(default_factory=LiveStats)
    idle_s: float = 0.0
