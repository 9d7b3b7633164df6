"""Everything that the web process and its workers say to each other: a closed set of typed messages.

A worker decodes what strangers send, so what it says is checked like a stranger's; so is what it hears. A field that
is missing, too many, of another type or out of its range is refused (see `channel`, and `checks` for the ranges). A new
message is a class here; one that asks for something has a line in `verbs.VERBS` as well. What photo workers hear and
say is in `photo_messages`.
"""

from dataclasses import dataclass
from typing import ClassVar, Final, Self

from pydantic import ConfigDict

from mien.app.personas.file import MAX_PERSONA_BYTES
from mien.app.ports import Role
from mien.app.profiles import Costs, Means
from mien.app.states import LiveLimits, LiveReport
from mien.errors import ConsentError, FacePhotoError, MessageError, MienError, PhotoFinding, TokenError
from mien.media.files.frame_codec import FrameFormat
from mien.media.webrtc.peer import IceServer
from mien.media.webrtc.sdp.parse import MAX_SDP_BYTES, Fragment, Offer
from mien.runners.checks import MAX_TEXT, check_candidates, check_findings, check_id, check_report, check_text, need
from mien.runners.wire_forms import IceNetworkForm, StreamForm
from mien.tracing import MAX_S

MAX_FILE_BYTES: Final = 72 * 2**20
"""The largest photo that a setting allows, and some room."""


class Message:
    """One message. Subclasses are frozen dataclasses; a field named `body` travels as it is, the others as JSON.

    Attributes:
        kind: Its name on the wire.
        max_body: The most bytes that its body may have.
    """

    __slots__ = ()
    __pydantic_config__: ClassVar = ConfigDict(
        strict=True, extra="forbid", allow_inf_nan=False, str_max_length=MAX_SDP_BYTES
    )
    kind: ClassVar[str]
    max_body: ClassVar[int] = 0


# From the web process -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Configure(Message):
    """The first message: the settings of a worker. Answered once its models are loaded."""

    kind: ClassVar = "configure"
    limits: LiveLimits
    ice_servers: tuple[IceServer, ...]
    ice_network: IceNetworkForm

    def __post_init__(self) -> None:
        ports = self.ice_network.udp_ports
        need(ports is None or 0 < ports[0] <= ports[1] <= 65_535, "a range of ports goes from 1 to 65535")


@dataclass(frozen=True, slots=True)
class Calibrate(Message):
    """Measure what a frame costs, while no session has begun; answered by `Calibrated`."""

    kind: ClassVar = "calibrate"


@dataclass(frozen=True, slots=True)
class Asset(Message):
    """A packed persona (see `app.personas.file`). The next policy refers to it by its digest. It gets no answer."""

    kind: ClassVar = "asset"
    max_body: ClassVar = MAX_PERSONA_BYTES
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Start(Message):
    """Begin a live session."""

    kind: ClassVar = "start"
    stream: StreamForm
    name: str
    means: Means | None = None


@dataclass(frozen=True, slots=True)
class StartFrames(Message):
    """Begin a session that treats single frames."""

    kind: ClassVar = "start_frames"
    stream: StreamForm
    form: FrameFormat
    name: str


@dataclass(frozen=True, slots=True)
class Publish(Message):
    """Take a publisher."""

    kind: ClassVar = "publish"
    offer: Offer

    def __post_init__(self) -> None:
        check_candidates(self.offer.candidates, self.offer.octets)


@dataclass(frozen=True, slots=True)
class Watch(Message):
    """Take a viewer."""

    kind: ClassVar = "watch"
    offer: Offer
    is_audience: bool
    source: str

    def __post_init__(self) -> None:
        check_candidates(self.offer.candidates, self.offer.octets)


@dataclass(frozen=True, slots=True)
class CheckPeer(Message):
    """Tell whether there is such a session."""

    kind: ClassVar = "check_peer"
    session_id: str
    role: Role


@dataclass(frozen=True, slots=True)
class Trickle(Message):
    """Add a peer's late ICE candidates."""

    kind: ClassVar = "trickle"
    session_id: str
    fragment: Fragment

    def __post_init__(self) -> None:
        check_candidates(self.fragment.candidates, self.fragment.octets)


@dataclass(frozen=True, slots=True)
class ClosePeer(Message):
    """End one peer's session."""

    kind: ClassVar = "close_peer"
    session_id: str


@dataclass(frozen=True, slots=True)
class SetPolicy(Message):
    """Treat the next frame by another policy."""

    kind: ClassVar = "set_policy"
    stream: StreamForm


@dataclass(frozen=True, slots=True)
class TakeThumbnail(Message):
    """Return a small JPEG of what viewers see."""

    kind: ClassVar = "take_thumbnail"


@dataclass(frozen=True, slots=True)
class Trace(Message):
    """Records what each thread of the worker does; answered by `Traced`."""

    kind: ClassVar = "trace"
    seconds: float

    def __post_init__(self) -> None:
        need(0 < self.seconds <= MAX_S, "it is too long")


@dataclass(frozen=True, slots=True)
class Record(Message):
    """Begin or end the recording."""

    kind: ClassVar = "record"
    on: bool


@dataclass(frozen=True, slots=True)
class Push(Message):
    """Push the broadcast to a WHIP server elsewhere."""

    kind: ClassVar = "push"
    url: str
    token: str | None


@dataclass(frozen=True, slots=True)
class StopPush(Message):
    """End a push."""

    kind: ClassVar = "stop_push"
    push_id: str


@dataclass(frozen=True, slots=True)
class Treat(Message):
    """Treat one frame."""

    kind: ClassVar = "treat"
    max_body: ClassVar = MAX_FILE_BYTES
    at: float
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class End(Message):
    """Close everything and end."""

    kind: ClassVar = "end"


# From a worker --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Done(Message):
    """What was asked is done."""

    kind: ClassVar = "done"


@dataclass(frozen=True, slots=True)
class Calibrated(Message):
    """What a frame costs; None where it was not measured, since a session began or no face was seen."""

    kind: ClassVar = "calibrated"
    costs: Costs | None


@dataclass(frozen=True, slots=True)
class PeerAnswer(Message):
    """A WHIP or WHEP session was set up. Its id becomes part of a URL."""

    kind: ClassVar = "peer_answer"
    session_id: str
    sdp: str

    def __post_init__(self) -> None:
        check_id(self.session_id)


@dataclass(frozen=True, slots=True)
class Thumbnail(Message):
    """A JPEG, or nothing where there is nothing to see."""

    kind: ClassVar = "thumbnail"
    max_body: ClassVar = 2**20
    body: bytes = b""

    def __post_init__(self) -> None:
        need(not self.body or self.body.startswith(b"\xff\xd8"), "it is no JPEG")


@dataclass(frozen=True, slots=True)
class Traced(Message):
    """A trace: JSON in Chrome's trace format."""

    kind: ClassVar = "traced"
    max_body: ClassVar = 4 * 2**20
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class PushBegun(Message):
    """A push was begun."""

    kind: ClassVar = "push_begun"
    push_id: str

    def __post_init__(self) -> None:
        check_id(self.push_id)


@dataclass(frozen=True, slots=True)
class Still(Message):
    """A treated frame and the time of its capture; None while the delay fills."""

    kind: ClassVar = "still"
    max_body: ClassVar = MAX_FILE_BYTES
    at: float | None
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Failed(Message):
    """An error that the worker raised on purpose.

    Attributes:
        code: Its class's code.
        text: What it says.
        findings: What was found in each photo, where it is about photos.
    """

    kind: ClassVar = "failed"
    code: str
    text: str
    findings: tuple[tuple[PhotoFinding, ...], ...] = ()

    def __post_init__(self) -> None:
        check_text(self.text)
        check_findings(self.findings)

    @classmethod
    def of(cls, error: MienError) -> Self:
        """Return what says `error` at the other end."""
        text = "".join(sign if sign.isprintable() else " " for sign in str(error)[:MAX_TEXT])
        return cls(error.code, text, error.findings if isinstance(error, FacePhotoError) else ())

    @property
    def error(self) -> MienError:
        """The error that this names. A worker grants and refuses nobody's rights, so some are not believed."""
        kinds: list[type[MienError]] = [MienError]
        for kind in kinds:
            kinds += [each for each in kind.__subclasses__() if each not in {TokenError, ConsentError, MessageError}]
        found = next((kind for kind in reversed(kinds) if kind.code == self.code), MienError)
        return found(self.text, findings=self.findings) if issubclass(found, FacePhotoError) else found(self.text)


@dataclass(frozen=True, slots=True)
class Report(Message):
    """How the live session is; comes several times a second, and before each answer."""

    kind: ClassVar = "report"
    report: LiveReport

    def __post_init__(self) -> None:
        check_report(self.report)


@dataclass(frozen=True, slots=True)
class Over(Message):
    """The worker did what it was for, and ends."""

    kind: ClassVar = "over"
