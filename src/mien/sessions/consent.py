"""The declaration that the owner of a face agreed: its words, and who is asked for it."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

from mien.errors import ConsentError
from mien.sessions.ports import ConsentLedger, Declaration
from mien.sessions.wishes import Reference

STATEMENT: Final = "The person in this photo agreed that their face is used here."
STATEMENT_KO: Final = "이 사진 속 사람은 자신의 얼굴이 여기에 쓰이는 데 동의했습니다."


def declare(references: Sequence[Reference], *, declared_by: str, ledger: ConsentLedger) -> None:
    """Record that the owners of the faces in `references` agreed. Without references nothing is recorded.

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
    ledger.record([Declaration(r.photo.sha256, r.use, name, STATEMENT, at) for r in references])
