"""The ports to live sessions and sessions of single frames, and to what runs them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias

from mien.app.face_photos import LentFor
from mien.app.ports.pipelines import ReferenceFace, StreamSpec
from mien.app.profiles import Means
from mien.app.states import LiveReport, PrimaryChoice
from mien.media.files.frame_codec import FrameFormat
from mien.media.webrtc.sdp.parse import Fragment, Offer

Role: TypeAlias = Literal["publisher", "viewer"]


@dataclass(frozen=True, slots=True)
class Connected:
    """A WHIP or WHEP session that was set up.

    Attributes:
        session_id: Unguessable.
        answer: The SDP.
    """

    session_id: str
    answer: str


class TakesPolicies(Protocol):
    """A session whose frames are treated by a policy that may change."""

    async def set_policy(self, spec: StreamSpec) -> None:
        """Treat the next frame by `spec`. When this returns, no frame of the old one follows.

        Raises:
            PersonaError: There is no such persona.
            PolicyError: The policy cannot be followed.
            ModelError: A model cannot be had.
            LiveLostError: What carried the session broke.
        """
        ...


class Live(TakesPolicies, Protocol):
    """A live session, wherever it runs. `mien.app.live.session.LiveSession` is the real one, others reach it from afar.

    Every method may raise `LiveLostError`: what carried the session has broken, and `wait` says so too.
    """

    @property
    def report(self) -> LiveReport:
        """What the session last said of itself."""
        ...

    async def publish(self, offer: Offer) -> Connected:
        """Take a publisher.

        Raises:
            BroadcastTakenError: Somebody publishes already.
            SdpError: The offer cannot be answered.
            LiveError: The session is over.
        """
        ...

    async def watch(self, offer: Offer, *, is_audience: bool = True, source: str = "") -> Connected:
        """Take a viewer.

        Args:
            offer: What their browser offers.
            is_audience: False where the broadcaster looks at their own picture; it does not count.
            source: Stands for the address that they come from; who shares one shares its places to connect in.

        Raises:
            TooManySessionsError: There are as many viewers as may be.
            SdpError: The offer cannot be answered.
            LiveError: The session is over.
        """
        ...

    async def check(self, session_id: str, role: Role) -> None:
        """Let pass who names a session that is there.

        Raises:
            NoSuchSessionError: There is no such session of that role.
        """
        ...

    async def trickle(self, session_id: str, fragment: Fragment) -> None:
        """Add a peer's late ICE candidates.

        Raises:
            NoSuchSessionError: There is no such session.
            IceRestartError: The fragment has other ICE credentials.
            SdpError: It cannot be used.
        """
        ...

    async def close_peer(self, session_id: str) -> None:
        """End one peer's session.

        Raises:
            NoSuchSessionError: There is no such session.
        """
        ...

    async def choose_primary(self, choice: PrimaryChoice) -> int:
        """Bind the primary person to a face that viewers see; return its id.

        Raises:
            PrimaryError: There is no such face, or it cannot be the primary person.
        """
        ...

    async def thumbnail(self) -> bytes | None:
        """Return a small JPEG of what viewers see; None when there is nothing to see."""
        ...

    async def trace(self, seconds: float) -> bytes:
        """Record for so long what each thread of the session's process does; return JSON in Chrome's trace format.

        Raises:
            BusyError: A trace is being recorded already.
        """
        ...

    async def record(self, *, on: bool) -> None:
        """Begin or end the recording of what viewers get.

        Raises:
            OutputError: It cannot be written.
            PolicyError: Nothing may be recorded.
        """
        ...

    async def push(self, url: str, token: str | None) -> str:
        """Push the broadcast to a WHIP server elsewhere; return the push's id.

        Raises:
            TooManySessionsError: There are as many as may be.
        """
        ...

    async def stop_push(self, push_id: str) -> None:
        """End a push.

        Raises:
            NoSuchSessionError: There is no such push.
        """
        ...

    def end(self) -> None:
        """Close everything; `wait` returns when that is done."""
        ...

    async def wait(self) -> None:
        """Return when the session is over.

        Raises:
            LiveLostError: It did not end, it broke.
        """
        ...


@dataclass(frozen=True, slots=True)
class TreatedStill:
    """A treated frame of a frame session.

    Attributes:
        data: A JPEG or WebP file.
        at: The time that was given with the frame it was made of.
    """

    data: bytes
    at: float


class FrameSession(TakesPolicies, Protocol):
    """One client's frames, treated one after the other, wherever that happens."""

    async def treat(self, frame: bytes, *, at: float) -> TreatedStill | None:
        """Take a JPEG or WebP frame captured at `at` seconds; return one to show, or None while the delay fills.

        Raises:
            MediaError: It cannot be read.
            LiveError: It could not be treated.
            LiveLostError: What carried the session broke.
        """
        ...

    def end(self) -> None:
        """Free whatever it holds."""
        ...


RunnerHealth: TypeAlias = Literal["ok", "warming", "broken"]


class Runner(Protocol):
    """Starts live sessions: in this process, in processes of their own, or on the machines of a cluster."""

    @property
    def health(self) -> tuple[RunnerHealth, str | None]:
        """Whether sessions can be started, and if not, why."""
        ...

    @property
    def means(self) -> Means | None:
        """What a further session may count on; None where that is not asked."""
        ...

    async def start(self, spec: StreamSpec, *, name: str) -> Live:
        """Return a session that waits for its publisher.

        Args:
            spec: How its frames are treated at first.
            name: For the log.

        Raises:
            PersonaError: There is no such persona.
            PolicyError: The policy cannot be followed.
            ModelError: A model cannot be had.
            LiveLostError: What should carry the session broke.
        """
        ...

    async def read_reference(self, photos: Sequence[bytes], *, use: LentFor) -> ReferenceFace:
        """Read photo files of one face, as a persona or to know somebody by.

        Their number and sizes were checked; nothing else was.

        Raises:
            BusyError: As many are being read as may.
            MediaError: A file is no photo that can be used, or takes more memory or time than it may.
            FacePhotoError: A photo cannot serve as a face; it carries what was found in every one.
            ModelError: A model cannot be had.
        """
        ...

    async def start_frames(self, spec: StreamSpec, *, form: FrameFormat, name: str) -> FrameSession:
        """Return a session that treats single frames.

        Args:
            spec: How they are treated at first.
            form: In which form they come back.
            name: For the log.

        Raises:
            PersonaError: There is no such persona.
            PolicyError: The policy cannot be followed.
            ModelError: A model cannot be had.
            LiveLostError: What should carry the session broke.
        """
        ...
