"""One broadcast: what it is asked to be, and what it is."""

import asyncio
from dataclasses import dataclass, field
from typing import Final

from mien.app.access import Owner
from mien.app.personas.store import Hold
from mien.app.policy.document import PolicyDocument
from mien.app.policy.rules import REFERENCE_PREFIX, is_reference
from mien.app.ports import MAX_LIVE_DELAY_FRAMES, Live, StreamSpec
from mien.app.repositories import PersonaRepository
from mien.app.states import BroadcastState, LiveReport
from mien.errors import InputError, PolicyError

MAX_TITLE_LENGTH: Final = 120
MAX_ABSENCE_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class BroadcastSpec:
    """What somebody asks a broadcast to be.

    Attributes:
        title: For people.
        policy: Who gets which treatment.
        delay_frames: As in `StreamSpec`.
        record: Whether what viewers get is recorded.
    """

    title: str = ""
    policy: PolicyDocument = field(default_factory=PolicyDocument)
    delay_frames: int | None = None
    record: bool = False

    def __post_init__(self) -> None:
        if len(self.title) > MAX_TITLE_LENGTH or not (self.title == "" or self.title.isprintable()):
            raise InputError(f"a title is at most {MAX_TITLE_LENGTH} printable characters")
        if self.delay_frames is not None and not 0 <= self.delay_frames <= MAX_LIVE_DELAY_FRAMES:
            raise PolicyError(f"a delay is 0 to {MAX_LIVE_DELAY_FRAMES} frames, got {self.delay_frames}")


def stream_of(policy: PolicyDocument, references: PersonaRepository, *, delay_frames: int | None) -> StreamSpec:
    """Return what a live session is told, with the reference photos and what people are known by.

    They go by numbers there: who knows a reference's id may wear the face, and what treats strangers' frames need not.
    A person's number stays the same when the policy changes, or their clearance would end with it.

    Raises:
        PersonaError: There is no such photo.
        UnknownPersonError: Somebody is named who is not registered here.
    """
    known = [references.person(person) for person in policy.people]
    faces = {persona: references.get(persona) for persona in policy.personas if is_reference(persona)}
    numbers = {persona: f"{REFERENCE_PREFIX}{number}" for number, persona in enumerate(faces, 1)}
    personas = {numbers[persona]: face for persona, face in faces.items()}
    people = {str(person.number): person.face for person in known}
    told = policy.with_personas(numbers).with_people({person.id: str(person.number) for person in known})
    return StreamSpec(told, personas, delay_frames, people)


@dataclass(eq=False, slots=True)
class Broadcast:
    """One broadcast and the live session that carries it, one after the other if they break.

    Attributes:
        id: Unguessable; who knows it may watch.
        token: Who knows it may publish and change; None where it is not its token that owns it.
        owner: Whose it is.
        spec: What it is now.
        stream: What its live session is told of that.
        live: Carries it.
        ephemeral: It ends with its publisher.
        created_at: Seconds since 1970.
        hold: Keeps the reference photos that it wears.
        pushes: The servers elsewhere that it is pushed to: URL and token, by id.
        restarting: Its session broke and the next one is not there yet.
        restarts: So many of its sessions broke.
        absence_s: Its page has gone and said so: it ends once nobody has published for so long. None while it is there.
        changing: Held while it changes.
    """

    id: str
    token: str | None
    owner: Owner
    spec: BroadcastSpec
    stream: StreamSpec
    live: Live
    ephemeral: bool
    created_at: float
    hold: Hold
    pushes: dict[str, tuple[str, str | None]] = field(default_factory=dict)
    restarting: bool = False
    restarts: int = 0
    absence_s: float | None = None
    changing: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def report(self) -> LiveReport:
        """What viewers see, and the numbers of the last seconds."""
        return LiveReport(BroadcastState.RESTARTING) if self.restarting else self.live.report
