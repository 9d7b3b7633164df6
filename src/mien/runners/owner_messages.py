"""What a broadcast's owner has a worker do beside its policy, besides `messages`: a closed set as well."""

from dataclasses import dataclass
from typing import ClassVar

from mien.app.states import PrimaryChoice
from mien.runners.checks import check_choice, check_face_id
from mien.runners.messages import Message


@dataclass(frozen=True, slots=True)
class ChoosePrimary(Message):
    """Bind the primary person to a face; answered by `PrimaryChosen`."""

    kind: ClassVar = "choose_primary"
    choice: PrimaryChoice

    def __post_init__(self) -> None:
        check_choice(self.choice)


@dataclass(frozen=True, slots=True)
class PrimaryChosen(Message):
    """The face that was chosen."""

    kind: ClassVar = "primary_chosen"
    face: int

    def __post_init__(self) -> None:
        check_face_id(self.face)
