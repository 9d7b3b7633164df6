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
        ConversionError: The network has other inputs than the card, or lacks an output of it.
    """
    model = onnx.load_from_string(weights)
    graph = model.graph
    constants = {constant.name for constant in graph.initializer}
    inputs = [entry.name for entry in graph.input if entry.name not in constants]
    given = {entry.name for entry in graph.output}
    takes = {each.tensor or "": each for each in card.takes}
    if len(inputs) == 1 and list(takes) == [""]:
        takes = {inputs[0]: takes[""]}  # the only one needs no name
    wanted = {promised.tensor: promised.name for promised in card.outputs}
    if takes.keys() != set(inputs) or not wanted.keys() <= given:
        raise ConversionError(
            f"{card.id}: wanted {_inputs_wanted(card)} and the outputs {sorted(wanted)}, "
            f"got inputs {inputs} and outputs {sorted(given)}"
        )
    names = {tensor: each.name for tensor, each in takes.items()} | wanted
    for node in graph.node:
        node.input[:] = [names.get(name, name) for name in node.input]
        node.output[:] = [names.get(name, name) for name in node.output]
    del graph.input[:], graph.output[:], graph.value_info[:]
    graph.input.extend(tensor_info(each.name, each.shape, each.dtype) for each in card.takes)
    graph.output.extend(tensor_info(promised.name, promised.shape, promised.dtype) for promised in card.outputs)
    # Constants that are not inputs need IR 4 (ONNX 1.3); from then on runtimes may fold them.
    model.ir_version = max(model.ir_version, 4)
    return model


def _inputs_wanted(card: Card) -> str:
    named = sorted(each.tensor for each in card.takes if each.tensor)
    return f"the inputs {named}" if named else "one input"
