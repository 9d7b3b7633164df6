"""Derive the face mesh's texture coordinates and triangles from their published sources.

Run once; the result, `src/mien/vision/mesh/topology.npz`, is kept in git:

    npm pack @tensorflow-models/facemesh@0.0.5
    pip download --no-deps --only-binary=:all: --python-version 3.11 mediapipe==0.10.21
    python scripts/make_topology.py tensorflow-models-facemesh-0.0.5.tgz mediapipe-0.10.21-*.whl

Sources, both Apache-2.0, copyright Google LLC and The MediaPipe Authors:
    `dist/uv_coords.js` of the npm package gives where each of the 468 landmarks lies in the flat texture;
    `face_mesh_connections.py` of the wheel lists the edges, three in a row for every triangle.
"""

import argparse
import ast
import re
import tarfile
import zipfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

UV_FILE = "package/dist/uv_coords.js"
EDGE_FILE = "mediapipe/python/solutions/face_mesh_connections.py"
TARGET = Path(__file__).parent.parent / "src/mien/vision/mesh/topology.npz"


def read_uv(package: Path) -> NDArray[np.float32]:
    with tarfile.open(package) as archive:
        member = archive.extractfile(UV_FILE)
        if member is None:
            raise SystemExit(f"{package} has no file {UV_FILE}")
        script = member.read().decode()
    pairs = re.findall(r"\[\s*(-?[\d.]+),\s*(-?[\d.]+)\s*\]", script)
    return np.array(pairs, dtype=np.float32)


def read_triangles(wheel: Path) -> NDArray[np.int32]:
    with zipfile.ZipFile(wheel) as archive:
        source = archive.read(EDGE_FILE).decode()
    # The edges are read as written: imported, they are a frozenset and their order, three a triangle, is lost.
    for statement in ast.parse(source).body:
        if isinstance(statement, ast.Assign) and ast.unparse(statement.targets[0]) == "FACEMESH_TESSELATION":
            literal = next(node for node in ast.walk(statement.value) if isinstance(node, ast.List))
            edges = np.array(ast.literal_eval(literal), dtype=np.int32).reshape(-1, 3, 2)
            if (edges[:, :, 1] != np.roll(edges[:, :, 0], -1, axis=1)).any():
                raise SystemExit("three edges in a row do not close a triangle")
            return np.ascontiguousarray(edges[:, :, 0])
    raise SystemExit(f"{wheel} lists no FACEMESH_TESSELATION")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("facemesh", type=Path)
    parser.add_argument("mediapipe", type=Path)
    parser.add_argument("target", type=Path, nargs="?", default=TARGET)
    wanted = parser.parse_args()
    uv, triangles = read_uv(wanted.facemesh), read_triangles(wanted.mediapipe)
    if uv.shape != (468, 2) or triangles.shape != (852, 3):
        raise SystemExit(f"wanted 468 points and 852 triangles, got {uv.shape} and {triangles.shape}")
    np.savez_compressed(wanted.target, uv=uv, triangles=triangles)
    print(f"{wanted.target}: {len(uv)} texture points, {len(triangles)} triangles")


if __name__ == "__main__":
    main()
