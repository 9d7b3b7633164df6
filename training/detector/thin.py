"""Take channels out of a network that nothing is lost with, and make one layer of its heads.

CenterFace widens its features before each 3 x 3 convolution and narrows them after it. The channels between are taken
out one by one, each time the one whose loss the narrowing layer can make up for best: its weights are fitted again by
least squares. How channels go together is read off pictures. Those that go fire in none of them. Nothing is trained.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from mien.inference.ort import ort

Matrix = NDArray[np.float64]
HEADS: Final = ("536", "scale", "offset", "landmarks")
"""The outputs' convolutions, by what they give; the first is the heat map's."""
PLACES_READ: Final = 144
"""Of each picture and layer so many cells are read at most: neighbours say the same."""


@dataclass(frozen=True, slots=True)
class Block:
    """A widening layer, a 3 x 3 convolution for each channel, and a narrowing layer.

    Attributes:
        wide: What the widening layer gives, before its ReLU.
        spread: What the 3 x 3 convolution gives, before its ReLU.
        seen: The same, after it: what the narrowing layer sees.
        narrow: What the narrowing layer gives.
    """

    wide: str
    spread: str
    seen: str
    narrow: str


BLOCKS: Final = (
    Block("363", "366", "368", "369"),
    Block("371", "374", "376", "377"),
    *(
        Block(str(n), str(n + 3), str(n + 5), str(n + 6))
        for n in (379, 388, 396, 405, 414, 422, 431, 440, 449, 457, 466, 475, 483, 492, 501)
    ),
)
MOST_LOST: Final = 1e-6
"""So much of the variance of a narrow layer may be lost. At 3e-3 a look takes 4 % less time, and scores stray half as
much again."""
MULTIPLE: Final = 16
"""Kernels take channels by so many."""


def thin(model: onnx.ModelProto, pictures: Iterable[NDArray[np.float32]]) -> None:
    """Take out of `model` what `MOST_LOST` allows, and say how much; `pictures` are (1, 3, H, W)."""
    moments = _moments(model, pictures)
    for block in BLOCKS:
        before, after, lost = _thin_block(model, block, moments[block.seen])
        print(f"{block.narrow}: {before} -> {after} channels, {lost:.1e} of its variance lost")
    merge_heads(model)
    used = {name for node in model.graph.node for name in node.input}
    kept = [each for each in model.graph.initializer if each.name in used]
    del model.graph.initializer[:], model.graph.value_info[:]
    model.graph.initializer.extend(kept)
    onnx.checker.check_model(model)


def merge_heads(model: onnx.ModelProto) -> None:
    """Let one convolution do what four do one after the other."""
    graph, arrays = model.graph, _arrays(model)
    heads = [_node_of(model, name) for name in HEADS]
    sigmoid = next(node for node in graph.node if node.op_type == "Sigmoid")
    weights, biases = (np.concatenate([arrays[head.input[i]] for head in heads]) for i in (1, 2))
    sizes = np.array([len(arrays[head.input[2]]) for head in heads], np.int64)
    source, heatmap = heads[0].input[0], sigmoid.output[0]
    for node in (*heads, sigmoid):
        graph.node.remove(node)
    named = {"heads_weights": weights, "heads_biases": biases, "heads_sizes": sizes}
    graph.initializer.extend(numpy_helper.from_array(array, name) for name, array in named.items())
    graph.node.extend(
        [
            helper.make_node("Conv", [source, "heads_weights", "heads_biases"], ["heads"], kernel_shape=[1, 1]),
            helper.make_node("Split", ["heads", "heads_sizes"], list(HEADS), axis=1),
            helper.make_node("Sigmoid", [HEADS[0]], [heatmap]),
        ]
    )


def _moments(model: onnx.ModelProto, pictures: Iterable[NDArray[np.float32]]) -> dict[str, Matrix]:
    """Return the mean products of all pairs of channels of each block, and of each and 1, which comes last."""
    names = [block.seen for block in BLOCKS]
    open_model = onnx.ModelProto()
    open_model.CopyFrom(model)
    open_model.graph.output.extend(helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None) for name in names)
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    session, rng = ort.InferenceSession(open_model.SerializeToString(), options), np.random.default_rng(3)
    sums: dict[str, Any] = dict.fromkeys(names, 0.0)
    counts = dict.fromkeys(names, 0)
    for picture in pictures:
        for name, out in zip(names, session.run(names, {"input": picture}), strict=True):
            cells = out[0].reshape(out.shape[1], -1)
            if cells.shape[1] > PLACES_READ:
                cells = cells[:, rng.choice(cells.shape[1], PLACES_READ, replace=False)]
            cells = np.concatenate([cells, np.ones((1, cells.shape[1]))]).astype(np.float64)
            sums[name] = sums[name] + cells @ cells.T
            counts[name] += cells.shape[1]
    return {name: sums[name] / counts[name] for name in names}


def _thin_block(model: onnx.ModelProto, block: Block, moments: Matrix) -> tuple[int, int, float]:
    """Return how many channels there were and are, and the share of the variance that is lost."""
    arrays = _arrays(model)
    wide, spread, narrow = (_node_of(model, name) for name in (block.wide, block.spread, block.narrow))
    weights = arrays[narrow.input[1]][:, :, 0, 0].astype(np.float64)
    kept, fitted, more, lost = take_out(moments, weights, MOST_LOST)
    for node, kernel, bias in (
        (wide, arrays[wide.input[1]][kept], arrays[wide.input[2]][kept]),
        (spread, arrays[spread.input[1]][kept], arrays[spread.input[2]][kept]),
        (narrow, fitted[:, :, None, None], arrays[narrow.input[2]] + more),
    ):
        for place, array in ((1, kernel), (2, bias)):
            node.input[place] += "_thinned"
            model.graph.initializer.append(numpy_helper.from_array(np.asarray(array, np.float32), node.input[place]))
    for attribute in spread.attribute:
        if attribute.name == "group":
            attribute.i = len(kept)
    return weights.shape[1], len(kept), lost


def take_out(moments: Matrix, weights: Matrix, most_lost: float) -> tuple[NDArray[np.intp], Matrix, Matrix, float]:
    """Choose which inputs of a linear layer can go, and fit the layer again to the others.

    Args:
        moments: (n + 1, n + 1) mean products of the inputs, and of a constant 1, which comes last.
        weights: (outputs, n).
        most_lost: So much of the variance of the outputs may be lost.

    Returns:
        The indices of the inputs that stay, a multiple of `MULTIPLE` (or half of that); the weights of these; what
        is added to the biases; and the share of the variance that is lost.
    """
    count = weights.shape[1]
    step = MULTIPLE if count > 2 * MULTIPLE else MULTIPLE // 2
    centred = moments[:-1, :-1] - np.outer(moments[-1, :-1], moments[-1, :-1])
    variance = float(np.trace(weights @ centred @ weights.T))
    fitted = np.concatenate([weights, np.zeros((len(weights), 1))], axis=1)
    # A trace of noise of their own: channels that never fire would leave nothing to invert.
    noise = np.full(count + 1, 1e-7 * np.trace(moments) / count)
    noise[-1] = 1e-12
    inverse = np.linalg.inv(moments + np.diag(noise))
    alive, lost = np.ones(count + 1, bool), 0.0
    best = (np.arange(count), weights, np.zeros(len(weights)), 0.0)
    while True:
        loss = np.square(fitted).sum(axis=0) / np.diag(inverse)  # of each, where all others are fitted again
        loss[~alive] = loss[-1] = np.inf
        out = int(np.argmin(loss))
        lost += float(loss[out]) / variance
        if lost > most_lost:
            return best
        alive[out] = False
        fitted -= np.outer(fitted[:, out], inverse[:, out] / inverse[out, out])
        fitted[:, out] = 0
        inverse -= np.outer(inverse[:, out], inverse[out, :]) / inverse[out, out]
        inverse[out, :] = inverse[:, out] = 0
        inverse[out, out] = 1
        kept = np.flatnonzero(alive[:-1])
        if len(kept) % step == 0:
            best = (kept, fitted[:, kept].copy(), fitted[:, -1].copy(), lost)


def _arrays(model: onnx.ModelProto) -> dict[str, NDArray[np.float32]]:
    return {each.name: np.asarray(numpy_helper.to_array(each)) for each in model.graph.initializer}


def _node_of(model: onnx.ModelProto, output: str) -> Any:  # an onnx.NodeProto, which comes without types
    return next(node for node in model.graph.node if output in node.output)
