"""The converted networks give the numbers that their makers' own runtimes give.

`tests/data/reference_outputs.json` holds 24 values of each output, evenly spread, for the picture drawn below, as
LiteRT (TensorFlow Lite files), dlib, OpenCV (ONNX as shipped) and PyTorch (our own) computed them from the weights
before conversion.
"""

import json
from pathlib import Path

import numpy as np
import pytest

from mien.inference.card import load_cards
from mien.registry.runtime import Runtime
from mien.registry.store import State

REFERENCE = json.loads((Path(__file__).parents[1] / "data" / "reference_outputs.json").read_text())
TOLERANCE = 1e-4  # of an output's amplitude; measured: 3e-6
ROUNDED = {"centerface-int8"}  # made of centerface, and not equal to it: test_quick_detector.py compares the two

pytestmark = pytest.mark.models


def draw_waves(width: int, height: int) -> np.ndarray:
    """Return the picture the reference values belong to: slow waves in every channel."""
    y, x, channel = np.ogrid[:height, :width, :3]
    waves = np.sin(x * (0.05 + 0.02 * channel)) + np.cos(y * (0.07 - 0.01 * channel)) + np.sin((x + 2 * y) * 0.11)
    return np.rint(127.5 + 42 * waves).astype(np.uint8)


def spread(array: np.ndarray) -> np.ndarray:
    """Return 24 values of an array, from its first to its last."""
    values = array.reshape(-1)
    return values[np.linspace(0, values.size - 1, min(24, values.size)).round().astype(int)]


def test_every_card_has_reference_values():
    assert REFERENCE.keys() == load_cards().keys() - ROUNDED


@pytest.mark.parametrize("card_id", REFERENCE)
def test_a_converted_network_agrees_with_its_makers_runtime(card_id, runtime):
    if runtime.store.state(card_id) is not State.READY:
        pytest.skip(f"{card_id} is no default model and is not here; run: mien models pull {card_id}")
    net = runtime.open(card_id)
    contract = net.card.image_input
    frame = draw_waves(*(contract.size_wh or (96, 64))).astype(np.float32)
    batch = ((frame - np.float32(contract.mean)) / np.float32(contract.scale)).transpose(2, 0, 1)[None]
    answers = net(np.ascontiguousarray(batch))
    for name, wanted in REFERENCE[card_id]["outputs"].items():
        amplitude = np.abs(wanted).max()
        np.testing.assert_allclose(spread(answers[name]), wanted, rtol=0, atol=TOLERANCE * amplitude, err_msg=name)


def test_a_batch_of_faces_gives_what_each_face_gives_alone(runtime):
    net = runtime.open("dlib-face")
    faces = np.random.default_rng(5).uniform(-0.5, 0.5, (3, 3, 150, 150)).astype(np.float32)
    alone = np.concatenate([net(face[None])["embedding"] for face in faces])
    np.testing.assert_allclose(net(faces)["embedding"], alone, atol=1e-5)


def test_a_runtime_opens_a_network_once_and_the_defaults_quickly(runtime):
    import time

    fresh = Runtime(runtime.store)
    begun = time.process_time()
    nets = [fresh.open(card_id) for card_id in runtime.store.default_ids]
    assert time.process_time() - begun < 2  # measured: 0.1 s
    assert all(fresh.open(net.card.id) is net for net in nets)
