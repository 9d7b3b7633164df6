"""Finished recordings in a folder, one file each."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

from mien.app.repositories import FinishedRecording
from mien.errors import NoSuchRecordingError

_TYPES: Final = {".mp4": "video/mp4", ".webm": "video/webm"}
"""Media types by suffix; a recording that goes on has another one, see `media/recording`."""


class RecordingFolder:
    """Finds the finished recordings of a folder (the port `RecordingRepository`).

    Args:
        folder: Where they are; None, or one that is not there, holds none.
    """

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder

    def newest_first(self) -> list[FinishedRecording]:
        """Return all of them. Names begin with the time, so their order is that of time."""
        return sorted(self._found(), key=lambda recording: recording.name, reverse=True)

    def get(self, name: str) -> FinishedRecording:
        """Return one.

        Raises:
            NoSuchRecordingError: There is none of that name.
        """
        # Looked up, never joined: a name cannot lead elsewhere.
        for recording in self._found():
            if recording.name == name:
                return recording
        raise NoSuchRecordingError("there is no such recording")

    def delete(self, name: str) -> None:
        """Delete one for good.

        Raises:
            NoSuchRecordingError: There is none of that name.
        """
        self.get(name).path.unlink(missing_ok=True)

    def _found(self) -> Iterator[FinishedRecording]:
        if self._folder is None or not self._folder.is_dir():
            return
        for file in self._folder.iterdir():
            with suppress(FileNotFoundError):  # deleted meanwhile
                if file.suffix in _TYPES and file.is_file():
                    yield FinishedRecording(file.name, file.stat().st_size, _TYPES[file.suffix], file)
