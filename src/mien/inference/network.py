"""An ONNX network that keeps its card's promises."""

import numpy as np
from numpy.typing import NDArray

from mien.errors import ContractError, ShapeError
from mien.inference.card import Axis, Card
from mien.inference.ort import ort

_ERRORS_ONLY = 3  # onnxruntime's severity scale: its warnings speak of old exporters, not of us


class OnnxNet:
    """A loaded network: one float32 batch in, named float32 arrays out. See `vision.faces.Net`.

    Attributes:
        card: What it is, takes and gives.
    """

    def __init__(self, card: Card, session: ort.InferenceSession) -> None:
        self.card = card
        self._session = session
        self._outputs = [promised.name for promised in card.outputs]

    def __call__(self, batch: NDArray[np.float32], /) -> dict[str, NDArray[np.float32]]:
        """Run the network.

        Args:
            batch: float32, shaped and scaled as `card.input` says.

        Returns:
            The arrays of `card.outputs`, by name.

        Raises:
            ShapeError: The batch has another type or shape.
        """
        wanted = self.card.input.shape
        if batch.dtype != np.float32 or not _fits(batch.shape, wanted, stride=self.card.input.stride):
            raise ShapeError(f"{self.card.id} takes {_spell(wanted)} float32, got {batch.shape} {batch.dtype}")
        arrays = self._session.run(self._outputs, {self.card.input.name: batch})
        return dict(zip(self._outputs, arrays, strict=True))


def load_network(network: bytes, card: Card, *, threads: int = 1) -> OnnxNet:
    """Load an ONNX file and check it against its card.

    Args:
        network: The ONNX file.
        card: The promise.
        threads: For one run. These networks are small: a second thread never helped.

    Raises:
        ContractError: It cannot be loaded, or its inputs and outputs are not those of the card.
    """
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
    options.log_severity_level = _ERRORS_ONLY
    # A spinning pool burns a core between frames for a few microseconds' gain.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        session = ort.InferenceSession(network, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime raises a dozen classes that share no base
        raise ContractError(f"{card.id}: onnxruntime cannot load the network: {error}") from error
    _check_edges("inputs", card, {card.input.name: card.input.shape}, session.get_inputs())
    _check_edges("outputs", card, {o.name: o.shape for o in card.outputs}, session.get_outputs())
    return OnnxNet(card, session)


def rehearse(net: OnnxNet) -> None:
    """Run a grey picture through `net`, to see that it gives what its card says.

    Raises:
        ContractError: An output has another shape or type, or is not finite.
    """
    side = 2 * net.card.input.stride
    batch = np.zeros([_length(axis, side) for axis in net.card.input.shape], np.float32)
    try:
        outputs = net(batch)
    except Exception as error:  # as in load_network
        raise ContractError(f"{net.card.id}: the network does not run: {error}") from error
    for promised in net.card.outputs:
        array = outputs[promised.name]
        if array.dtype != np.float32 or not _fits(array.shape, promised.shape):
            raise ContractError(
                f"{net.card.id}: {promised.name} should be {_spell(promised.shape)} float32, "
                f"got {array.shape} {array.dtype}"
            )
        if not np.isfinite(array).all():
            raise ContractError(f"{net.card.id}: {promised.name} is not finite for a grey picture")


def _check_edges(edge: str, card: Card, promised: dict[str, tuple[Axis, ...]], given: list[ort.NodeArg]) -> None:
    found = {arg.name: (tuple(arg.shape), arg.type) for arg in given}
    wanted = {name: (shape, "tensor(float)") for name, shape in promised.items()}
    if found != wanted:
        raise ContractError(f"{card.id}: the card promises the {edge} {wanted}, the network has {found}")


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
