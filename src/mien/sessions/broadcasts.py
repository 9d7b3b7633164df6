"""All broadcasts of a server: made, found, changed on air, ended."""

import asyncio
import hmac
import secrets
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import TracebackType
from typing import Any, Final, Self

import structlog

from mien.errors import InputError, NoSuchBroadcastError, PolicyError, TokenError, TooManySessionsError
from mien.media.peer import IceServer
from mien.sessions.live import LiveSession
from mien.sessions.ports import LivePolicy, LiveTreatment, OtherFaces, Pipeline, PipelineFactory
from mien.sessions.references import REFERENCE_PREFIX, References
from mien.sessions.states import BroadcastState, LiveLimits, LiveStats

log = structlog.get_logger()

MAX_TITLE_LENGTH: Final = 120
_SWEEP_S: Final = 5.0


@dataclass(frozen=True, slots=True)
class BroadcastWish:
    """What somebody asks a broadcast to be.

    Attributes:
        title: For people.
        treatment: "mosaic" or "swap".
        persona: Id of the face to swap in: "mask:..." or "reference:...".
        others: In a swap, what other faces than the most prominent one get.
    """

    title: str = ""
    treatment: LiveTreatment = "mosaic"
    persona: str | None = None
    others: OtherFaces = "mosaic"

    def __post_init__(self) -> None:
        if len(self.title) > MAX_TITLE_LENGTH or not (self.title == "" or self.title.isprintable()):
            raise InputError(f"a title is at most {MAX_TITLE_LENGTH} printable characters")
        if self.treatment == "swap" and self.persona is None:
            raise PolicyError("a swap needs a persona: a built-in mask or a reference photo")


@dataclass(eq=False, slots=True)
class Broadcast:
    """One broadcast and the live session that carries it.

    Attributes:
        id: Unguessable; who knows it may watch.
        token: Who knows it may publish and change; None where only the session's URL protects it.
        wish: What it is now.
        live: Carries it.
        brief: It ends with its publisher.
        created_at: Seconds since 1970.
        changing: Held while it changes.
    """

    id: str
    token: str | None
    wish: BroadcastWish
    live: LiveSession
    brief: bool
    created_at: float
    changing: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def state(self) -> BroadcastState:
        """What viewers see."""
        return self.live.state

    def stats(self) -> LiveStats:
        """Return the numbers of the last seconds."""
        return self.live.stats()

    def check_token(self, token: str | None) -> None:
        """Let the owner through.

        Raises:
            TokenError: The token is missing or wrong.
        """
        if self.token is not None and not self.knows(token):
            raise TokenError("this needs the broadcast's own bearer token")

    def knows(self, token: str | None) -> bool:
        """Tell whether `token` is the broadcast's own."""
        if self.token is None or token is None:
            return False
        return hmac.compare_digest(token.encode(), self.token.encode())


class Broadcasts:
    """The broadcasts of one server. Use as `async with`; leaving ends them all.

    Args:
        eyes: Returns the pipeline factory, building it first if need be; called off the event loop.
        references: The photos that may be swapped in.
        limits: For each live session.
        ice_servers: For all peer connections.
        max_broadcasts: More are refused.
        idle_timeout_s: A broadcast in which nobody publishes for so long ends.
    """

    def __init__(
        self,
        eyes: Callable[[], PipelineFactory],
        references: References,
        *,
        limits: LiveLimits,
        ice_servers: Sequence[IceServer] = (),
        max_broadcasts: int = 8,
        idle_timeout_s: float = 600.0,
    ) -> None:
        self._eyes = eyes
        self._references = references
        self._limits = limits
        self._ice_servers = ice_servers
        self._max_broadcasts = max_broadcasts
        self._idle_timeout_s = idle_timeout_s
        self._broadcasts: dict[str, Broadcast] = {}
        self._making = 0
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
        return iter(tuple(self._broadcasts.values()))

    async def create(
        self, wish: BroadcastWish, *, token: str | None = None, brief: bool = False, open_to_all: bool = False
    ) -> Broadcast:
        """Make a broadcast that waits for its publisher.

        Args:
            wish: What it shall be.
            token: Its bearer token; None makes a new one.
            brief: It ends with its publisher.
            open_to_all: It has no token.

        Raises:
            TooManySessionsError: There are as many as may be.
            PersonaError: There is no such persona.
            PolicyError: The wish contradicts itself.
            ModelError: A model cannot be had.
        """
        if len(self._broadcasts) + self._making >= self._max_broadcasts:
            raise TooManySessionsError(f"this server carries at most {self._max_broadcasts} broadcasts")
        self._making += 1
        try:
            rebuild = self._builder(wish)
            live = LiveSession(
                await asyncio.to_thread(rebuild),
                rebuild=rebuild,
                limits=self._limits,
                ice_servers=self._ice_servers,
            )
            broadcast = Broadcast(
                id=secrets.token_urlsafe(12),
                token=None if open_to_all else token or secrets.token_urlsafe(32),
                wish=wish,
                live=live,
                brief=brief,
                created_at=time.time(),
            )
            self._group.create_task(self._run(broadcast))
            await live.started()
            self._broadcasts[broadcast.id] = broadcast
        finally:
            self._making -= 1
        return broadcast

    def get(self, broadcast_id: str) -> Broadcast:
        """Return a broadcast.

        Raises:
            NoSuchBroadcastError: There is none of that name.
        """
        broadcast = self._broadcasts.get(broadcast_id)
        if broadcast is None:
            raise NoSuchBroadcastError("there is no such broadcast; it may have ended")
        return broadcast

    async def change(self, broadcast: Broadcast, changes: Mapping[str, Any]) -> None:
        """Change fields of `broadcast.wish`, on air. If that fails it stays what it was.

        Raises:
            PersonaError: There is no such persona.
            PolicyError: The wish contradicts itself.
            ModelError: A model cannot be had.
        """
        async with broadcast.changing:
            wish = replace(broadcast.wish, **changes)
            if replace(wish, title=broadcast.wish.title) != broadcast.wish:
                rebuild = self._builder(wish)
                await broadcast.live.use(await asyncio.to_thread(rebuild), rebuild=rebuild)
            broadcast.wish = wish

    def end(self, broadcast: Broadcast) -> None:
        """End a broadcast: nobody finds it any more, and its peers are closed."""
        self._broadcasts.pop(broadcast.id, None)
        broadcast.live.end()

    def _builder(self, wish: BroadcastWish) -> Callable[[], Pipeline]:
        persona = wish.persona
        reference = (
            self._references.get(persona) if persona is not None and persona.startswith(REFERENCE_PREFIX) else None
        )
        policy = LivePolicy(treatment=wish.treatment, persona=reference or persona, others=wish.others)
        return lambda: self._eyes().build(policy)

    async def _run(self, broadcast: Broadcast) -> None:
        with structlog.contextvars.bound_contextvars(broadcast=broadcast.id):
            log.info("broadcast_made", treatment=broadcast.wish.treatment)
            try:
                await broadcast.live.run()
            except Exception:
                log.exception("broadcast_failed")  # this one only; the group carries all the others
            finally:
                self._broadcasts.pop(broadcast.id, None)
                log.info("broadcast_ended")

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(_SWEEP_S)
            for broadcast in self:
                limit = self._limits.viewer_grace_s if broadcast.brief else self._idle_timeout_s
                if broadcast.live.idle_s > limit:
                    self.end(broadcast)
