"""The inference port: what an executor of networks gives, whatever library, device or machine it runs them on."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

from numpy.typing import NDArray

from mien.inference.card import Axis

Tensors: TypeAlias = dict[str, NDArray[Any]]
"""Arrays by the names that the card gives them."""


@dataclass(frozen=True, slots=True)
class Edge:
    """A named tensor at the edge of a network.

    Attributes:
        shape: A letter where the caller chooses the length.
        dtype: By NumPy's name.
    """

    shape: tuple[Axis | str | None, ...]
    dtype: str


class InferenceSession(Protocol):
    """A network that an executor has loaded.

    `run` may be called from several threads. An executor may join runs that come at the same time into one batch, as
    long as each caller gets its own rows: axis N of every tensor is for that.
    """

    @property
    def inputs(self) -> Mapping[str, Edge]:
        """What the network takes."""
        ...

    @property
    def outputs(self) -> Mapping[str, Edge]:
        """What the network gives."""
        ...

    def run(self, inputs: Tensors, /) -> Tensors:
        """Return all outputs for these inputs. Both were checked against the card, so nothing is copied or checked."""
        ...
