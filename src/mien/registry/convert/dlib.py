"""dlib's serialised face recognition ResNet in, ONNX out.

dlib writes a network layer by layer, from the input on: a name behind its length, integers as a count of bytes and
that many little-endian bytes, tensors as a version, four lengths and plain float32. Only three kinds of layer carry
weights; the rest of the architecture is checked by the order of the names.

Source: dlib's `dnn_face_recognition_ex.cpp` for the architecture, `serialize.h` and `tensor.h` for the bytes.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
import onnx
from numpy.typing import NDArray

from mien.errors import ConversionError
from mien.inference.card import Card
from mien.registry.convert.graph import Graph

_LAYER: Final = re.compile(rb"(con_4|affine_|fc_2|relu_|max_pool_2|avg_pool_2|add_prev_)")
_TENSOR_VERSION: Final = 2
_STEM: Final = ["con_4", "affine_", "relu_", "max_pool_2"]
_HEAD: Final = ["avg_pool_2", "fc_2"]
_KEEP: Final = ["con_4", "affine_", "relu_", "con_4", "affine_", "add_prev_", "relu_"]
_DOWN: Final = ["con_4", "affine_", "relu_", "con_4", "affine_", "avg_pool_2", "add_prev_", "relu_"]
# (filters, blocks, whether the first of them halves the picture), from the input on
_STAGES: Final = ((32, 3, False), (64, 4, True), (128, 3, True), (256, 3, True), (256, 1, True))

Array = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class _Layer:
    kind: str
    weights: Array


class _Reader:
    """Reads dlib's integers and tensors from a place in the bytes."""

    def __init__(self, data: bytes, at: int) -> None:
        self.data, self.at = data, at

    def integer(self) -> int:
        control = self.data[self.at]
        count = control & 0x0F
        if not 1 <= count <= 8:
            raise ConversionError(f"not an integer of dlib's at byte {self.at}")
        value = int.from_bytes(self.data[self.at + 1 : self.at + 1 + count], "little")
        self.at += 1 + count
        return -value if control & 0x80 else value

    def tensor(self) -> Array:
        version = self.integer()
        if version != _TENSOR_VERSION:
            raise ConversionError(
                f"a tensor of version {_TENSOR_VERSION} was expected at byte {self.at}, got {version}"
            )
        shape = [self.integer() for _ in range(4)]
        count = int(np.prod(shape))
        end = self.at + 4 * count
        if min(shape) < 1 or end > len(self.data):
            raise ConversionError(f"a tensor of shape {shape} at byte {self.at} does not fit the file")
        values = np.frombuffer(self.data[self.at : end], "<f4").reshape(shape)
        self.at = end
        return values


def convert_dlib(weights: bytes, card: Card) -> onnx.ModelProto:
    """Draw the network, its affine layers folded into the convolutions before them.

    Raises:
        ConversionError: The bytes are not dlib's face recognition network.
    """
    layers = list(_layers(weights))
    _check(card, layers)
    graph, queue = Graph(), iter(layers)
    x = _convolve(graph, "input", queue, size=7, stride=2)
    x = graph.node("Relu", [x])
    _skip(queue, 2)  # relu, max pool
    x = graph.node("MaxPool", [x], kernel_shape=[3, 3], strides=[2, 2])
    channels, side = 32, (((150 - 7) // 2 + 1) - 3) // 2 + 1
    for filters, blocks, halves in _STAGES:
        for block in range(blocks):
            down = halves and block == 0
            x = _residual(graph, x, queue, down=down, side=side, more_channels=filters - channels)
            channels, side = filters, side // 2 if down else side
    _skip(queue, 1)  # average pool
    x = graph.node("Flatten", [graph.node("GlobalAveragePool", [x])])
    matrix = next(queue).weights[:, :, 0, 0]
    return graph.close(card, [graph.node("MatMul", [x, graph.constant(matrix)])])


def _layers(data: bytes) -> Iterator[_Layer]:
    """Yield the layers in their order; those without weights have an empty array."""
    at = 0
    while match := _LAYER.search(data, at):
        kind = match.group().decode()
        reader = _Reader(data, match.end())
        if kind == "fc_2":
            reader.integer()  # outputs and inputs: the tensor's lengths again
            reader.integer()
        weights = reader.tensor() if kind in {"con_4", "affine_", "fc_2"} else np.empty(0, np.float32)
        yield _Layer(kind, weights)
        at = reader.at


def _check(card: Card, layers: list[_Layer]) -> None:
    """Compare the order of the layers with the architecture."""
    wanted = list(_STEM)
    for _filters, blocks, halves in _STAGES:
        wanted += (_DOWN if halves else _KEEP) + _KEEP * (blocks - 1)
    wanted += _HEAD
    found = [layer.kind for layer in layers]
    if found != wanted:
        raise ConversionError(
            f"{card.id}: {len(wanted)} layers of dlib's ResNet were expected, got {len(found)} others"
        )


def _convolve(graph: Graph, x: str, queue: Iterator[_Layer], *, size: int, stride: int) -> str:
    """Add a convolution and the affine layer behind it as one."""
    packed, affine = next(queue).weights.reshape(-1), next(queue).weights.reshape(2, -1)
    filters = affine.shape[1]
    kernels, bias = packed[:-filters].reshape(filters, -1, size, size), packed[-filters:]
    gamma, beta = affine
    # dlib pads a convolution only where its stride is 1.
    border = size // 2 if stride == 1 else 0
    return graph.node(
        "Conv",
        [x, graph.constant(kernels * gamma[:, None, None, None]), graph.constant(bias * gamma + beta)],
        kernel_shape=[size, size],
        strides=[stride, stride],
        pads=[border] * 4,
    )


def _residual(graph: Graph, x: str, queue: Iterator[_Layer], *, down: bool, side: int, more_channels: int) -> str:
    """Add a residual block. Where the two sides differ in size, dlib adds zeros to the smaller one's far ends."""
    y = graph.node("Relu", [_convolve(graph, x, queue, size=3, stride=2 if down else 1)])
    _skip(queue, 1)  # relu
    y = _convolve(graph, y, queue, size=3, stride=1)
    if down:
        _skip(queue, 1)  # average pool
        x = graph.node("AveragePool", [x], kernel_shape=[2, 2], strides=[2, 2])
        short = side // 2 - ((side - 3) // 2 + 1)
        x = _pad(graph, x, channels=more_channels, far=0)
        y = _pad(graph, y, channels=0, far=short)
    _skip(queue, 2)  # add, relu
    return graph.node("Relu", [graph.node("Add", [y, x])])


def _skip(queue: Iterator[_Layer], count: int) -> None:
    """Pass layers without weights, which `_check` has seen."""
    for _ in range(count):
        next(queue)


def _pad(graph: Graph, x: str, *, channels: int, far: int) -> str:
    if not channels and not far:
        return x
    return graph.node("Pad", [x, graph.constant(np.array([0, 0, 0, 0, 0, channels, far, far], np.int64))])
