"""ONNX in, ONNX out: name the tensors by the card and free the axes that exporters froze."""

import onnx

from mien.errors import ConversionError
from mien.inference.card import Card
from mien.registry.convert.graph import tensor_info


def relabel(weights: bytes, card: Card) -> onnx.ModelProto:
    """Give the network in `weights` the tensor names and the free axes of `card`.

    Old exporters list every constant as an input and freeze the batch and the picture's sides; the networks
    themselves are convolutions that take any size.

    Raises:
        ConversionError: The network has several inputs, or lacks an output of the card.
    """
    model = onnx.load_from_string(weights)
    graph = model.graph
    constants = {constant.name for constant in graph.initializer}
    inputs = [entry.name for entry in graph.input if entry.name not in constants]
    given = {entry.name for entry in graph.output}
    wanted = {promised.tensor: promised.name for promised in card.outputs}
    if len(inputs) != 1 or not wanted.keys() <= given:
        raise ConversionError(
            f"{card.id}: wanted one input and the outputs {sorted(wanted)}, "
            f"got inputs {inputs} and outputs {sorted(given)}"
        )
    names = {inputs[0]: card.input.name} | wanted
    for node in graph.node:
        node.input[:] = [names.get(name, name) for name in node.input]
        node.output[:] = [names.get(name, name) for name in node.output]
    del graph.input[:], graph.output[:], graph.value_info[:]
    graph.input.append(tensor_info(card.input.name, card.input.shape))
    graph.output.extend(tensor_info(promised.name, promised.shape) for promised in card.outputs)
    # Constants that are not inputs need IR 4 (ONNX 1.3); from then on runtimes may fold them.
    model.ir_version = max(model.ir_version, 4)
    return model
