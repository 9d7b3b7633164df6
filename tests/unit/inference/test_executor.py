"""Networks of several inputs and outputs, where they run, and who may stand behind the port."""

import threading

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from mien.errors import CardError, ContractError, ConversionError, ProviderError, ShapeError
from mien.inference.executor import OrtSession, check_providers
from mien.inference.network import Network, load_network, rehearse
from mien.inference.ort import ort
from mien.registry.convert import convert
from support.cards import card_values, https_source, small_card, small_network

DTYPES = {"float32": TensorProto.FLOAT, "uint8": TensorProto.UINT8, "int64": TensorProto.INT64}


def two_by_two() -> bytes:
    """Return a network that adds a number per picture to its pixels, and says which channel of each is brightest.

    It takes uint8 pixels with channels last and float32 numbers; it gives float32 and int64.
    """
    value = helper.make_tensor_value_info
    axes = helper.make_tensor("axes", TensorProto.INT64, [3], [1, 2, 3])
    graph = helper.make_graph(
        [
            helper.make_node("Cast", ["img:0"], ["as_float"], to=TensorProto.FLOAT),
            helper.make_node("Unsqueeze", ["extra", "axes"], ["wide"]),
            helper.make_node("Add", ["as_float", "wide"], ["sum:0"]),
            helper.make_node("ReduceMean", ["as_float"], ["mean"], axes=[1, 2], keepdims=0),
            helper.make_node("ArgMax", ["mean"], ["best:0"], axis=1, keepdims=0),
        ],
        "two",
        [value("img:0", TensorProto.UINT8, [1, 8, 8, 3]), value("extra", TensorProto.FLOAT, [1])],
        [value("sum:0", TensorProto.FLOAT, [1, 8, 8, 3]), value("best:0", TensorProto.INT64, [1])],
        [axes],
    )
    model = helper.make_model(graph, ir_version=8, opset_imports=[helper.make_opsetid("", 13)])
    onnx.checker.check_model(model)
    return model.SerializeToString()


WEIGHTS = two_by_two()
EDGES = {
    "input": {
        "name": "pixels",
        "tensor": "img:0",
        "layout": "NHWC",
        "dtype": "uint8",
        "colour": "RGB",
        "stride": 4,
        "mean": 0.0,
        "scale": 1.0,
    },
    "inputs": [{"name": "more", "tensor": "extra", "shape": ["N"], "meaning": "What to add."}],
    "outputs": [
        {"name": "sum", "tensor": "sum:0", "shape": ["N", "h", "w", 3], "meaning": "Pixels and number."},
        {"name": "channel", "tensor": "best:0", "dtype": "int64", "shape": ["N"], "meaning": "The brightest."},
    ],
}
CARD = small_card(WEIGHTS, **EDGES)
NETWORK = convert(WEIGHTS, CARD)


def pixels(count: int = 2, side: int = 4) -> np.ndarray:
    return np.random.default_rng(3).integers(0, 255, (count, side, side, 3), np.uint8)


def test_named_arrays_of_several_types_go_in_and_come_out():
    net = load_network(NETWORK, CARD)
    given = {"pixels": pixels(), "more": np.array([10, -1], np.float32)}
    out = net.run(given)
    assert list(out) == ["sum", "channel"]
    np.testing.assert_array_equal(out["sum"], given["pixels"].astype(np.float32) + given["more"][:, None, None, None])
    np.testing.assert_array_equal(out["channel"], given["pixels"].mean(axis=(1, 2)).argmax(axis=1))
    assert out["channel"].dtype == np.int64
    rehearse(net)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        pytest.param({"more": None}, r"takes \['pixels', 'more'\], got \['pixels'\]", id="one-missing"),
        pytest.param({"else": pixels()}, r"takes \['pixels', 'more'\], got", id="one-too-many"),
        pytest.param({"more": None, "less": np.zeros(2, np.float32)}, "takes more, got", id="another-name"),
        pytest.param({"more": np.zeros(2, np.float64)}, r"takes \(N\) float32, got \(2,\) float64", id="type"),
        pytest.param({"pixels": pixels().transpose(0, 3, 1, 2)}, r"takes \(N, H, W, 3\) uint8", id="layout"),
        pytest.param({"pixels": pixels(side=6)}, r"takes \(N, H, W, 3\) uint8", id="stride"),
    ],
)
def test_arrays_that_the_card_does_not_say_are_refused_before_anything_runs(change, complaint):
    given = {"pixels": pixels(), "more": np.zeros(2, np.float32)} | change
    with pytest.raises(ShapeError, match=complaint):
        load_network(NETWORK, CARD).run({name: array for name, array in given.items() if array is not None})


def test_a_network_of_two_inputs_cannot_be_called_with_one_batch():
    with pytest.raises(ShapeError, match="got one batch without a name"):
        load_network(NETWORK, CARD)(pixels().astype(np.float32))
    with pytest.raises(CardError, match="not one picture"):
        _ = CARD.image_input


def test_arrays_reach_the_executor_as_they_are():
    class Recording:
        inputs, outputs = (OrtSession(NETWORK, name="two").inputs, OrtSession(NETWORK, name="two").outputs)

        def run(self, inputs):
            self.given = inputs
            return {"sum": inputs["pixels"], "channel": inputs["more"]}

    session = Recording()
    given = {"pixels": pixels(), "more": np.zeros(2, np.float32)}
    out = Network(CARD, session).run(given)
    assert session.given["pixels"] is given["pixels"], "no copy on the way in"
    assert out["channel"] is given["more"], "nor on the way out"


def test_an_executor_may_join_runs_into_one_batch():
    """The port lets it: each caller gives and gets arrays whose first axis is N."""

    class Joining:
        """Waits until two threads have asked, runs the network once for both, and gives each its rows."""

        def __init__(self, inner):
            self.inner, self.inputs, self.outputs = inner, inner.inputs, inner.outputs
            self.lock, self.asked, self.answers, self.runs = threading.Lock(), [], {}, 0
            self.both = threading.Barrier(2, action=self.run_all)

        def run_all(self):
            self.runs += 1
            joined = {name: np.concatenate([given[name] for given in self.asked]) for name in self.inputs}
            out = self.inner.run(joined)
            at = 0
            for given in self.asked:
                end = at + len(given["more"])
                self.answers[id(given)] = {name: array[at:end] for name, array in out.items()}
                at = end

        def run(self, inputs):
            with self.lock:
                self.asked.append(inputs)
            self.both.wait(30)
            return self.answers[id(inputs)]

    alone = load_network(NETWORK, CARD)
    joining = Joining(OrtSession(NETWORK, name="two"))
    net = Network(CARD, joining)
    asked = [{"pixels": pixels(n), "more": np.full(n, n, np.float32)} for n in (1, 3)]
    found = {}
    threads = [threading.Thread(target=lambda n=n: found.update({n: net.run(asked[n])})) for n in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert joining.runs == 1
    for n in (0, 1):
        for name, array in alone.run(asked[n]).items():
            np.testing.assert_array_equal(found[n][name], array)


# Cards ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"dtype": "uint8"}, id="type"),
        pytest.param({"shape": ["N", "h", "w", 4]}, id="shape"),
        pytest.param({"name": "total"}, id="name"),
    ],
)
def test_a_network_must_have_the_outputs_of_its_card_in_type_too(change):
    card = small_card(WEIGHTS, **EDGES | {"outputs": [EDGES["outputs"][0] | change, EDGES["outputs"][1]]})
    with pytest.raises(ContractError, match="promises the outputs"):
        load_network(NETWORK, card)


@pytest.mark.parametrize(
    ("edges", "complaint"),
    [
        pytest.param({"input": None, "inputs": []}, "a network takes something", id="nothing"),
        pytest.param({"input": EDGES["input"] | {"tensor": None}}, "names its tensor", id="which-is-which"),
        pytest.param({"inputs": EDGES["inputs"] * 2}, "two tensors have one name", id="twice"),
        pytest.param({"outputs": EDGES["outputs"][:1] * 2}, "two tensors have one name", id="twice-out"),
    ],
)
def test_a_card_whose_edges_contradict_themselves_is_refused(edges, complaint):
    with pytest.raises(ValueError, match=complaint):
        small_card(WEIGHTS, **EDGES | edges)


def test_a_network_may_take_no_picture():
    weights = small_network()
    tensor = {"name": "vectors", "tensor": "in.1", "shape": ["N", 3, "h", "w"], "meaning": "Anything."}
    card = small_card(weights, input=None, inputs=[tensor])
    batch = np.ones((2, 3, 5, 7), np.float32)
    np.testing.assert_array_equal(load_network(convert(weights, card), card)(batch)["twice"], 2 * batch)


def test_weights_without_an_input_of_the_card_are_not_converted():
    other = [EDGES["inputs"][0] | {"tensor": "nothing like it"}]
    with pytest.raises(ConversionError, match=r"wanted the inputs \['img:0', 'nothing like it'\]"):
        convert(WEIGHTS, small_card(WEIGHTS, **EDGES | {"inputs": other}))


def test_cards_of_before_say_what_they_said():
    values = card_values(small_network(), [https_source("https://127.0.0.1:9/small.onnx", b"x")])
    assert set(values["input"]) == {"layout", "colour", "stride", "mean", "scale"}, "a card from before"
    card = small_card(small_network())
    image = card.image_input
    assert (image.name, image.dtype, image.shape) == (
        "input",
        "float32",
        ("N", 3, "H", "W"),
    )
    assert [each.name for each in card.takes] == ["input"]


# Providers ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("providers", [["gpu"], ["CPUExecutionProvider"], [], ["cpu", "quantum"]])
def test_an_unknown_provider_is_refused_and_the_known_ones_are_named(providers):
    with pytest.raises(ProviderError, match="an execution provider is one of cpu, cuda, ") as refused:
        load_network(NETWORK, CARD, providers=providers)
    assert refused.value.code == "model.provider"


def test_a_provider_that_this_installation_lacks_is_refused(monkeypatch):
    monkeypatch.setattr(ort, "get_available_providers", lambda: ["CPUExecutionProvider"])
    with pytest.raises(ProviderError, match="has no cuda; it has cpu"):
        check_providers(["cuda", "cpu"])


def test_a_provider_that_onnxruntime_silently_leaves_out_is_refused(monkeypatch):
    monkeypatch.setattr(ort, "get_available_providers", lambda: ["CUDAExecutionProvider", "CPUExecutionProvider"])
    real = ort.InferenceSession
    # What it does where the driver or its libraries are missing: it loads the network on the processor.
    monkeypatch.setattr(
        ort, "InferenceSession", lambda data, options, providers: real(data, options, providers=providers[1:])
    )
    with pytest.raises(ProviderError, match="CUDAExecutionProvider cannot be used on this machine"):
        load_network(NETWORK, CARD, providers=["cuda", "cpu"])


def test_the_processor_is_the_default():
    assert OrtSession(NETWORK, name="two")._session.get_providers() == ["CPUExecutionProvider"]
