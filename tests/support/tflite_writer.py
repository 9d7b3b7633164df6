"""Write small TensorFlow Lite files, so that each operator's conversion can be tested by itself."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import flatbuffers
import numpy as np
import tflite
from numpy.typing import NDArray

CUSTOM = tflite.BuiltinOperator.CUSTOM


@dataclass
class TfliteWriter:
    """One network. Tensors are numbered in the order they are added."""

    _tensors: list[dict[str, Any]] = field(default_factory=list)
    _operators: list[tuple[int, str, list[int], int, str, dict[str, int]]] = field(default_factory=list)

    def tensor(
        self,
        name: str,
        shape: Sequence[int],
        values: NDArray[np.generic] | None = None,
        *,
        sparsity: "Sparsity | None" = None,
        kind: int | None = None,
    ) -> int:
        """Add a tensor, constant if it has values."""
        kinds = {np.dtype(np.float16): tflite.TensorType.FLOAT16, np.dtype(np.int32): tflite.TensorType.INT32}
        if kind is None:
            kind = tflite.TensorType.FLOAT32 if values is None else kinds.get(values.dtype, tflite.TensorType.FLOAT32)
        self._tensors.append({"name": name, "shape": list(shape), "values": values, "kind": kind, "sparsity": sparsity})
        return len(self._tensors) - 1

    def operator(
        self, name: str, inputs: Sequence[int], output: int, *, options: str = "", custom: str = "", **values: int
    ) -> None:
        """Add an operator; `options` names the table of its `values`, as in `Conv2DOptions`."""
        code = getattr(tflite.BuiltinOperator, name)
        self._operators.append((code, custom, list(inputs), output, options, values))

    def finish(self, inputs: Sequence[int], outputs: Sequence[int]) -> bytes:
        """Return the file."""
        builder = flatbuffers.Builder(1024)
        # Buffer 0 is the empty one that tensors without values share.
        buffers = [_table(builder, "Buffer", {})]
        tensors = []
        for tensor in self._tensors:
            buffer = 0
            if tensor["values"] is not None:
                buffer = len(buffers)
                data = builder.CreateByteVector(np.ascontiguousarray(tensor["values"]).tobytes())
                buffers.append(_table(builder, "Buffer", {"Data": data}))
            fields = {
                "Shape": _integers(builder, tensor["shape"]),
                "Type": tensor["kind"],
                "Buffer": buffer,
                "Name": builder.CreateString(tensor["name"]),
            }
            if tensor["sparsity"] is not None:
                fields["Sparsity"] = tensor["sparsity"].write(builder)
            tensors.append(_table(builder, "Tensor", fields))
        operators, codes = [], []
        for number, (code, custom, operator_inputs, output, options, values) in enumerate(self._operators):
            code_fields: dict[str, Any] = {"DeprecatedBuiltinCode": min(code, 127), "BuiltinCode": code}
            if custom:
                code_fields["CustomCode"] = builder.CreateString(custom)
            codes.append(_table(builder, "OperatorCode", code_fields))
            fields = {
                "OpcodeIndex": number,
                "Inputs": _integers(builder, operator_inputs),
                "Outputs": _integers(builder, [output]),
            }
            if options:
                fields["BuiltinOptions"] = _table(builder, options, values)
                fields["BuiltinOptionsType"] = getattr(tflite.BuiltinOptions, options)
            operators.append(_table(builder, "Operator", fields))
        graph = _table(
            builder,
            "SubGraph",
            {
                "Tensors": _offsets(builder, tensors),
                "Inputs": _integers(builder, inputs),
                "Outputs": _integers(builder, outputs),
                "Operators": _offsets(builder, operators),
            },
        )
        model = _table(
            builder,
            "Model",
            {
                "Version": 3,
                "OperatorCodes": _offsets(builder, codes),
                "Subgraphs": _offsets(builder, [graph]),
                "Buffers": _offsets(builder, buffers),
            },
        )
        builder.Finish(model, file_identifier=b"TFL3")
        return bytes(builder.Output())


@dataclass
class Sparsity:
    """How a sparse tensor is stored. A level is a size, or segments and indices."""

    order: Sequence[int]
    levels: Sequence[int | tuple[Sequence[int], Sequence[int]]]
    block_map: Sequence[int] = ()

    def write(self, builder: flatbuffers.Builder) -> int:
        """Write the table and return where it is."""
        levels = []
        for level in self.levels:
            if isinstance(level, int):
                levels.append(
                    _table(builder, "DimensionMetadata", {"Format": tflite.DimensionType.DENSE, "DenseSize": level})
                )
                continue
            segments, indices = level
            fields = {
                "Format": tflite.DimensionType.SPARSE_CSR,
                "ArraySegmentsType": tflite.SparseIndexVector.Int32Vector,
                "ArraySegments": _table(builder, "Int32Vector", {"Values": _integers(builder, segments)}),
                "ArrayIndicesType": tflite.SparseIndexVector.Uint8Vector,
                "ArrayIndices": _table(builder, "Uint8Vector", {"Values": builder.CreateByteVector(bytes(indices))}),
            }
            levels.append(_table(builder, "DimensionMetadata", fields))
        fields = {"TraversalOrder": _integers(builder, self.order), "DimMetadata": _offsets(builder, levels)}
        if self.block_map:
            fields["BlockMap"] = _integers(builder, self.block_map)
        return _table(builder, "SparsityParameters", fields)


def _table(builder: flatbuffers.Builder, name: str, fields: Mapping[str, int]) -> int:
    _function(name, "Start")(builder)
    for key, value in fields.items():
        _function(name, f"Add{key}")(builder, value)
    where: int = _function(name, "End")(builder)
    return where


def _function(table: str, verb: str) -> Callable[..., Any]:
    function: Callable[..., Any] = getattr(tflite, f"{table}{verb}")
    return function


def _integers(builder: flatbuffers.Builder, values: Sequence[int]) -> int:
    where: int = builder.CreateNumpyVector(np.array(values, np.int32))
    return where


def _offsets(builder: flatbuffers.Builder, values: Sequence[int]) -> int:
    builder.StartVector(4, len(values), 4)
    for value in reversed(values):
        builder.PrependUOffsetTRelative(value)
    where: int = builder.EndVector()
    return where
