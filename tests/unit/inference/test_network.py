import numpy as np
import pytest

from mien.errors import ContractError, ShapeError
from mien.inference.network import load_network, rehearse
from mien.registry.convert import convert
from support.cards import small_card, small_network

WEIGHTS = small_network()
CARD = small_card(WEIGHTS)
NETWORK = convert(WEIGHTS, CARD)


def test_outputs_come_by_the_names_on_the_card():
    net = load_network(NETWORK, CARD)
    batch = np.arange(2 * 3 * 4 * 8, dtype=np.float32).reshape(2, 3, 4, 8)
    assert net.card is CARD
    assert net(batch).keys() == {"twice"}
    np.testing.assert_array_equal(net(batch)["twice"], 2 * batch)


@pytest.mark.parametrize(
    "batch",
    [
        pytest.param(np.zeros((1, 3, 4, 6), np.float32), id="side-not-a-multiple"),
        pytest.param(np.zeros((1, 1, 4, 4), np.float32), id="grey"),
        pytest.param(np.zeros((3, 4, 4), np.float32), id="no-batch"),
        pytest.param(np.zeros((0, 3, 4, 4), np.float32), id="empty"),
        pytest.param(np.zeros((1, 3, 4, 4), np.uint8), id="pixels"),
    ],
)
def test_a_batch_of_another_shape_or_type_is_refused_before_it_runs(batch):
    with pytest.raises(ShapeError, match=r"small takes \(N, 3, H, W\) float32, got"):
        load_network(NETWORK, CARD)(batch)


def test_bytes_that_are_no_network_break_the_contract():
    with pytest.raises(ContractError, match="onnxruntime cannot load") as caught:
        load_network(b"not a network", CARD)
    assert caught.value.code == "model.contract"


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        pytest.param({"outputs": [CARD.outputs[0].model_copy(update={"name": "thrice"})]}, "outputs", id="name"),
        pytest.param({"outputs": [CARD.outputs[0].model_copy(update={"shape": ("N", 1)})]}, "outputs", id="shape"),
        pytest.param({"input": CARD.input.model_copy(update={"size_wh": (4, 4)})}, "inputs", id="input-size"),
    ],
)
def test_a_network_must_have_the_edges_its_card_promises(change, complaint):
    with pytest.raises(ContractError, match=f"promises the {complaint}"):
        load_network(NETWORK, CARD.model_copy(update=change))


def test_a_rehearsal_passes_a_network_that_keeps_its_promises():
    rehearse(load_network(NETWORK, CARD))


def test_a_rehearsal_finds_an_output_that_is_not_finite():
    weights = small_network(factor=float("inf"))
    card = small_card(weights)
    with pytest.raises(ContractError, match="not finite"):
        rehearse(load_network(convert(weights, card), card))


def test_a_rehearsal_finds_a_length_that_only_shows_when_run():
    output = CARD.outputs[0].model_copy(update={"shape": ("N", 3, "h", 5)})
    card = CARD.model_copy(update={"outputs": (output,)})
    net = load_network(convert(WEIGHTS, card), card)
    with pytest.raises(ContractError, match=r"twice should be \(N, 3, h, 5\) float32, got \(1, 3, 8, 8\)"):
        rehearse(net)
