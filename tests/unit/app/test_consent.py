"""Nobody's face is used without a declaration on record."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from mien.app.consent import BILINGUAL_STATEMENT, declare
from mien.app.face_photos import FacePhoto, Reference
from mien.app.repositories import Declaration
from mien.errors import ConsentError, OutputError
from support.photos import as_png

PHOTO = FacePhoto.from_bytes(as_png(np.zeros((8, 8, 3), np.uint8)), name="me.png")


class Book:
    """Keeps declarations in memory."""

    def __init__(self) -> None:
        self.kept: list[Declaration] = []

    def record(self, declarations: Sequence[Declaration]) -> None:
        self.kept += declarations


def test_each_use_of_a_photo_is_declared_by_name_with_the_words_shown():
    book = Book()
    declare([Reference(PHOTO, "swap"), Reference(PHOTO, "show")], declared_by=" Kim ", ledger=book)
    assert [(d.photo_sha256, d.use, d.declared_by, d.statement) for d in book.kept] == [
        (PHOTO.sha256, "swap", "Kim", BILINGUAL_STATEMENT),
        (PHOTO.sha256, "show", "Kim", BILINGUAL_STATEMENT),
    ]
    assert all(datetime.now(UTC) - d.at < timedelta(seconds=10) for d in book.kept)


@pytest.mark.parametrize("name", ["", "   ", "a\nb", "\x1b[31m"])
def test_a_declaration_needs_a_plain_name(name):
    book = Book()
    with pytest.raises(ConsentError, match="name"):
        declare([Reference(PHOTO, "swap")], declared_by=name, ledger=book)
    assert book.kept == []


def test_without_photos_nothing_is_recorded():
    book = Book()
    declare([], declared_by="", ledger=book)
    assert book.kept == []


def test_a_ledger_that_fails_is_not_passed_over():
    class Full(Book):
        def record(self, declarations: Sequence[Declaration]) -> None:
            raise OutputError(f"{len(declarations)} not written")

    with pytest.raises(OutputError, match="1 not written"):
        declare([Reference(PHOTO, "swap")], declared_by="Kim", ledger=Full())
