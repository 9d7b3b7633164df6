"""A network that keeps its card's promises, whoever executes it."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from mien.errors import ContractError, ShapeError
from mien.inference.card import Axis, Card, InputContract, TensorContract
from mien.inference.executor import DEFAULT_PROVIDERS, OrtSession
from mien.inference.ports import Edge, InferenceSession, Tensors


class Network:
    """A loaded network: named arrays in, named arrays out, checked by its card.

    A network that takes one picture may be called with its batch (see `vision.types.Net`); any may be `run`.

    Attributes:
        card: What it is, takes and gives.

    Raises:
        ContractError: The inputs and outputs of the session are not those of the card.
    """

    def __init__(self, card: Card, session: InferenceSession) -> None:
        _check_edges("inputs", card, card.takes, session.inputs)
        _check_edges("outputs", card, card.outputs, session.outputs)
        self.card = card
        self._session = session
        self._takes = [(each.name, each.shape, np.dtype(each.dtype), _stride(each)) for each in card.takes]
        self._only = card.takes[0].name if len(card.takes) == 1 else None

    def __call__(self, batch: NDArray[np.float32], /) -> dict[str, NDArray[np.float32]]:
        """Run a network that takes one tensor.

        Args:
            batch: Tensor with the type, shape and scale that the card's input says.

        Returns:
            The arrays of `card.outputs`, by name.

        Raises:
            ShapeError: The batch has another type or shape, or the network takes several tensors.
        """
        if self._only is None:
            raise ShapeError(f"{self.card.id} takes {[name for name, *_ in self._takes]}, got one batch without a name")
        return self.run({self._only: batch})

    def run(self, inputs: Tensors, /) -> Tensors:
        """Run the network.

        Args:
            inputs: The arrays that the card says, by name.

        Returns:
            The arrays of `card.outputs`, by name.

        Raises:
            ShapeError: An array is missing or too many, or has another type or shape.
        """
        if len(inputs) != len(self._takes):
            raise ShapeError(f"{self.card.id} takes {[name for name, *_ in self._takes]}, got {list(inputs)}")
        for name, shape, dtype, stride in self._takes:
            array = inputs.get(name)
            if array is None:
                raise ShapeError(f"{self.card.id} takes {name}, got {list(inputs)}")
            if array.dtype != dtype or not _fits(array.shape, shape, stride=stride):
                raise ShapeError(f"{self.card.id} takes {_spell(shape)} {dtype}, got {array.shape} {array.dtype}")
        return self._session.run(inputs)


def load_network(
    network: bytes, card: Card, *, threads: int = 1, providers: Sequence[str] = DEFAULT_PROVIDERS
) -> Network:
    """Load an ONNX file and check it against its card.

    Args:
        network: The ONNX file.
        card: The promise.
        threads: For one run.
        providers: Where to run it.

    Raises:
        ProviderError: A provider is unknown or cannot be used here.
        ContractError: It cannot be loaded, or its inputs and outputs are not those of the card.
    """
    return Network(card, OrtSession(network, name=card.id, threads=threads, providers=providers))


def rehearse(net: Network) -> None:
    """Run `net` on nothing but zeros, to see that it gives what its card says.

    Raises:
        ContractError: An output has another shape or type, or is not finite.
    """
    card = net.card
    side = 2 * (card.input.stride if card.input is not None else 1)
    inputs = {each.name: np.zeros([_length(axis, side) for axis in each.shape], each.dtype) for each in card.takes}
    try:
        outputs = net.run(inputs)
    except Exception as error:  # whatever an executor raises
        raise ContractError(f"{card.id}: the network does not run: {error}") from error
    for promised in card.outputs:
        array = outputs[promised.name]
        if array.dtype != np.dtype(promised.dtype) or not _fits(array.shape, promised.shape):
            raise ContractError(
                f"{card.id}: {promised.name} should be {_spell(promised.shape)} {promised.dtype}, "
                f"got {array.shape} {array.dtype}"
            )
        if not np.isfinite(array).all():
            raise ContractError(f"{card.id}: {promised.name} is not finite for a grey picture")


def _check_edges(
    edge: str, card: Card, promised: Sequence[InputContract | TensorContract], found: Mapping[str, Edge]
) -> None:
    wanted = {each.name: Edge(each.shape, each.dtype) for each in promised}
    if dict(found) != wanted:
        raise ContractError(f"{card.id}: the card promises the {edge} {wanted}, the network has {dict(found)}")


def _stride(taken: InputContract | TensorContract) -> int:
    return taken.stride if isinstance(taken, InputContract) else 1


def _fits(shape: tuple[int, ...], wanted: tuple[Axis, ...], *, stride: int = 1) -> bool:
    """Say whether `shape` has the fixed lengths of `wanted`, and picture sides in steps of `stride`."""
    return len(shape) == len(wanted) and all(
        length == axis if isinstance(axis, int) else length > 0 and (axis == "N" or length % stride == 0)
        for length, axis in zip(shape, wanted, strict=True)
    )


def _length(axis: Axis, side: int) -> int:
    if isinstance(axis, int):
        return axis
    return 1 if axis == "N" else side


def _spell(shape: tuple[Axis, ...]) -> str:
    return f"({', '.join(map(str, shape))})"
