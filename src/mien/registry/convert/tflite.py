"""TensorFlow Lite in, ONNX out: float networks of the MediaPipe family.

The weights may be float32, float16 (DEQUANTIZE) or sparse (DENSIFY). TensorFlow Lite is NHWC; the result is
NCHW throughout, with a transpose only where a reshape needs the old order.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, TypeAlias, TypeVar

import numpy as np
import onnx
import tflite
from numpy.typing import NDArray

from mien.errors import ConversionError
from mien.inference.card import Card
from mien.registry.convert.graph import Graph

Floats: TypeAlias = NDArray[np.float32]
Options = TypeVar("Options")

_OPERATOR_NAMES = {code: name for name, code in vars(tflite.BuiltinOperator).items() if isinstance(code, int)}
_DTYPES: Mapping[int, type[np.generic]] = {
    tflite.TensorType.FLOAT32: np.float32,
    tflite.TensorType.FLOAT16: np.float16,
    tflite.TensorType.INT32: np.int32,
}
_NCHW_AXIS = (0, 2, 3, 1)  # where each NHWC axis goes


def convert_tflite(weights: bytes, card: Card) -> onnx.ModelProto:
    """Make an ONNX network of a `.tflite` file.

    Raises:
        ConversionError: It uses an operator, a type or a shape this converter does not know, or lacks an output
            of the card.
    """
    if not tflite.Model.ModelBufferHasIdentifier(weights, 0):
        raise ConversionError(f"{card.id}: this is not a TensorFlow Lite file")
    return _Conversion(tflite.Model.GetRootAs(weights, 0), card).run()


class _Conversion:
    """One network on its way. A tensor is known by its index in the file."""

    def __init__(self, model: Any, card: Card) -> None:
        self._model = model
        self._card = card
        self._file = model.Subgraphs(0)
        self._graph = Graph()
        self._constants: dict[int, NDArray[np.generic]] = {}
        self._tensors: dict[int, str] = {}

    def run(self) -> onnx.ModelProto:
        inputs = [int(index) for index in self._file.InputsAsNumpy()]
        if len(inputs) != 1 or len(self._shape(inputs[0])) != 4:
            raise ConversionError(f"{self._card.id}: wanted one input of four axes, got {len(inputs)} inputs")
        self._read_constants()
        self._tensors[inputs[0]] = self._card.image_input.name
        for index in range(self._file.OperatorsLength()):
            self._convert_operator(self._file.Operators(index))
        return self._graph.close(self._card, self._outputs())

    # --- reading the file -------------------------------------------------------------------------------

    def _tensor(self, index: int) -> Any:
        return self._file.Tensors(index)

    def _shape(self, index: int) -> list[int]:
        tensor = self._tensor(index)
        return [int(tensor.Shape(axis)) for axis in range(tensor.ShapeLength())]

    def _read_constants(self) -> None:
        for index in range(self._file.TensorsLength()):
            tensor = self._tensor(index)
            buffer = self._model.Buffers(tensor.Buffer())
            if buffer.DataLength() == 0:
                continue
            if tensor.Type() not in _DTYPES:
                raise ConversionError(f"{self._card.id}: tensor {tensor.Name()!r} has the unknown type {tensor.Type()}")
            values = np.frombuffer(buffer.DataAsNumpy().tobytes(), _DTYPES[tensor.Type()])
            sparse = tensor.Sparsity()
            shape = self._shape(index)
            self._constants[index] = values.reshape(shape) if sparse is None else densify(values, shape, sparse)

    def _outputs(self) -> list[str]:
        given = {self._tensor(int(i)).Name().decode(): int(i) for i in self._file.OutputsAsNumpy()}
        missing = [promised.tensor for promised in self._card.outputs if promised.tensor not in given]
        if missing:
            raise ConversionError(f"{self._card.id}: wanted the outputs {missing}, got {sorted(given)}")
        return [self._rows(given[promised.tensor]) for promised in self._card.outputs]

    def _floats(self, index: int) -> Floats:
        """Return a constant as float32; float16 weights lose nothing on the way."""
        if index not in self._constants:
            raise ConversionError(f"{self._card.id}: tensor {index} should be constant")
        return self._constants[index].astype(np.float32)

    def _value(self, index: int) -> str:
        """Return a tensor's name in the graph, NCHW; constants are written there on first use."""
        if index not in self._tensors:
            values = self._floats(index)
            if values.ndim == 4:
                values = values.transpose(0, 3, 1, 2)
            elif values.ndim == 3:
                values = values.transpose(2, 0, 1)
            elif values.ndim == 1 and values.size > 1:
                values = values.reshape(-1, 1, 1)  # one value per channel
            self._tensors[index] = self._graph.constant(values)
        return self._tensors[index]

    def _rows(self, index: int) -> str:
        """Return a tensor in the file's own order (NHWC), as a reshape must see it."""
        value = self._value(index)
        return self._graph.node("Transpose", [value], perm=[0, 2, 3, 1]) if len(self._shape(index)) == 4 else value

    # --- writing the graph ------------------------------------------------------------------------------

    def _convert_operator(self, operator: Any) -> None:
        code = self._model.OperatorCodes(operator.OpcodeIndex())
        # Files older than schema 3a have only the deprecated byte; newer ones put the larger value in the other.
        number = max(code.BuiltinCode(), code.DeprecatedBuiltinCode())
        name = _OPERATOR_NAMES.get(number, str(number))
        if number == tflite.BuiltinOperator.CUSTOM:
            name = code.CustomCode().decode()
        inputs = [operator.Inputs(i) for i in range(operator.InputsLength())]
        output = operator.Outputs(0)
        if name in ("DEQUANTIZE", "DENSIFY"):
            if inputs[0] not in self._constants:
                raise ConversionError(f"{self._card.id}: {name} of a tensor that is not constant")
            self._constants[output] = self._floats(inputs[0])
            return
        convert = self._OPERATORS.get(name)
        if convert is None:
            raise ConversionError(f"{self._card.id}: no ONNX for the TensorFlow Lite operator {name}")
        self._tensors[output] = convert(self, operator, inputs, output)

    def _activate(self, x: str, activation: int) -> str:
        kinds = tflite.ActivationFunctionType
        if activation == kinds.NONE:
            return x
        if activation == kinds.RELU:
            return self._graph.node("Relu", [x])
        if activation == kinds.RELU6:
            low, high = (self._graph.constant(np.array(bound, np.float32)) for bound in (0, 6))
            return self._graph.node("Clip", [x, low, high])
        raise ConversionError(f"{self._card.id}: no ONNX for the fused activation {activation}")

    def _pads(
        self, padding: int, index: int, kernel: Sequence[int], strides: Sequence[int], dilations: Sequence[int]
    ) -> list[int]:
        """Return ONNX pads for TensorFlow's SAME: the odd pixel goes to the bottom and right."""
        if padding == tflite.Padding.VALID:
            return [0, 0, 0, 0]
        before, after = [], []
        for length, size, stride, dilation in zip(self._shape(index)[1:3], kernel, strides, dilations, strict=True):
            total = max(0, (-(-length // stride) - 1) * stride + (size - 1) * dilation + 1 - length)
            before.append(total // 2)
            after.append(total - total // 2)
        return before + after

    def _convolve(self, x: int, weights: Floats, bias: int, options: Any, *, group: int) -> str:
        strides = [options.StrideH(), options.StrideW()]
        dilations = [options.DilationHFactor(), options.DilationWFactor()]
        kernel = list(weights.shape[2:])
        inputs = [self._value(x), self._graph.constant(weights)]
        if bias >= 0:
            inputs.append(self._graph.constant(self._floats(bias)))
        result = self._graph.node(
            "Conv",
            inputs,
            group=group,
            kernel_shape=kernel,
            strides=strides,
            dilations=dilations,
            pads=self._pads(options.Padding(), x, kernel, strides, dilations),
        )
        return self._activate(result, options.FusedActivationFunction())

    def _conv(self, operator: Any, inputs: list[int], _: int) -> str:
        weights = self._floats(inputs[1]).transpose(0, 3, 1, 2)  # OHWI to OIHW
        return self._convolve(inputs[0], weights, _bias(inputs), _read(operator, tflite.Conv2DOptions()), group=1)

    def _depthwise_conv(self, operator: Any, inputs: list[int], _: int) -> str:
        weights = self._floats(inputs[1]).transpose(3, 0, 1, 2)  # 1HWO to O1HW
        options = _read(operator, tflite.DepthwiseConv2DOptions())
        channels = self._shape(inputs[0])[3]
        return self._convolve(inputs[0], weights, _bias(inputs), options, group=channels)

    def _prelu(self, _: Any, inputs: list[int], __: int) -> str:
        return self._graph.prelu(self._value(inputs[0]), self._floats(inputs[1]).reshape(-1))

    def _add(self, operator: Any, inputs: list[int], _: int) -> str:
        result = self._graph.node("Add", [self._value(index) for index in inputs])
        return self._activate(result, _read(operator, tflite.AddOptions()).FusedActivationFunction())

    def _relu(self, _: Any, inputs: list[int], __: int) -> str:
        return self._graph.node("Relu", [self._value(inputs[0])])

    def _max_pool(self, operator: Any, inputs: list[int], _: int) -> str:
        options = _read(operator, tflite.Pool2DOptions())
        kernel = [options.FilterHeight(), options.FilterWidth()]
        strides = [options.StrideH(), options.StrideW()]
        pads = self._pads(options.Padding(), inputs[0], kernel, strides, (1, 1))
        x = self._value(inputs[0])
        result = self._graph.node("MaxPool", [x], kernel_shape=kernel, strides=strides, pads=pads)
        return self._activate(result, options.FusedActivationFunction())

    def _pad(self, _: Any, inputs: list[int], __: int) -> str:
        amounts = self._constants[inputs[1]].astype(np.int64)[[0, 3, 1, 2]]  # NHWC to NCHW
        return self._graph.node("Pad", [self._value(inputs[0]), self._graph.constant(amounts.T.reshape(-1))])

    def _reshape(self, _: Any, inputs: list[int], output: int) -> str:
        shape = self._shape(output)
        result = self._graph.reshape(self._rows(inputs[0]), [-1, *shape[1:]])
        return self._graph.node("Transpose", [result], perm=[0, 3, 1, 2]) if len(shape) == 4 else result

    def _concatenate(self, operator: Any, inputs: list[int], output: int) -> str:
        rank = len(self._shape(output))
        axis = _read(operator, tflite.ConcatenationOptions()).Axis() % rank
        axis = _NCHW_AXIS[axis] if rank == 4 else axis
        return self._graph.node("Concat", [self._value(index) for index in inputs], axis=axis)

    def _resize_bilinear(self, operator: Any, inputs: list[int], output: int) -> str:
        options = _read(operator, tflite.ResizeBilinearOptions())
        mode = "asymmetric"
        if options.HalfPixelCenters():
            mode = "half_pixel"
        elif options.AlignCorners():
            mode = "align_corners"
        (height, width), (old_height, old_width) = self._shape(output)[1:3], self._shape(inputs[0])[1:3]
        scales = self._graph.constant(np.array([1, 1, height / old_height, width / old_width], np.float32))
        return self._graph.node(
            "Resize", [self._value(inputs[0]), "", scales], mode="linear", coordinate_transformation_mode=mode
        )

    def _depth_to_space(self, operator: Any, inputs: list[int], _: int) -> str:
        block = _read(operator, tflite.DepthToSpaceOptions()).BlockSize()
        return self._graph.node("DepthToSpace", [self._value(inputs[0])], blocksize=block, mode="DCR")

    _OPERATORS: ClassVar[Mapping[str, Callable[["_Conversion", Any, list[int], int], str]]] = {
        "ADD": _add,
        "CONCATENATION": _concatenate,
        "CONV_2D": _conv,
        "DEPTHWISE_CONV_2D": _depthwise_conv,
        "DEPTH_TO_SPACE": _depth_to_space,
        "MAX_POOL_2D": _max_pool,
        "PAD": _pad,
        "PRELU": _prelu,
        "RELU": _relu,
        "RESHAPE": _reshape,
        "RESIZE_BILINEAR": _resize_bilinear,
    }


def densify(values: NDArray[np.generic], shape: Sequence[int], sparsity: Any) -> NDArray[np.generic]:
    """Spread the stored values of a sparse tensor over zeros.

    Args:
        values: The values that are not zero, in storage order.
        shape: The full tensor's shape.
        sparsity: TensorFlow Lite's `SparsityParameters`: the axes in the order they are walked, blocks after whole
            axes; each level is dense (every index) or compressed rows (segments and indices).

    Source:
        The format of TACO (Kjolstad et al. 2017, doi:10.1145/3133901), as `schema.fbs` describes it.
    """
    rank = len(shape)
    order = [sparsity.TraversalOrder(i) for i in range(sparsity.TraversalOrderLength())]
    block_axes = [sparsity.BlockMap(i) for i in range(sparsity.BlockMapLength())]
    block_sizes = [1] * rank
    for level, axis in enumerate(order):
        if axis >= rank:
            block_sizes[block_axes[axis - rank]] = sparsity.DimMetadata(level).DenseSize()

    at = [np.zeros(1, np.int64) for _ in shape]  # where each entry found so far lies, per axis
    entries = np.zeros(1, np.int64)  # its place in this level's arrays
    for level, axis in enumerate(order):
        metadata = sparsity.DimMetadata(level)
        if metadata.Format() == tflite.DimensionType.DENSE:
            counts = np.full(len(entries), metadata.DenseSize())
            starts = entries * metadata.DenseSize()
        else:
            segments = _index_vector(metadata.ArraySegmentsType(), metadata.ArraySegments())
            starts = segments[entries]
            counts = segments[entries + 1] - starts
        parents = np.repeat(np.arange(len(entries)), counts)
        index = np.arange(len(parents)) - np.repeat(np.cumsum(counts) - counts, counts)
        entries = starts[parents] + index
        if metadata.Format() != tflite.DimensionType.DENSE:
            index = _index_vector(metadata.ArrayIndicesType(), metadata.ArrayIndices())[entries]
        at = [places[parents] for places in at]
        if axis < rank:
            at[axis] += index * block_sizes[axis]
        else:
            at[block_axes[axis - rank]] += index

    full = np.zeros(shape, values.dtype)
    full[tuple(at)] = values[entries]
    return full


def _index_vector(kind: int, table: Any) -> NDArray[np.int64]:
    """Read one of the three integer vectors that sparsity metadata may use."""
    kinds = tflite.SparseIndexVector
    vector = {
        kinds.Int32Vector: tflite.Int32Vector,
        kinds.Uint16Vector: tflite.Uint16Vector,
        kinds.Uint8Vector: tflite.Uint8Vector,
    }[kind]()
    vector.Init(table.Bytes, table.Pos)
    indices: NDArray[np.int64] = vector.ValuesAsNumpy().astype(np.int64)
    return indices


def _read(operator: Any, options: Options) -> Options:
    """Point `options`, an empty table of the right kind, at an operator's own options."""
    table = operator.BuiltinOptions()
    if table is None:
        raise ConversionError(f"an operator lacks its {type(options).__name__}")
    options.Init(table.Bytes, table.Pos)  # type: ignore[attr-defined]  # every flatbuffers table has it
    return options


def _bias(inputs: Sequence[int]) -> int:
    """Return the bias's index, or -1 where a convolution has none."""
    return inputs[2] if len(inputs) > 2 else -1
