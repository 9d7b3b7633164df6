"""What a broadcast's owner is told of the faces in it, as JSON. Nobody else is told any of it."""

from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from mien.app.broadcasts.broadcast import Broadcast
from mien.app.people.states import PersonState, report_of
from mien.app.states import BroadcastState, LiveReport, PrimaryChoice
from mien.vision.types import Doubt

_REASONS = (
    "`unsure`: being recognised; `unlike`: not enough like the photos; `ambiguous`: like two people; `too_small`; "
    "`turned`; `dark`; `blurred`; `covered`, or cut by the frame's edge; `crossing` another face; `moving`, or frames "
    "are missing; `lost`: not in this frame; `overload`: no time to look as often as needed; `stranger`: surely nobody "
    "who is registered."
)


class PersonOut(BaseModel):
    """What viewers see of a registered person."""

    id: str = Field(description="As in the policy.")
    name: str = Field(description="What the owner calls them.")
    state: PersonState = Field(
        description="`shown`; `swapped`: they wear the persona of their rule; `hidden`: a face in the picture is, or "
        "seems to be, theirs; `not_seen`."
    )
    reason: Doubt | None = Field(
        description="Why they are not shown or swapped. Of somebody who is not seen: a face is there that cannot be "
        "told, for this reason. " + _REASONS
    )
    face: int | None = Field(description="Id of the face meant.")


class FaceOut(BaseModel):
    """A face of the frame that viewers see."""

    id: int = Field(description="Stable while the face is followed.")
    box: tuple[float, float, float, float] = Field(
        description="Left, top, right and bottom as shares of the frame's width and height, 0 to 1, as viewers see it."
    )
    treatment: str = Field(description="What it got: `show`, `mosaic` or `swap`.")
    is_primary: bool = Field(description="Whether it is the primary person.")
    person: str | None = Field(description="The person it is known as, or seems to be where there is a `reason`.")
    reason: Doubt | None = Field(description="Why it is not known, where anybody is registered. " + _REASONS)


class PrimaryOut(BaseModel):
    """Who the primary person is."""

    face: int | None = Field(description="Their face in the picture.")
    asked: int | None = Field(description="The face that the owner chose and that is not taken yet.")


_Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]


class PrimaryIn(BaseModel):
    """Which face shall be the primary person's: a point in it, or its id."""

    model_config = ConfigDict(extra="forbid")

    x: _Share | None = Field(default=None, description="Share of the frame's width, as viewers see it.")
    y: _Share | None = Field(default=None, description="Share of its height.")
    face: int | None = Field(default=None, ge=0, le=2**53, description="Id of a face of the owner's view.")

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        if (self.x is None) != (self.y is None) or (self.x is None) == (self.face is None):
            raise ValueError("give either x and y, or face")
        return self

    @property
    def choice(self) -> PrimaryChoice:
        """The same for the session."""
        return PrimaryChoice(self.face, None if self.x is None or self.y is None else (self.x, self.y))


class PrimaryChosenOut(BaseModel):
    """The face that was chosen."""

    face: int = Field(description="Its id.")


class OwnerViewOut(BaseModel):
    """The faces of the frame that viewers see, and what became of whom, for the broadcast's owner."""

    people: list[PersonOut] = Field(description="The registered people of the policy, in its order.")
    faces: list[FaceOut] = Field(description="The largest first; none while the slate is up.")
    primary: PrimaryOut | None = Field(description="Null where the policy has no rule for `primary`.")

    @classmethod
    def of(cls, broadcast: Broadcast, report: LiveReport, *, with_ids: bool) -> Self:
        """Tell of a broadcast.

        Args:
            broadcast: It.
            report: What its session says.
            with_ids: People have the ids by which they can be named; otherwise they go by their place in the policy.
        """
        policy, stats = broadcast.spec.policy, report.stats
        seen = stats.seen if report.state is BroadcastState.LIVE else ()
        known = broadcast.hold.people(policy.people)
        shown_ids = [person.id for person in known] if with_ids else list(policy.withheld().people)
        ids = {str(person.number): shown for person, shown in zip(known, shown_ids, strict=True)}
        people = []
        for person in known:
            number = str(person.number)
            told = report_of(number, policy.people[person.id], seen)
            people.append(
                PersonOut(id=ids[number], name=person.name, state=told.state, reason=told.reason, face=told.face_id)
            )
        faces = [
            FaceOut(
                id=face.id,
                box=face.box,
                treatment=face.treatment,
                is_primary=face.is_primary,
                person=ids.get(face.person),
                reason=Doubt(face.doubt) if face.doubt and known else None,
            )
            for face in seen
        ]
        wearer = next((face.id for face in seen if face.is_primary), None)
        primary = None if policy.primary is None else PrimaryOut(face=wearer, asked=stats.asked_primary or None)
        return cls(people=people, faces=faces, primary=primary)
