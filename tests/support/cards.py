"""Small networks with cards of their own, and packages that carry them."""

import hashlib
import io
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from mien.inference.card import Card, Source

MEMBER = "faces/weights.onnx"


def sha256(data: bytes) -> str:
    """Return a digest as a card spells it."""
    return hashlib.sha256(data).hexdigest()


def small_network(*, factor: float = 2.0) -> bytes:
    """Return a network that multiplies, exported the old way: constants are inputs, the batch is frozen."""
    edges = {name: helper.make_tensor_value_info(name, TensorProto.FLOAT, [10, 3, 32, 32]) for name in ("in.1", "77")}
    weight = numpy_helper.from_array(np.full((3, 1, 1, 1), factor, np.float32), "w")
    graph = helper.make_graph(
        [helper.make_node("Conv", ["in.1", "w"], ["77"], group=3, kernel_shape=[1, 1])],
        "small",
        [edges["in.1"], helper.make_tensor_value_info("w", TensorProto.FLOAT, [3, 1, 1, 1])],
        [edges["77"]],
        [weight],
    )
    model = helper.make_model(graph, ir_version=3, opset_imports=[helper.make_opsetid("", 9)])
    onnx.checker.check_model(model)
    data: bytes = model.SerializeToString()
    return data


def card_values(weights: bytes, sources: list[Source], **changes: Any) -> dict[str, Any]:
    """Return the content of a card for `small_network`."""
    values: dict[str, Any] = {
        "id": "small",
        "title": "Small",
        "use": "detector",
        "default": True,
        "conversion": "onnx",
        "licence": "CC0-1.0",
        "provenance": "Made by this test.",
        "limits": ["Finds nothing."],
        "weights": {"sha256": sha256(weights), "bytes": len(weights)},
        "sources": [source.model_dump() for source in sources],
        "input": {"layout": "NCHW", "colour": "RGB", "stride": 4, "mean": 0.0, "scale": 1.0},
        "outputs": [{"name": "twice", "tensor": "77", "shape": ["N", 3, "h", "w"], "meaning": "Twice the input."}],
    }
    return values | changes


def small_card(weights: bytes, *sources: Source, **changes: Any) -> Card:
    """Return a card for `small_network`, by default from a place that does not exist."""
    given = list(sources) or [https_source("https://127.0.0.1:9/small.onnx", weights)]
    return Card.model_validate(card_values(weights, given, **changes))


def https_source(url: str, data: bytes, *, file: str = "small.onnx", member: str | None = None) -> Source:
    """Return a source for a plain file on a server."""
    return Source(package=url, file=file, sha256=sha256(data), bytes=len(data), member=member)


def write_wheel(folder: Path, weights: bytes, *, tag: str = "py3-none-any", name: str = "faces") -> Source:
    """Write a wheel that carries `weights`, for whatever machine `tag` says."""
    path = folder / f"{name}-1.0-{tag}.whl"
    info = f"{name}-1.0.dist-info"
    with zipfile.ZipFile(path, "w") as wheel:
        wheel.writestr(MEMBER, weights)
        wheel.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        wheel.writestr(f"{info}/WHEEL", f"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: {tag}\n")
        wheel.writestr(f"{info}/RECORD", "")
    return _package_source(path, f"pypi:{name}==1.0", MEMBER)


def write_sdist(folder: Path, weights: bytes, *, footprint: Path, name: str = "faces") -> Source:
    """Write a source package whose build code leaves a `footprint` when it is run."""
    backend = f"""
import os
open({str(footprint)!r}, "w").close()
def build_wheel(*_):
    raise RuntimeError("a download builds nothing")
def prepare_metadata_for_build_wheel(folder, *_):
    os.mkdir(os.path.join(folder, "{name}-1.0.dist-info"))
    with open(os.path.join(folder, "{name}-1.0.dist-info", "METADATA"), "w") as file:
        file.write("Metadata-Version: 2.1\\nName: {name}\\nVersion: 1.0\\n")
    return "{name}-1.0.dist-info"
"""
    project = '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
    root = f"{name}-1.0"
    path = folder / f"{root}.tar.gz"
    files = {
        "pyproject.toml": project.encode(),
        "backend.py": backend.encode(),
        "PKG-INFO": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n".encode(),
        MEMBER: weights,
    }
    write_tar(path, {f"{root}/{member}": data for member, data in files.items()})
    return _package_source(path, f"pypi:{name}==1.0", f"{root}/{MEMBER}")


def write_npm_tarball(folder: Path, weights: bytes, *, name: str = "faces") -> Source:
    """Write what `npm pack` brings."""
    path = folder / f"{name}-1.0.0.tgz"
    manifest = f'{{"name": "{name}", "version": "1.0.0"}}'.encode()
    write_tar(path, {"package/package.json": manifest, f"package/{MEMBER}": weights})
    return _package_source(path, f"npm:{name}@1.0.0", f"package/{MEMBER}")


def write_tar(path: Path, files: dict[str, bytes]) -> None:
    """Write a compressed tar of plain files."""
    with tarfile.open(path, "w:gz") as archive:
        for member, data in files.items():
            entry = tarfile.TarInfo(member)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))


def _package_source(path: Path, package: str, member: str) -> Source:
    data = path.read_bytes()
    return Source(package=package, file=path.name, sha256=sha256(data), bytes=len(data), member=member)
