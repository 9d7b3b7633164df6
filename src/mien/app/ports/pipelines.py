"""The ports to vision: pipelines, personas, and what makes both."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Literal, Protocol, runtime_checkable

from mien.app.policy.document import PolicyDocument
from mien.errors import PhotoFinding
from mien.vision.types import Image, TreatedFrame


class Pipeline(Protocol):
    """What a live session or a file job asks of vision. `vision.pipeline.FacePipeline` is the real one.

    One pipeline serves one stream of frames, from one thread at a time, in the order of capture.
    """

    def __call__(self, image: Image, *, at: float) -> TreatedFrame | None:
        """Take the frame captured at `at` seconds; return the frame to send, or None while the delay fills."""
        ...

    def flush(self) -> Iterator[TreatedFrame]:
        """Return the frames that the delay line still holds, oldest first."""
        ...


@runtime_checkable
class WorksAhead(Protocol):
    """A pipeline that can use the time until the next frame comes."""

    def work_ahead(self) -> None:
        """Do now what the next call would have to do."""
        ...


@runtime_checkable
class SavesTime(Protocol):
    """A pipeline that can do without what is pleasant but not needed to hide anybody."""

    def save_time(self, *, on: bool) -> None:
        """Recognise people more rarely, or as often as usual. Faces are looked for as before."""
        ...


@runtime_checkable
class ChoosesPrimary(Protocol):
    """A pipeline that can be told who the primary person is. Both may be asked from any thread."""

    @property
    def asked_primary(self) -> int | None:
        """The face track that is to be the primary person and is not yet; None where there is none."""
        ...

    def choose_primary(self, face_track_id: int) -> bool:
        """Choose a face from the next frame on; return False where nobody is to be chosen."""
        ...


@runtime_checkable
class Withholds(Protocol):
    """A pipeline that can hide people at once, while one of another policy is made."""

    def withhold(self, people: Collection[str]) -> None:
        """Hide these of the policy's people from the next frame on, and nobody else; may be called from any thread."""
        ...


@runtime_checkable
class TakesOver(Protocol):
    """A pipeline that knows something which outlives a change of the policy."""

    def take_over(self, previous: object, *, in_scene: bool) -> None:
        """Learn it from the pipeline that treated the stream so far. Frames leave by this one's own policy.

        Args:
            previous: That pipeline.
            in_scene: It treats nothing any more, so this one goes on in the middle of its scene, with the frames that
                wait; False where it hangs, and may still change what it holds.
        """
        ...


class ReferenceFace(Protocol):
    """Photos of one face that were read and found usable, as a persona or to know somebody by.

    What it holds is the factory's own business.
    """

    @property
    def findings(self) -> tuple[tuple[PhotoFinding, ...], ...]:
        """What could be better about each photo that was handed in, in their order."""
        ...


@dataclass(frozen=True, slots=True)
class PersonaCard:
    """A face that can be swapped in, as a page shows it.

    Attributes:
        id: "mask:volto", or "reference:" and an id.
        kind: "mask" for a built-in mask, "reference" for a photo.
        title_en: English name.
        title_ko: Korean name.
    """

    id: str
    kind: Literal["mask", "reference"]
    title_en: str
    title_ko: str


MAX_LIVE_DELAY_FRAMES: Final = 6
"""A fifth of a second: more is no longer live."""


@dataclass(frozen=True, slots=True)
class StreamSpec:
    """How the frames of one live stream are treated.

    Attributes:
        policy: Who gets which treatment.
        personas: The references that the policy names, by id, as `read_reference` accepted them.
        people: The people that the policy names, by id, as `read_person` accepted them.
        delay_frames: For so many frames a frame waits, so that a face found late is hidden from its first frame;
            None lets the factory choose what the policy needs.
    """

    policy: PolicyDocument = field(default_factory=PolicyDocument)
    personas: Mapping[str, ReferenceFace] = field(default_factory=dict)
    delay_frames: int | None = None
    people: Mapping[str, ReferenceFace] = field(default_factory=dict)

    def without_swaps(self) -> "StreamSpec":
        """Return it with a mosaic where there was a persona."""
        return replace(self, policy=self.policy.without_swaps(), personas={})


class PipelineFactory(Protocol):
    """Makes pipelines and personas for live sessions.

    Every method may take long and is called off the event loop, from any thread.
    """

    def personas(self) -> Sequence[PersonaCard]:
        """Return the built-in personas."""
        ...

    def persona_preview(self, persona_id: str) -> bytes:
        """Return a JPEG that shows a built-in persona.

        Raises:
            PersonaError: There is no such persona.
        """
        ...

    def read_reference(self, photos: Sequence[bytes]) -> ReferenceFace:
        """Read photo files of one face as a persona. Their number and sizes were checked; nothing else was.

        Raises:
            MediaError: A file is not a photo that can be used.
            FacePhotoError: A photo cannot serve as a face; it carries what was found in every photo.
            DifferentPeopleError: They do not show one person; it carries the same.
        """
        ...

    def read_person(self, photos: Sequence[bytes]) -> ReferenceFace:
        """Read photo files of somebody who is to be known. Their number and sizes were checked; nothing else was.

        Raises:
            MediaError: A file is not a photo that can be used.
            FacePhotoError: A photo does not show a face well enough; it carries what was found in every photo.
            DifferentPeopleError: They do not show one person; it carries the same.
        """
        ...

    def build(self, spec: StreamSpec) -> Pipeline:
        """Return a new pipeline, for one live session alone.

        Raises:
            PersonaError: There is no such persona.
            PolicyError: The policy cannot be followed.
            ModelError: A model cannot be had.
        """
        ...


@runtime_checkable
class Rehearses(Protocol):
    """A factory that can prepare what not every stream needs, part by part, while nobody waits for it."""

    def rehearse(self) -> bool:
        """Prepare one more part; return whether there was one. What was not prepared, `build` does.

        Raises:
            ModelError: A model cannot be had.
        """
        ...
