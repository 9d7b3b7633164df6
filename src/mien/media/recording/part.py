"""The file that a recording grows in: `*.part`, whole fragment after whole fragment, locked while its writer lives."""

import fcntl
import io
import os
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

PART: Final = ".part"


def part_of(path: Path) -> Path:
    """Return what a file is called while it grows."""
    return path.with_name(path.name + PART)


def _private(path: str, flags: int) -> int:
    """Open a file that nobody but its owner can read."""
    return os.open(path, flags, 0o600)


class PartFile(io.RawIOBase):
    """A file that grows by whole fragments, locked as long as its writer lives.

    Muxers write a fragment within one call. What came since the last `commit` can be taken back.

    Args:
        path: Its name while it grows; nothing must lie there.

    Attributes:
        whole: Bytes up to the last commit.

    Raises:
        OSError: It cannot be made: it exists, or there is no folder or no room for it.
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.whole = 0
        self._path = path
        self._raw = io.FileIO(path, "x", opener=_private)
        self._deaf = False
        fcntl.flock(self._raw, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def writable(self) -> bool:
        """Tell that it is there to be written."""
        return True

    def seekable(self) -> bool:
        """Tell that a muxer may go back to what it wrote."""
        return True

    def write(self, data: Any) -> int:
        """Write all of `data`, or raise: the muxer takes a short count for success."""
        if not self._deaf:
            rest = memoryview(data)
            while rest:
                rest = rest[self._raw.write(rest) :]
        return len(data)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go to a place and return it, in bytes from the beginning."""
        return self._raw.seek(offset, whence)

    def tell(self) -> int:
        """Return the place, in bytes from the beginning."""
        return self._raw.tell()

    def commit(self) -> None:
        """Keep everything that was written up to now."""
        self.whole = os.fstat(self._raw.fileno()).st_size

    def abandon(self) -> None:
        """Take back what came since the last commit and ignore what will come."""
        self._deaf = True
        with suppress(OSError):
            self._raw.truncate(self.whole)

    def publish(self, path: Path) -> bool:
        """Close the file and give it its name; an empty one is removed."""
        if not self.whole:
            self._path.unlink(missing_ok=True)
        else:
            with suppress(OSError):
                os.fsync(self._raw.fileno())
            self._path.rename(path)
        self._raw.close()
        return self.whole > 0
