"""The three converters: each operator by numbers worked out by hand, and every way a file can be wrong."""

import numpy as np
import onnx
import pytest

from mien.errors import ConversionError
from mien.inference.card import Card, load_cards
from mien.inference.network import load_network
from mien.registry.convert import convert
from support.cards import small_card, small_network
from support.tflite_writer import Sparsity, TfliteWriter

SAME, VALID, RELU, RELU6 = 0, 1, 1, 3
RAMP = np.arange(16, dtype=np.float32).reshape(1, 4, 4, 1)


class Network:
    """A TensorFlow Lite file under test: add to `file`, then run it through the converter."""

    def __init__(self, *shape: int) -> None:
        self.file = TfliteWriter()
        self.input = self.file.tensor("in", shape)
        self.shape = shape

    def constant(self, values: np.ndarray, **options: object) -> int:
        return self.file.tensor("constant", values.shape, values, **options)

    def card(self, output: tuple[int, ...], weights: bytes) -> Card:
        _, height, width, _ = self.shape
        base = small_card(weights)
        return small_card(
            weights,
            conversion="tflite",
            input=base.input.model_copy(update={"size_wh": (width, height)}).model_dump(),
            outputs=[{"name": "out", "tensor": "result", "shape": ["N", *output[1:]], "meaning": "Under test."}],
        )

    def convert(self, result: int, output: tuple[int, ...]) -> bytes:
        weights = self.file.finish([self.input], [result])
        return convert(weights, self.card(output, weights))

    def run(self, result: int, output: tuple[int, ...], frame: np.ndarray) -> np.ndarray:
        """Return the answer to an NHWC `frame`, in the order the file gives it."""
        session = onnx.load_from_string(self.convert(result, output))
        # Cards promise three channels; these networks have whatever their operator needs.
        session.graph.input[0].type.tensor_type.shape.dim[1].dim_value = self.shape[3]
        from mien.inference.ort import ort

        net = ort.InferenceSession(session.SerializeToString(), providers=["CPUExecutionProvider"])
        return net.run(None, {"input": np.ascontiguousarray(frame.transpose(0, 3, 1, 2))})[0]


def one_operator(
    name: str,
    frame: np.ndarray,
    shape: tuple[int, ...],
    constants: list[np.ndarray],
    options: str = "",
    **values: int,
) -> np.ndarray:
    network = Network(*frame.shape)
    inputs = [network.input, *(network.constant(constant) for constant in constants)]
    result = network.file.tensor("result", shape)
    network.file.operator(name, inputs, result, options=options, **values)
    return network.run(result, shape, frame)


def test_a_convolution_pads_the_odd_pixel_at_the_bottom_and_right():
    ones, bias = np.ones((1, 3, 3, 1), np.float32), np.array([0.5], np.float32)
    result = one_operator(
        "CONV_2D",
        RAMP,
        (1, 2, 2, 1),
        [ones, bias],
        "Conv2DOptions",
        Padding=SAME,
        StrideH=2,
        StrideW=2,
        DilationHFactor=1,
        DilationWFactor=1,
    )
    # 4 pixels, stride 2, kernel 3: TensorFlow pads one line after and none before; so windows start at 0 and 2.
    np.testing.assert_array_equal(result[0, :, :, 0], [[45.5, 39.5], [66.5, 50.5]])


def test_a_convolution_without_bias_may_be_dilated_and_activated():
    kernel = np.array([[1, 0], [0, -1]], np.float32).reshape(1, 2, 2, 1)
    result = one_operator(
        "CONV_2D",
        -RAMP,
        (1, 2, 2, 1),
        [kernel],
        "Conv2DOptions",
        Padding=VALID,
        StrideH=1,
        StrideW=1,
        DilationHFactor=2,
        DilationWFactor=2,
        FusedActivationFunction=RELU6,
    )
    np.testing.assert_array_equal(result, np.full((1, 2, 2, 1), 6))  # x[0, 0] - x[2, 2] = 10, cut to 6


def test_a_depthwise_convolution_keeps_channels_apart():
    frame = np.stack([RAMP[..., 0], 100 + RAMP[..., 0]], axis=-1)
    weights = np.array([2, -1], np.float32).reshape(1, 1, 1, 2)
    result = one_operator(
        "DEPTHWISE_CONV_2D",
        frame,
        (1, 4, 4, 2),
        [weights, np.zeros(2, np.float32)],
        "DepthwiseConv2DOptions",
        Padding=SAME,
        StrideH=1,
        StrideW=1,
        DilationHFactor=1,
        DilationWFactor=1,
        DepthMultiplier=1,
        FusedActivationFunction=RELU,
    )
    np.testing.assert_array_equal(result, np.maximum(frame * [2, -1], 0))


def test_prelu_is_two_convolutions_and_no_prelu():
    network = Network(1, 2, 2, 2)
    slopes = network.constant(np.array([[[0.25, -2]]], np.float32))
    result = network.file.tensor("result", (1, 2, 2, 2))
    network.file.operator("PRELU", [network.input, slopes], result)
    frame = np.array([-4, -4, 4, 4, 0, 0, -1, 1], np.float32).reshape(1, 2, 2, 2)
    np.testing.assert_array_equal(network.run(result, (1, 2, 2, 2), frame).ravel(), [-1, 8, 4, 4, 0, 0, -0.25, 1])
    kinds = [node.op_type for node in onnx.load_from_string(network.convert(result, (1, 2, 2, 2))).graph.node]
    assert kinds.count("Conv") == 2
    assert "PRelu" not in kinds


def test_max_pooling_sees_every_pixel():
    result = one_operator(
        "MAX_POOL_2D",
        RAMP,
        (1, 2, 2, 1),
        [],
        "Pool2DOptions",
        Padding=SAME,
        StrideH=2,
        StrideW=2,
        FilterHeight=2,
        FilterWidth=2,
    )
    np.testing.assert_array_equal(result.ravel(), [5, 7, 13, 15])


def test_padding_moves_with_its_axes():
    amounts = np.array([[0, 0], [1, 0], [0, 2], [0, 1]], np.int32)
    result = one_operator("PAD", RAMP, (1, 5, 6, 2), [amounts], "PadOptions")
    np.testing.assert_array_equal(result, np.pad(RAMP, amounts))


def test_adding_a_value_per_channel():
    frame = np.stack([RAMP[..., 0]] * 2, axis=-1)
    result = one_operator("ADD", frame, (1, 4, 4, 2), [np.array([1, -20], np.float32)], "AddOptions",
                          FusedActivationFunction=RELU)  # fmt: skip
    np.testing.assert_array_equal(result, np.maximum(frame + np.array([1, -20]), 0))


def test_a_reshape_reads_pixels_in_the_files_order():
    frame = np.arange(12, dtype=np.float32).reshape(1, 2, 2, 3)
    result = one_operator("RESHAPE", frame, (1, 12), [np.array([1, 12], np.int32)], "ReshapeOptions")
    np.testing.assert_array_equal(result[0], np.arange(12))


def test_a_reshape_to_a_picture_and_relu():
    frame = np.arange(-6, 6, dtype=np.float32).reshape(1, 2, 2, 3)
    network = Network(1, 2, 2, 3)
    tall = network.file.tensor("tall", (1, 4, 1, 3))
    network.file.operator("RESHAPE", [network.input], tall, options="ReshapeOptions")
    result = network.file.tensor("result", (1, 4, 1, 3))
    network.file.operator("RELU", [tall], result)
    np.testing.assert_array_equal(network.run(result, (1, 4, 1, 3), frame), np.maximum(frame.reshape(1, 4, 1, 3), 0))


@pytest.mark.parametrize(("axis", "numpy_axis"), [(3, 3), (-1, 3), (1, 1)])
def test_joining_along_an_axis(axis, numpy_axis):
    shape = np.concatenate([RAMP, RAMP], numpy_axis).shape
    network = Network(*RAMP.shape)
    result = network.file.tensor("result", shape)
    network.file.operator(
        "CONCATENATION", [network.input, network.input], result, options="ConcatenationOptions", Axis=axis
    )
    np.testing.assert_array_equal(network.run(result, shape, RAMP), np.concatenate([RAMP, RAMP], numpy_axis))


@pytest.mark.parametrize(
    ("options", "row"),
    [
        pytest.param({}, [0, 4, 8, 8], id="asymmetric"),
        pytest.param({"HalfPixelCenters": 1}, [0, 2, 6, 8], id="half-pixel"),
        pytest.param({"AlignCorners": 1}, [0, 8 / 3, 16 / 3, 8], id="align-corners"),
    ],
)
def test_a_resize_places_pixels_as_the_file_says(options, row):
    frame = np.array([[0, 8], [0, 8]], np.float32).reshape(1, 2, 2, 1)
    size = np.array([2, 4], np.int32)
    result = one_operator("RESIZE_BILINEAR", frame, (1, 2, 4, 1), [size], "ResizeBilinearOptions", **options)
    np.testing.assert_allclose(result[0, 1, :, 0], row, atol=1e-5)


def test_depth_becomes_space_row_by_row():
    frame = np.arange(4, dtype=np.float32).reshape(1, 1, 1, 4)
    result = one_operator("DEPTH_TO_SPACE", frame, (1, 2, 2, 1), [], "DepthToSpaceOptions", BlockSize=2)
    np.testing.assert_array_equal(result[0, :, :, 0], [[0, 1], [2, 3]])


def with_dequantized_weights(name: str, values: np.ndarray, shape: tuple[int, ...], **options: object) -> np.ndarray:
    network = Network(1, 1, 1, shape[3])
    stored = network.file.tensor("stored", shape, values, **options)
    weights = network.file.tensor("weights", shape)
    network.file.operator(name, [stored], weights)
    result = network.file.tensor("result", (1, 1, 1, shape[0]))
    network.file.operator(
        "CONV_2D", [network.input, weights], result, options="Conv2DOptions", Padding=VALID, StrideH=1, StrideW=1,
        DilationHFactor=1, DilationWFactor=1,
    )  # fmt: skip
    return network.run(result, (1, 1, 1, shape[0]), np.ones((1, 1, 1, shape[3]), np.float32))


def test_half_precision_weights_lose_nothing():
    values = np.array([1 / 3, 65504, -6e-8], np.float16)
    result = with_dequantized_weights("DEQUANTIZE", values, (3, 1, 1, 1))
    np.testing.assert_array_equal(result.ravel(), values.astype(np.float32))


def test_sparse_weights_are_spread_over_zeros():
    # Rows of a 3 x 4 matrix: [5 0 0 7], [0 0 0 0], [0 9 0 0].
    sparsity = Sparsity(order=[0, 1, 2, 3], levels=[3, 1, 1, ([0, 2, 2, 3], [0, 3, 1])])
    result = with_dequantized_weights("DENSIFY", np.array([5, 7, 9], np.float32), (3, 1, 1, 4), sparsity=sparsity)
    np.testing.assert_array_equal(result.ravel(), [12, 0, 9])


def test_sparse_weights_may_be_stored_in_blocks():
    # A 4 x 4 matrix whose upper-right and lower-left 2 x 2 blocks are stored: row sums 3, 7, 11, 15.
    sparsity = Sparsity(order=[0, 1, 2, 3, 4, 5], levels=[2, 1, 1, ([0, 1, 2], [1, 0]), 2, 2], block_map=[0, 3])
    result = with_dequantized_weights("DENSIFY", np.arange(1, 9, dtype=np.float32), (4, 1, 1, 4), sparsity=sparsity)
    np.testing.assert_array_equal(result.ravel(), [3, 7, 11, 15])


def test_a_batch_may_have_any_length():
    network = Network(1, 4, 4, 1)
    result = network.file.tensor("result", (1, 16))
    network.file.operator("RESHAPE", [network.input], result, options="ReshapeOptions")
    batch = np.concatenate([RAMP, RAMP + 100])
    np.testing.assert_array_equal(network.run(result, (1, 16), batch), batch.reshape(2, 16))


def unknown_operator(network: Network) -> None:
    network.file.operator("CUSTOM", [network.input], network.file.tensor("result", (1, 4, 4, 1)), custom="Sort5")


def unknown_activation(network: Network) -> None:
    result = network.file.tensor("result", (1, 4, 4, 1))
    network.file.operator("ADD", [network.input] * 2, result, options="AddOptions", FusedActivationFunction=4)


def lost_options(network: Network) -> None:
    network.file.operator("ADD", [network.input] * 2, network.file.tensor("result", (1, 4, 4, 1)))


def weights_that_change(network: Network) -> None:
    network.file.operator("PRELU", [network.input] * 2, network.file.tensor("result", (1, 4, 4, 1)))


def dequantized_picture(network: Network) -> None:
    network.file.operator("DEQUANTIZE", [network.input], network.file.tensor("result", (1, 4, 4, 1)))


def quantized_weights(network: Network) -> None:
    network.constant(np.zeros(3, np.int8), kind=9)
    network.file.operator("RELU", [network.input], network.file.tensor("result", (1, 4, 4, 1)))


@pytest.mark.parametrize(
    ("build", "complaint"),
    [
        pytest.param(unknown_operator, "operator Sort5", id="operator"),
        pytest.param(unknown_activation, "fused activation 4", id="activation"),
        pytest.param(lost_options, "lacks its AddOptions", id="options"),
        pytest.param(weights_that_change, "should be constant", id="weights"),
        pytest.param(dequantized_picture, "DEQUANTIZE of a tensor that is not constant", id="dequantize"),
        pytest.param(quantized_weights, "unknown type 9", id="type"),
    ],
)
def test_what_the_converter_does_not_know_it_names(build, complaint):
    network = Network(1, 4, 4, 1)
    build(network)
    with pytest.raises(ConversionError, match=complaint) as caught:
        network.convert(len(network.file._tensors) - 1, (1, 4, 4, 1))
    assert caught.value.code == "model.conversion"


def test_the_outputs_on_the_card_must_be_in_the_file():
    network = Network(1, 4, 4, 1)
    other = network.file.tensor("other", (1, 4, 4, 1))
    network.file.operator("RELU", [network.input], other)
    with pytest.raises(ConversionError, match=r"wanted the outputs \['result'\], got \['other'\]"):
        network.convert(other, (1, 4, 4, 1))


def test_a_file_with_two_inputs_is_refused():
    file = TfliteWriter()
    first, second, result = (file.tensor(name, (1, 4, 4, 1)) for name in ("a", "b", "result"))
    file.operator("ADD", [first, second], result, options="AddOptions")
    weights = file.finish([first, second], [result])
    with pytest.raises(ConversionError, match="got 2 inputs"):
        convert(weights, Network(1, 4, 4, 1).card((1, 4, 4, 1), weights))


@pytest.mark.parametrize("kind", ["tflite", "dlib", "onnx"])
@pytest.mark.parametrize(
    "weights",
    [
        pytest.param(b"\0", id="one-byte"),
        pytest.param(b"<html>404</html>", id="another-file"),
        pytest.param(b"\x1c\x00\x00\x00TFL3" + bytes(range(256)), id="tflite-noise"),
        pytest.param(b"\x01\x01\x01\rloss_metric_2\x01\x05con_4\x01\x02\x02\x80\x12\x01", id="dlib-cut"),
        pytest.param(small_network()[:-40], id="onnx-cut"),
    ],
)
def test_bytes_that_are_something_else_are_a_conversion_error(kind, weights):
    with pytest.raises(ConversionError):
        convert(weights, small_card(weights, conversion=kind))


def test_a_dlib_file_of_another_network_is_refused():
    card = load_cards()["dlib-face"]
    with pytest.raises(ConversionError, match="layers of dlib's ResNet were expected, got 1 others"):
        convert(b"\x01\x06relu_", card)


def test_a_dlib_tensor_larger_than_its_file_is_refused():
    lengths = b"\x01\x02" + b"\x08\xff\xff\xff\xff\xff\xff\xff\x7f" + b"\x01\x01" * 3
    with pytest.raises(ConversionError, match="does not fit the file"):
        convert(b"\x01\x05con_4" + lengths, load_cards()["dlib-face"])


def test_an_onnx_file_gets_the_cards_names_and_free_axes():
    weights = small_network()
    card = small_card(weights)
    net = load_network(convert(weights, card), card)
    batch = np.ones((3, 3, 8, 4), np.float32)  # the file froze ten pictures of 32 x 32
    np.testing.assert_array_equal(net(batch)["twice"], 2 * batch)


def test_an_onnx_file_without_the_cards_output_is_refused():
    weights = small_network()
    outputs = [{"name": "twice", "tensor": "78", "shape": ["N"], "meaning": "Missing."}]
    with pytest.raises(ConversionError, match=r"outputs \['78'\], got inputs \['in.1'\] and outputs \['77'\]"):
        convert(weights, small_card(weights, outputs=outputs))


def test_the_same_weights_give_the_same_bytes():
    network = Network(1, 4, 4, 1)
    result = network.file.tensor("result", (1, 4, 4, 1))
    network.file.operator("PRELU", [network.input, network.constant(np.array([[[0.3]]], np.float32))], result)
    assert network.convert(result, (1, 4, 4, 1)) == network.convert(result, (1, 4, 4, 1))
