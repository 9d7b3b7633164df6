"""The ledger of declarations: one line of JSON each, only ever added to."""

import fcntl
import json
import os
from collections.abc import Sequence
from pathlib import Path

from mien.app.repositories import Declaration
from mien.errors import OutputError


class JsonLinesConsentLedger:
    """Keeps declarations in a file that only its owner can read.

    Lines are added whole or not at all: under a lock, flushed to the disk, and cut off again where that fails.

    Args:
        path: The file; made, with its folder, when the first declaration is recorded.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def record(self, declarations: Sequence[Declaration]) -> None:
        """Keep the declarations, all or none.

        Raises:
            OutputError: They could not be written; then the photos must not be used.
        """
        lines = "".join(_line(declaration) for declaration in declarations).encode()
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            file = os.open(self._path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                os.fchmod(file, 0o600)  # made by hand or by a copy, it may be wider
                fcntl.flock(file, fcntl.LOCK_EX)
                _append(file, lines)
            finally:
                os.close(file)  # and with it the lock
        except OSError as error:
            raise OutputError(
                f"the declaration cannot be recorded in {self._path}: {error.strerror or error}"
            ) from error


def _append(file: int, data: bytes) -> None:
    before = os.fstat(file).st_size
    try:
        written = 0
        while written < len(data):
            written += os.write(file, data[written:])
        os.fsync(file)
    except OSError:
        os.ftruncate(file, before)
        raise


def _line(declaration: Declaration) -> str:
    fields = {
        "at": declaration.at.isoformat(timespec="milliseconds"),
        "use": declaration.use,
        "photo_sha256": declaration.photo_sha256,
        "declared_by": declaration.declared_by,
        "statement": declaration.statement,
    }
    return json.dumps(fields, ensure_ascii=False) + "\n"
