"""Rooms with a bad line: network namespaces, for which root and `ip`, `tc`, `nft` and `ethtool` are needed."""

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

NETWORK: Final = "198.18.0.0/15"
"""RFC 2544: for benchmarks. Every room takes four addresses of it."""
_TOOLS: Final = ("ip", "tc", "nft", "ethtool")


def rooms_can_be_made() -> bool:
    """Return whether this process may make rooms and has what it takes."""
    return os.geteuid() == 0 and all(map(shutil.which, _TOOLS))


@dataclass(frozen=True, slots=True)
class Room:
    """A network namespace with one line to the machine's own.

    Attributes:
        name: The namespace's name.
        here: The machine's address on the line.
        there: The room's address on it.
    """

    name: str
    here: str
    there: str

    @property
    def enter(self) -> list[str]:
        """What to put before a command that shall run in the room."""
        return ["ip", "netns", "exec", self.name]

    def program(self, path: str, folder: Path) -> Path:
        """Write a program into `folder` that is the one at `path`, run in the room."""
        script = folder / f"{Path(path).name}-in-{self.name}"
        script.write_text(f'#!/bin/sh\nexec {" ".join(self.enter)} {path} "$@"\n')
        script.chmod(0o755)
        return script

    def lose(self, percent: float) -> None:
        """Lose so many of all UDP packets from now on, on either way and at random."""
        parts = round(percent * 10)
        rules = "table inet loss\ndelete table inet loss\n"
        if parts:
            drop = "meta l4proto udp " + ("drop" if parts >= 1000 else f"numgen random mod 1000 < {parts} drop")
            rules += "table inet loss {\n"
            for hook in ("input", "output"):
                rules += f" chain {hook} {{ type filter hook {hook} priority 0; {drop}; }}\n"
            rules += "}\n"
        _run(*self.enter, "nft", "-f", "-", feed=rules)

    def narrow(self, kbps: int | None) -> None:
        """Let no more than `kbps` in, behind at most 200 ms of packets, as a router does; None lifts it."""
        _run("tc", "qdisc", "del", "dev", self.name, "root", check=False)
        if kbps is not None:
            words = f"tc qdisc add dev {self.name} root tbf rate {kbps}kbit burst 6000 latency 200ms"
            _run(*words.split())

    def bytes_in(self) -> int:
        """Return how many bytes went into the room so far."""
        return int(Path(f"/sys/class/net/{self.name}/statistics/tx_bytes").read_text())


@contextlib.contextmanager
def room(name: str, number: int) -> Iterator[Room]:
    """Have a room; `number`, below 16384, gives it addresses of its own."""
    base = (198 << 24 | 18 << 16) + 4 * number
    here, there = (".".join(str(base + host >> shift & 255) for shift in (24, 16, 8, 0)) for host in (1, 2))
    made = Room(name, here, there)
    _run("ip", "netns", "delete", name, check=False)
    _run("ip", "netns", "add", name)
    try:
        for words in (
            f"ip link add {name} type veth peer name way-out netns {name}",
            f"ip address add {here}/30 dev {name}",
            f"ip link set {name} up",
            f"ip -n {name} address add {there}/30 dev way-out",
            f"ip -n {name} link set lo up",
            f"ip -n {name} link set way-out up",
            # Many packets cut from one send would otherwise be lost, and counted, as one.
            f"ethtool -K {name} tx-udp-segmentation off",
            f"ip netns exec {name} ethtool -K way-out tx-udp-segmentation off",
        ):
            _run(*words.split())
        yield made
    finally:
        _run("ip", "netns", "delete", name)


def _run(*words: str, check: bool = True, feed: str | None = None) -> None:
    done = subprocess.run(words, check=False, capture_output=True, input=feed, text=True)
    if check and done.returncode:
        raise RuntimeError(f"{' '.join(words)} ended with {done.returncode}: {done.stderr.strip()}")
