"""Weights in, ONNX out: the same bytes on every machine, so that a digest means something.

One file for each format that weights come in. They are strangers' files and are read, never run. It may import
`inference.card` and `errors`.
"""

from collections.abc import Callable, Mapping

import onnx

from mien.errors import ConversionError
from mien.inference.card import Card
from mien.registry.convert.dlib import convert_dlib
from mien.registry.convert.relabel import relabel
from mien.registry.convert.tflite import convert_tflite

_CONVERTERS: Mapping[str, tuple[int, Callable[[bytes, Card], onnx.ModelProto]]] = {
    # Raise the number when a converter's result changes: cached networks are then made anew.
    "tflite": (1, convert_tflite),
    "dlib": (1, convert_dlib),
    "onnx": (1, relabel),
}


def recipe(card: Card) -> str:
    """Return the name and edition of the converter that `card` asks for."""
    return f"{card.conversion}/{_CONVERTERS[card.conversion][0]}"


def convert(weights: bytes, card: Card) -> bytes:
    """Make an ONNX file of `weights`, with the tensor names and shapes of `card`.

    Raises:
        ConversionError: The weights are not what the card says, or use an operator we do not know.
    """
    _, converter = _CONVERTERS[card.conversion]
    try:
        model = converter(weights, card)
        onnx.checker.check_model(model)
    except ConversionError:
        raise
    except Exception as error:  # parsers of foreign bytes fail in as many ways as there are bytes
        raise ConversionError(f"{card.id}: the {card.conversion} weights cannot be read: {error!r}") from error
    return bytes(model.SerializeToString(deterministic=True))
