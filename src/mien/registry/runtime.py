"""Open the networks of a store, each once."""

from mien.inference.network import OnnxNet, load_network
from mien.registry.store import Store


class Runtime:
    """Networks, loaded on first use and kept.

    Args:
        store: Where they lie.
        threads: For one run of one network.
    """

    def __init__(self, store: Store, *, threads: int = 1) -> None:
        self.store = store
        self._threads = threads
        self._nets: dict[str, OnnxNet] = {}

    def open(self, card_id: str) -> OnnxNet:
        """Return a card's network, read and checked.

        Raises:
            UnknownCardError: There is no such card.
            FetchError: The network is not on this machine; the message names the command that gets it.
            DigestError: Its file is damaged.
            ContractError: It does not have the inputs and outputs its card promises.
        """
        if card_id not in self._nets:
            self._nets[card_id] = load_network(
                self.store.read(card_id), self.store.card(card_id), threads=self._threads
            )
        return self._nets[card_id]
