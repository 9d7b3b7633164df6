"""Networks run by onnxruntime, on the execution providers that the operator names."""

from collections.abc import Mapping, Sequence
from typing import Final, Literal, TypeAlias

from mien.errors import ContractError, ProviderError
from mien.inference.ort import ort
from mien.inference.ports import Edge, Tensors

Provider: TypeAlias = Literal["cpu", "cuda", "tensorrt", "openvino", "coreml", "directml", "rocm", "migraphx"]
DEFAULT_PROVIDERS: Final[tuple[Provider, ...]] = ("cpu",)

_NAMES: Final[dict[str, str]] = {
    "cpu": "CPUExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "tensorrt": "TensorrtExecutionProvider",
    "openvino": "OpenVINOExecutionProvider",
    "coreml": "CoreMLExecutionProvider",
    "directml": "DmlExecutionProvider",
    "rocm": "ROCMExecutionProvider",
    "migraphx": "MIGraphXExecutionProvider",
}
_DTYPES: Final = {"float": "float32", "double": "float64"}
"""onnxruntime's names that NumPy does not share."""
_ERRORS_ONLY: Final = 3  # onnxruntime's severity scale: its warnings speak of old exporters, not of us


class OrtSession:
    """A network in onnxruntime (the port `InferenceSession`).

    Args:
        network: The ONNX file.
        name: What to call it in errors.
        providers: Where to run it: each operator on the first of these that can.
        threads: For one run. These networks are small: a second thread never helped.

    Raises:
        ProviderError: A provider is unknown or cannot be used here.
        ContractError: The network cannot be loaded.
    """

    def __init__(
        self, network: bytes, *, name: str, providers: Sequence[str] = DEFAULT_PROVIDERS, threads: int = 1
    ) -> None:
        wanted = check_providers(providers)
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
        options.log_severity_level = _ERRORS_ONLY
        # A spinning pool burns a core between frames for a few microseconds' gain.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        try:
            session = ort.InferenceSession(network, options, providers=wanted)
        except Exception as error:  # onnxruntime raises a dozen classes that share no base
            raise ContractError(f"{name}: onnxruntime cannot load the network: {error}") from error
        # Where a provider's libraries are missing onnxruntime goes on without it, and says so to nobody.
        missing = [each for each in wanted if each not in session.get_providers()]
        if missing:
            raise ProviderError(
                f"{name}: {', '.join(missing)} cannot be used on this machine; its libraries are missing"
            )
        self._session = session
        self._inputs, self._outputs = _edges(session.get_inputs()), _edges(session.get_outputs())
        self._names = list(self._outputs)

    @property
    def inputs(self) -> Mapping[str, Edge]:
        """What the network takes."""
        return self._inputs

    @property
    def outputs(self) -> Mapping[str, Edge]:
        """What the network gives."""
        return self._outputs

    def run(self, inputs: Tensors, /) -> Tensors:
        """Return all outputs for these inputs."""
        return dict(zip(self._names, self._session.run(self._names, inputs), strict=True))


def check_providers(providers: Sequence[str]) -> list[str]:
    """Return onnxruntime's names of execution providers.

    Raises:
        ProviderError: There is none of such a name, or this installation of onnxruntime has it not.
    """
    unknown = [name for name in providers if name not in _NAMES]
    if unknown or not providers:
        raise ProviderError(f"an execution provider is one of {', '.join(_NAMES)}, got {', '.join(unknown) or 'none'}")
    available = ort.get_available_providers()
    missing = [name for name in providers if _NAMES[name] not in available]
    if missing:
        has = ", ".join(name for name, spelled in _NAMES.items() if spelled in available)
        raise ProviderError(f"this installation of onnxruntime has no {', '.join(missing)}; it has {has}")
    return [_NAMES[name] for name in providers]


def _edges(arguments: Sequence[ort.NodeArg]) -> dict[str, Edge]:
    return {each.name: Edge(tuple(each.shape), _dtype(each.type)) for each in arguments}


def _dtype(spelled: str) -> str:
    """Return NumPy's name of what onnxruntime spells "tensor(float)"."""
    inner = spelled.removeprefix("tensor(").removesuffix(")")
    return _DTYPES.get(inner, inner)
