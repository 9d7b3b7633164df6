"""The declaration that the owner of a face agreed: its words, and who is asked for it."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Final, Literal, TypeAlias

from mien.app.face_photos import Reference
from mien.app.repositories import ConsentLedger, Declaration
from mien.errors import ConsentError

Language: TypeAlias = Literal["en", "ko"]

STATEMENTS: Final[Mapping[Language, str]] = {
    "en": "The person shown agreed that their face is used here.",
    "ko": "사진 속 사람이 여기에 자기 얼굴을 쓰는 데 동의했어요.",
}
"""What is declared, in the words that are shown and recorded."""
BILINGUAL_STATEMENT: Final = "\n".join(STATEMENTS.values())


def declare(references: Sequence[Reference], *, declared_by: str, ledger: ConsentLedger) -> None:
    """Record that the owners of the faces in `references` agreed, shown in both languages.

    Without references nothing is recorded.

    Raises:
        ConsentError: Nobody declares it.
        OutputError: It could not be recorded; then the photos must not be used.
    """
    if not references:
        return
    name = declared_by.strip()
    if not name or not name.isprintable():
        raise ConsentError("a declaration needs the name of who makes it")
    at = datetime.now(UTC)
    ledger.record([Declaration(r.photo.sha256, r.use, name, BILINGUAL_STATEMENT, at) for r in references])
