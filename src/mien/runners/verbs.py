"""What a worker does when it is asked: the one table of verbs, from a message to what is called.

Nothing is looked up by a name that came over the line. A new verb is a message in `messages` and a line in `VERBS`.
"""

from collections.abc import Awaitable, Callable
from typing import Any, Final, Protocol

from mien.app.ports import FrameSession, Live, StreamSpec
from mien.app.profiles import Costs
from mien.runners.channel import Kinds, kinds_of
from mien.runners.messages import (
    Asset,
    Calibrate,
    Calibrated,
    CheckPeer,
    ClosePeer,
    Configure,
    Done,
    End,
    Failed,
    Message,
    Over,
    PeerAnswer,
    Publish,
    Push,
    PushBegun,
    Record,
    Report,
    SetPolicy,
    Start,
    StartFrames,
    Still,
    StopPush,
    TakeThumbnail,
    Thumbnail,
    Trace,
    Traced,
    Treat,
    Trickle,
    Watch,
)
from mien.runners.owner_messages import ChoosePrimary, PrimaryChosen
from mien.runners.photo_messages import Photo, PhotosRead, ReadPhotos
from mien.runners.wire_forms import StreamForm


class Host(Protocol):
    """The worker in which verbs are carried out."""

    @property
    def live(self) -> Live:
        """The live session. Raises `LiveError` where there is none."""
        ...

    @property
    def frames(self) -> FrameSession:
        """The session that treats single frames. Raises `LiveError` where there is none."""
        ...

    @property
    def session(self) -> Live | FrameSession:
        """Whichever of the two there is. Raises `LiveError` where there is none."""
        ...

    async def configure(self, asked: Configure) -> None:
        """Load what every session needs."""
        ...

    async def calibrate(self) -> Costs | None:
        """Measure what a frame costs; None where that was not possible."""
        ...

    def keep(self, asset: bytes) -> None:
        """Keep an asset for the next policy."""
        ...

    def stream_of(self, form: StreamForm) -> StreamSpec:
        """Return the spec of a form, and forget the assets that it does not refer to."""
        ...

    async def start(self, spec: StreamSpec, asked: Start) -> None:
        """Begin the live session."""
        ...

    async def start_frames(self, spec: StreamSpec, asked: StartFrames) -> None:
        """Begin the session that treats single frames."""
        ...

    def end(self) -> None:
        """End whatever there is, and the worker."""
        ...


async def _configure(host: Host, asked: Configure) -> Message:
    await host.configure(asked)
    return Done()


async def _calibrate(host: Host, _asked: Calibrate) -> Message:
    return Calibrated(await host.calibrate())


# The worker begins each verb in the order of the messages, so what comes before the first `await` of a verb happens
# in that order as well: assets are there before the policy that refers to them.


async def _keep(host: Host, asked: Asset) -> Message:
    host.keep(asked.body)
    return Done()


async def _start(host: Host, asked: Start) -> Message:
    await host.start(host.stream_of(asked.stream), asked)
    return Done()


async def _start_frames(host: Host, asked: StartFrames) -> Message:
    await host.start_frames(host.stream_of(asked.stream), asked)
    return Done()


async def _set_policy(host: Host, asked: SetPolicy) -> Message:
    await host.session.set_policy(host.stream_of(asked.stream))
    return Done()


async def _publish(host: Host, asked: Publish) -> Message:
    made = await host.live.publish(asked.offer)
    return PeerAnswer(made.session_id, made.answer)


async def _watch(host: Host, asked: Watch) -> Message:
    made = await host.live.watch(asked.offer, is_audience=asked.is_audience, source=asked.source)
    return PeerAnswer(made.session_id, made.answer)


async def _check(host: Host, asked: CheckPeer) -> Message:
    await host.live.check(asked.session_id, asked.role)
    return Done()


async def _trickle(host: Host, asked: Trickle) -> Message:
    await host.live.trickle(asked.session_id, asked.fragment)
    return Done()


async def _close_peer(host: Host, asked: ClosePeer) -> Message:
    await host.live.close_peer(asked.session_id)
    return Done()


async def _choose_primary(host: Host, asked: ChoosePrimary) -> Message:
    return PrimaryChosen(await host.live.choose_primary(asked.choice))


async def _take_thumbnail(host: Host, _asked: TakeThumbnail) -> Message:
    return Thumbnail(await host.live.thumbnail() or b"")


async def _trace(host: Host, asked: Trace) -> Message:
    return Traced(await host.live.trace(asked.seconds))


async def _record(host: Host, asked: Record) -> Message:
    await host.live.record(on=asked.on)
    return Done()


async def _push(host: Host, asked: Push) -> Message:
    return PushBegun(await host.live.push(asked.url, asked.token))


async def _stop_push(host: Host, asked: StopPush) -> Message:
    await host.live.stop_push(asked.push_id)
    return Done()


async def _treat(host: Host, asked: Treat) -> Message:
    treated = await host.frames.treat(asked.body, at=asked.at)
    return Still(None) if treated is None else Still(treated.at, treated.data)


async def _end(host: Host, _asked: End) -> Message:
    host.end()
    return Done()


VERBS: Final[dict[type[Message], Callable[[Host, Any], Awaitable[Message]]]] = {
    Configure: _configure,
    Calibrate: _calibrate,
    Asset: _keep,
    Start: _start,
    StartFrames: _start_frames,
    SetPolicy: _set_policy,
    ChoosePrimary: _choose_primary,
    Publish: _publish,
    Watch: _watch,
    CheckPeer: _check,
    Trickle: _trickle,
    ClosePeer: _close_peer,
    TakeThumbnail: _take_thumbnail,
    Trace: _trace,
    Record: _record,
    Push: _push,
    StopPush: _stop_push,
    Treat: _treat,
    End: _end,
}

TO_WORKER: Final[Kinds] = kinds_of(VERBS)
FROM_WORKER: Final[Kinds] = kinds_of(
    (Done, Calibrated, PeerAnswer, Thumbnail, Traced, PushBegun, PrimaryChosen, Still, Failed, Report, Over),
)
TO_PHOTO_WORKER: Final[Kinds] = kinds_of((ReadPhotos, Photo))
FROM_PHOTO_WORKER: Final[Kinds] = kinds_of((PhotosRead, Failed))
