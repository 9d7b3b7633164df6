"""Open the networks of a store, each once."""

from collections.abc import Sequence

from mien.inference.executor import DEFAULT_PROVIDERS
from mien.inference.network import Network, load_network
from mien.registry.store import Store


class Runtime:
    """Networks, loaded on first use and kept.

    Args:
        store: Where they lie.
        threads: For one run of one network.
        providers: Where networks run; see `inference.executor`.
    """

    def __init__(self, store: Store, *, threads: int = 1, providers: Sequence[str] = DEFAULT_PROVIDERS) -> None:
        self.store = store
        self._threads = threads
        self._providers = tuple(providers)
        self._nets: dict[str, Network] = {}

    def open(self, card_id: str) -> Network:
        """Return a card's network, read and checked.

        Raises:
            UnknownCardError: There is no such card.
            FetchError: The network is not on this machine; the message names the command that gets it.
            DigestError: Its file is damaged.
            ProviderError: An execution provider cannot be used here.
            ContractError: It does not have the inputs and outputs its card promises.
        """
        if card_id not in self._nets:
            self._nets[card_id] = load_network(
                self.store.read(card_id), self.store.card(card_id), threads=self._threads, providers=self._providers
            )
        return self._nets[card_id]
