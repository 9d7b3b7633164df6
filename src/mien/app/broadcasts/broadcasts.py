"""All broadcasts of a server: made, found, changed on air, ended."""

import asyncio
import secrets
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from types import TracebackType
from typing import Any, Final, Self

import structlog

from mien.app.access import Owner
from mien.app.broadcasts.broadcast import Broadcast, BroadcastSpec, stream_of
from mien.app.broadcasts.repository import BroadcastRepository, InMemoryBroadcasts
from mien.app.broadcasts.supervisor import Supervisor
from mien.app.personas.store import Hold
from mien.app.policy.document import PolicyDocument
from mien.app.policy.rules import is_reference
from mien.app.ports import Connected, Live, Runner, StreamSpec
from mien.app.repositories import PersonaRepository
from mien.app.states import LiveCounts
from mien.errors import (
    MienError,
    NoSuchBroadcastError,
    PersonaError,
    TooManySessionsError,
    UnknownPersonError,
)
from mien.media.address_policy import check_url
from mien.media.webrtc.sdp.parse import Offer

log = structlog.get_logger()

_SWEEP_S: Final = 5.0


class Broadcasts:
    """The broadcasts of one server. Use as `async with`; leaving ends them all.

    Args:
        runner: Starts live sessions.
        references: The photos that may be swapped in.
        repository: Where they are kept.
        max_broadcasts: More are refused.
        idle_timeout_s: A broadcast in which nobody publishes for so long ends.
        ephemeral_idle_timeout_s: The same for one that was made by publishing.
    """

    def __init__(
        self,
        runner: Runner,
        references: PersonaRepository,
        *,
        repository: BroadcastRepository | None = None,
        max_broadcasts: int = 8,
        idle_timeout_s: float = 600.0,
        ephemeral_idle_timeout_s: float = 10.0,
    ) -> None:
        self._runner = runner
        self._personas = references
        self._max_broadcasts = max_broadcasts
        self._idle_timeout_s = idle_timeout_s
        self._ephemeral_idle_timeout_s = ephemeral_idle_timeout_s
        self._broadcasts = InMemoryBroadcasts() if repository is None else repository
        self._making = 0
        self._supervisor = Supervisor(runner, is_on=self.has)
        self._group = asyncio.TaskGroup()
        self._sweeper: asyncio.Task[None]

    async def __aenter__(self) -> Self:
        await self._group.__aenter__()
        self._sweeper = self._group.create_task(self._sweep())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._sweeper.cancel()
        for broadcast in self:
            broadcast.live.end()
        await self._group.__aexit__(kind, error, trace)

    def __iter__(self) -> Iterator[Broadcast]:
        return iter(self._broadcasts)

    async def create(self, spec: BroadcastSpec, *, owner: Owner = Owner.TOKEN, ephemeral: bool = False) -> Broadcast:
        """Make a broadcast that waits for its publisher.

        Args:
            spec: What it shall be.
            owner: Whose it is; it gets a bearer token of its own where that owns it.
            ephemeral: It ends with its publisher.

        Raises:
            TooManySessionsError: There are as many as may be.
            PersonaError: There is no such persona.
            PolicyError: The policy cannot be followed.
            ModelError: A model cannot be had.
            LiveLostError: What should carry it broke.
        """
        if len(self._broadcasts) + self._making >= self._max_broadcasts:
            raise TooManySessionsError(f"this server carries at most {self._max_broadcasts} broadcasts")
        self._making += 1
        try:
            broadcast_id = secrets.token_urlsafe(12)
            stream = self._stream_of(spec)
            hold = Hold(self._personas)
            hold.move_to(spec.policy.lent)
            try:
                live = await self._begin(spec, stream, broadcast_id)
            except BaseException:
                hold.move_to(())
                raise
            broadcast = Broadcast(
                id=broadcast_id,
                token=secrets.token_urlsafe(32) if owner is Owner.TOKEN else None,
                owner=owner,
                spec=spec,
                stream=stream,
                live=live,
                ephemeral=ephemeral,
                created_at=time.time(),
                hold=hold,
            )
            self._broadcasts.add(broadcast)
            self._group.create_task(self._run(broadcast))
        finally:
            self._making -= 1
        return broadcast

    def _stream_of(self, spec: BroadcastSpec) -> StreamSpec:
        return stream_of(spec.policy, self._personas, delay_frames=spec.delay_frames)

    async def _begin(self, spec: BroadcastSpec, stream: StreamSpec, name: str) -> Live:
        live = await self._runner.start(stream, name=name)
        try:
            await live.record(on=spec.record)
            self._stream_of(spec)  # the photo may have been withdrawn meanwhile
        except BaseException:
            live.end()
            raise
        return live

    def has(self, broadcast: Broadcast) -> bool:
        """Whether `broadcast` is not over yet."""
        return self.find(broadcast.id) is not None

    @property
    def counts(self) -> LiveCounts:
        """Everything that all live sessions have counted, those that are over too."""
        return self._supervisor.counts

    @property
    def lost(self) -> int:
        """So many live sessions have broken."""
        return self._supervisor.lost

    def get(self, broadcast_id: str) -> Broadcast:
        """Return a broadcast.

        Raises:
            NoSuchBroadcastError: There is none of that name.
        """
        broadcast = self.find(broadcast_id)
        if broadcast is None:
            raise NoSuchBroadcastError("there is no such broadcast; it may have ended")
        return broadcast

    def find(self, broadcast_id: str) -> Broadcast | None:
        """Return a broadcast, or None where there is none of that name."""
        return self._broadcasts.find(broadcast_id)

    def by_token(self, token: str) -> Broadcast | None:
        """Return the broadcast whose own token this is, or None."""
        return self._broadcasts.by_token(token)

    async def change(self, broadcast: Broadcast, changes: Mapping[str, Any]) -> None:
        """Change fields of `broadcast.spec`, on air. If that fails it stays what it was.

        Raises:
            PersonaError: There is no such persona.
            PolicyError: The policy cannot be followed.
            ModelError: A model cannot be had.
            OutputError: Recordings cannot be written.
            LiveLostError: Its session broke meanwhile.
        """
        async with broadcast.changing:
            spec = replace(broadcast.spec, **changes)
            if spec.record != broadcast.spec.record:
                await broadcast.live.record(on=spec.record)
                broadcast.spec = replace(broadcast.spec, record=spec.record)
            if replace(spec, title=broadcast.spec.title) != broadcast.spec:
                stream = self._stream_of(spec)
                # First the hold: a photo that is withdrawn while the session changes is then taken off afterwards.
                self._hold(broadcast, spec.policy)
                try:
                    await broadcast.live.set_policy(stream)
                except BaseException:
                    with suppress(PersonaError):
                        self._hold(broadcast, broadcast.spec.policy)
                    raise
                broadcast.stream = stream
            broadcast.spec = spec

    def _hold(self, broadcast: Broadcast, policy: PolicyDocument) -> None:
        if self.has(broadcast):  # else nobody would release them
            broadcast.hold.move_to(policy.lent)

    async def withdraw(self, persona_id: str) -> None:
        """Forget a reference photo or a person, and hide the faces of every broadcast that wears or shows them.

        Raises:
            PersonaError: There is no such photo, and no such person.
        """
        self._personas.forget(persona_id)
        for broadcast in self:
            await self._take_off(broadcast, persona_id)

    async def _take_off(self, broadcast: Broadcast, persona_id: str) -> None:
        async with broadcast.changing:
            policy = broadcast.spec.policy
            if persona_id not in policy.lent:
                return
            # First what a session that is started again begins with: this one may be breaking just now.
            broadcast.spec = replace(broadcast.spec, policy=self._still_there(policy))
            broadcast.stream = self._stream_of(broadcast.spec)
            broadcast.hold.move_to(broadcast.spec.policy.lent)
            try:
                await broadcast.live.set_policy(broadcast.stream)
            except MienError:
                broadcast.live.end()  # what cannot be told to take a face off must not go on wearing it

    def _still_there(self, policy: PolicyDocument) -> PolicyDocument:
        """Return a policy without the photos and people that were withdrawn: several may be at the same time."""
        for person in policy.people:
            try:
                self._personas.person(person)
            except UnknownPersonError:
                policy = policy.without_person(person)
        for persona in filter(is_reference, policy.personas):
            try:
                self._personas.get(persona)
            except PersonaError:
                policy = policy.without_swaps(persona)
        return policy

    async def push(self, broadcast: Broadcast, url: str, token: str | None) -> str:
        """Push a broadcast to a WHIP server elsewhere; return the push's id.

        Raises:
            TargetError: The URL is none that a server elsewhere can have.
            TooManySessionsError: There are as many pushes as may be.
            LiveLostError: Its session broke meanwhile.
        """
        check_url(url)
        async with broadcast.changing:
            push_id = await broadcast.live.push(url, token)
            broadcast.pushes[push_id] = url, token
        return push_id

    async def stop_push(self, broadcast: Broadcast, push_id: str) -> None:
        """End a push.

        Raises:
            NoSuchSessionError: There is no such push.
            LiveLostError: The broadcast's session broke meanwhile.
        """
        async with broadcast.changing:
            broadcast.pushes.pop(push_id, None)
            await broadcast.live.stop_push(push_id)

    async def publish(self, broadcast: Broadcast, offer: Offer) -> Connected:
        """Publish in a broadcast; raises what `Live.publish` does."""
        connected = await broadcast.live.publish(offer)
        broadcast.absence_s = None
        return connected

    def end(self, broadcast: Broadcast) -> None:
        """End a broadcast: nobody finds it any more, and its peers are closed."""
        self._broadcasts.remove(broadcast)
        broadcast.live.end()

    async def _run(self, broadcast: Broadcast) -> None:
        with structlog.contextvars.bound_contextvars(broadcast=broadcast.id):
            log.info("broadcast_made", treatments=broadcast.spec.policy.treatments)
            try:
                await self._supervisor.see_through(broadcast)
            except MienError as error:
                log.error("broadcast_failed", code=error.code, reason=str(error))  # noqa: TRY400  # its trace says no more
            finally:
                self._broadcasts.remove(broadcast)
                broadcast.hold.move_to(())
                log.info("broadcast_ended")

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(_SWEEP_S)
            for broadcast in self:
                if broadcast.report.idle_s > self._most_idle_s(broadcast):
                    self.end(broadcast)

    def _most_idle_s(self, broadcast: Broadcast) -> float:
        limit = self._ephemeral_idle_timeout_s if broadcast.ephemeral else self._idle_timeout_s
        return limit if broadcast.absence_s is None else min(limit, broadcast.absence_s)
