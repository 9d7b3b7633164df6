"""Broadcasts and pushes as JSON: what clients send of them, and what they get."""

from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field

from mien.app.broadcasts.broadcast import MAX_TITLE_LENGTH, Broadcast
from mien.app.policy.document import PolicyDocument, PolicyIn
from mien.app.ports import MAX_LIVE_DELAY_FRAMES
from mien.app.profiles import Help, ProfileName, ProfileReport, Reason
from mien.app.states import BroadcastState, LiveReport, Load
from mien.bearer import BearerToken
from mien.config import Settings
from mien.server.owner_view import OwnerViewOut
from mien.server.paths import OwnPath
from mien.vision.render.mosaic import MosaicShape, MosaicStyle

Title = Annotated[str, Field(max_length=MAX_TITLE_LENGTH)]
DelayFrames = Annotated[
    int | None,
    Field(
        ge=0,
        le=MAX_LIVE_DELAY_FRAMES,
        description="A frame waits for so many later ones, so that a face found late is hidden from its first frame; "
        "null lets the server choose what the treatment needs.",
    ),
]
WantedPolicy = Annotated[
    PolicyIn | None,
    Field(description="Who gets which treatment; null hides everybody. Looks of mosaics left open are the server's."),
]


class BroadcastIn(BaseModel):
    """A broadcast to make."""

    model_config = ConfigDict(extra="forbid")

    title: Title | None = Field(default=None, description="For people.")
    policy: WantedPolicy = None
    delay_frames: DelayFrames = None
    record: bool = Field(default=False, description="Whether what viewers get is recorded, treated as it is.")


class BroadcastPatch(BaseModel):
    """What to change on air: what is left out stays, and null brings back what a new broadcast would have."""

    model_config = ConfigDict(extra="forbid")

    title: Title | None = Field(default=None, description="For people; null is none.")
    policy: WantedPolicy = None
    delay_frames: DelayFrames = None
    record: bool | None = Field(default=None, description="Begin or end the recording; null ends it.")

    def changes(self, settings: Settings) -> dict[str, Any]:
        """Return the fields of a `BroadcastSpec` to change, null replaced by the default of each."""
        defined = {
            "title": (self.title or "").strip(),
            "policy": completed(self.policy, settings),
            "delay_frames": self.delay_frames,
            "record": bool(self.record),
        }
        return {name: value for name, value in defined.items() if name in self.model_fields_set}


class CreatedOut(BaseModel):
    """A broadcast that was made, and its key."""

    id: str = Field(description="Unguessable.")
    token: str = Field(description="Bearer token to publish, change and end it; shown only here.")
    whip_url: OwnPath = Field(description="Where to publish.")
    whep_url: OwnPath = Field(description="Where players watch.")
    watch_url: OwnPath = Field(description="The page to watch on.")
    addresses: list[str] = Field(
        description="Origins under which others can open the pages, such as `http://192.168.1.5:8000`, as far as the "
        "server knows them; none where it listens to its own machine alone."
    )


class RecordingOut(BaseModel):
    """How a recording fares."""

    name: str = Field(description="What the names of its files in `/api/recordings` begin with.")
    dropped: int = Field(description="Frames left out because the disk was slow or full.")
    ended: str | None = Field(description="Why it ended by itself: `size` or `time`.")


class ProfileOut(BaseModel):
    """How much is done for each frame of a broadcast, and what would let more be done."""

    name: ProfileName = Field(
        description="`full`; `lean`: people are recognised more rarely; `hd`, `medium`, `small`: besides, the longer "
        "side has at most 1280, 960, 640 pixels; `slow`, `slower`: besides, at most 15, 10 frames a second; `mosaic`: "
        "besides, no swaps."
    )
    reason: Reason = Field(
        description="Why it is that one: `set` by the operator; `measured`, it fits the machine; `unmeasured`, the "
        "machine is not measured yet; `overload` or `headroom`, by what is measured on air."
    )
    helps: list[Help] = Field(
        description="What would bring a better one, the easiest first: `measure` by `mien doctor`; `unset` "
        "`MIEN_LIVE__PROFILE`; a `mosaic` instead of a swap; `send_smaller` frames; `fewer_broadcasts` at once; "
        "`close_programs` beside the server; `more_cores`, or faster ones."
    )

    @classmethod
    def of(cls, profile: ProfileReport) -> Self:
        """Show a profile."""
        return cls(name=profile.name, reason=profile.reason, helps=list(profile.helps))


class BroadcastOut(BaseModel):
    """A broadcast and its numbers over the last seconds: what `GET` shows, and every event tells."""

    id: str = Field(description="Unguessable.")
    title: str = Field(description="For people.")
    state: BroadcastState = Field(description="What viewers see.")
    restarts: int = Field(description="How often what carries it broke; who connected before must connect anew.")
    policy: PolicyDocument = Field(
        description="Who gets which treatment. A persona of photos is `reference` alone: its id is its owner's, and "
        "shown only where the broadcast's token is shown."
    )
    delay_frames: int | None = Field(description="A frame waits for so many later ones; null where the server chooses.")
    fps_in: float = Field(description="Frames that come in, a second.")
    fps_out: float = Field(description="Treated frames, a second.")
    dropped: int = Field(description="Frames replaced by newer ones before they were treated or sent.")
    vision_ms: float | None = Field(description="Median time of the treatment.")
    server_delay_ms: float | None = Field(description="Median time from a frame's arrival to its being encoded.")
    vision_errors: int = Field(description="Frames whose treatment failed; none of them was sent.")
    faces: dict[str, int] = Field(description="Faces in the last frame, by treatment.")
    viewers: int = Field(description="Connected viewers.")
    size: tuple[int, int] | None = Field(description="Width and height of the last treated frame.")
    load: Load = Field(
        description="Whether the server keeps up: `ok`; `reduced_quality`, it treats smaller frames, or fewer; "
        "`no_swap`, besides every face gets a mosaic; `overloaded`, even so the video stops or comes too rarely."
    )
    profile: ProfileOut = Field(description="How much is done for each frame now, and what would let more be done.")
    codec: str | None = Field(description="Video codec; null before anybody wanted it.")
    layers: dict[str, int] = Field(description="Viewers by the size they get; 0 is the full one.")
    record: bool = Field(description="Whether it shall be recorded.")
    recording: RecordingOut | None = Field(description="How the recording fares.")
    whep_url: OwnPath = Field(description="Where players watch.")
    watch_url: OwnPath = Field(description="The page to watch on.")
    thumbnail_url: OwnPath = Field(description="A small JPEG of what viewers see; 404 when there is nothing.")
    started_at: float = Field(description="When it was made, in seconds since 1970.")
    owner_view: OwnerViewOut | None = Field(
        description="What becomes of each face and each registered person, for the broadcast's owner and the operator; "
        "null for everybody else."
    )

    @classmethod
    def of(
        cls,
        broadcast: Broadcast,
        report: LiveReport | None = None,
        *,
        to_owner: bool = False,
        with_faces: bool = False,
    ) -> Self:
        """Show `broadcast` as its last report says, or as `report` does.

        Args:
            broadcast: It.
            report: What its session says.
            to_owner: With the ids of photos and people.
            with_faces: With what becomes of each face.
        """
        report = report or broadcast.report
        stats = report.stats
        recording = stats.recording
        spec = broadcast.spec
        return cls(
            id=broadcast.id,
            title=spec.title,
            state=report.state,
            restarts=broadcast.restarts,
            policy=spec.policy if to_owner else spec.policy.withheld(),
            delay_frames=spec.delay_frames,
            fps_in=stats.fps_in,
            fps_out=stats.fps_out,
            dropped=stats.counts.dropped,
            vision_ms=stats.vision_ms,
            server_delay_ms=stats.server_delay_ms,
            vision_errors=stats.counts.vision_errors,
            faces=stats.faces,
            viewers=stats.viewers,
            size=stats.size_wh,
            load=stats.load,
            profile=ProfileOut.of(stats.profile),
            codec=stats.codec,
            layers=stats.layers,
            record=spec.record,
            recording=recording and RecordingOut(name=recording.name, dropped=recording.dropped, ended=recording.ended),
            whep_url=f"/whep/{broadcast.id}",
            watch_url=f"/watch/{broadcast.id}",
            thumbnail_url=f"/api/broadcasts/{broadcast.id}/thumbnail.jpg",
            started_at=broadcast.created_at,
            owner_view=OwnerViewOut.of(broadcast, report, with_ids=to_owner) if with_faces else None,
        )


class PushIn(BaseModel):
    """A WHIP server to push a broadcast to."""

    model_config = ConfigDict(extra="forbid")

    url: str = Field(max_length=2048, description="Its WHIP endpoint.")
    token: BearerToken | None = Field(
        default=None, max_length=4096, description="Bearer token for it: visible ASCII characters."
    )


class PushOut(BaseModel):
    """A push and how it fares."""

    id: str = Field(description="The push's id.")
    host: str = Field(description="The host that it goes to.")
    state: str = Field(description="`connecting`, `live`, `retrying`, `refused` or `ended`.")
    packets: int = Field(description="Sent.")
    octets: int = Field(description="Bytes of payload in them.")
    resent: int = Field(description="Retransmissions.")
    trouble: str | None = Field(description="What went wrong last; null while all is well.")


def completed(policy: PolicyDocument | None, settings: Settings) -> PolicyDocument:
    """Return the policy that is asked for, or a mosaic for everyone; looks that it leaves open are the operator's."""
    return (policy or PolicyDocument()).completed(
        MosaicStyle(settings.mosaic.style), MosaicShape(settings.mosaic.shape)
    )
