"""Result files that appear whole or not at all."""

import errno
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType

from mien.errors import OutputError


def check_target(target: Path, *, source: Path, overwrite: bool) -> None:
    """Refuse early what `new_file` would refuse after all the work.

    Raises:
        OutputError: The target is the source itself, exists, is no plain file, or has no folder to lie in.
    """
    try:
        _check_target(target, source=source, overwrite=overwrite)
    except OSError as error:
        raise OutputError(f"cannot write {target}: {explain(error)}") from error


def _check_target(target: Path, *, source: Path, overwrite: bool) -> None:
    if target.is_dir():
        raise OutputError(f"{target} is a folder; name a file")
    if not target.parent.is_dir():
        raise OutputError(f"there is no folder {target.parent} to write {target.name} into")
    if not os.access(target.parent, os.W_OK):
        read_only = os.statvfs(target.parent).f_flag & os.ST_RDONLY
        raise OutputError(f"cannot write {target}: {_REASONS[errno.EROFS if read_only else errno.EACCES]}")
    if not target.exists():
        return
    if source.exists() and target.samefile(source):
        raise OutputError(f"{target} is the input itself; the result needs a file of its own")
    if not target.is_file():
        raise OutputError(f"{target} is not a plain file")
    if not overwrite:
        raise OutputError(f"{target} exists already; it is replaced only with --force")


_REASONS = MappingProxyType(
    {
        errno.ENOSPC: "the disk is full",
        errno.EDQUOT: "the disk is full",
        errno.EFBIG: "the file grew larger than files may be here",
        errno.EROFS: "the file system is read-only",
        errno.EACCES: "the folder may not be written to",
        errno.EPERM: "the folder may not be written to",
        errno.ENAMETOOLONG: "its name is too long",
        errno.EINVAL: "what was to be written does not fit into this kind of file",
    }
)


@contextmanager
def new_file(target: Path, *, overwrite: bool) -> Iterator[Path]:
    """Lend a path beside `target`; what was written there becomes `target` when the block ends well.

    On any error, an interrupt included, nothing is left behind and an older file stays as it was.

    Args:
        target: Where the finished file shall lie.
        overwrite: Replace an older file there.

    Raises:
        OutputError: The folder cannot be written to, is full, or `target` came to exist meanwhile.
    """
    name = target.name.encode()[:200].decode(errors="ignore")  # file systems count bytes, at most 255
    part = target.with_name(f".{name}.{secrets.token_hex(4)}.part")
    try:
        part.touch(exist_ok=False)
        yield part
        _sync(part)
        if overwrite:
            part.replace(target)
        else:
            _rename_to_new(part, target)
        _sync(target.parent)
    except OSError as error:
        raise OutputError(f"cannot write {target}: {explain(error)}") from error
    finally:
        part.unlink(missing_ok=True)


def explain(error: Exception) -> str:
    """Say in plain words why a file cannot be written: no error numbers, and no names but the target's own."""
    number = getattr(error, "errno", None)
    return _REASONS.get(number or 0) or getattr(error, "strerror", None) or str(error)


def _rename_to_new(part: Path, target: Path) -> None:
    """Rename, but never over a file that somebody made in the meantime."""
    try:
        os.link(part, target)
    except FileExistsError:
        raise OutputError(f"{target} came to exist meanwhile; it is replaced only with --force") from None
    except OSError:
        # Some file systems (FAT, some network shares) know no hard links.
        if target.exists():
            raise OutputError(f"{target} came to exist meanwhile; it is replaced only with --force") from None
        part.rename(target)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
