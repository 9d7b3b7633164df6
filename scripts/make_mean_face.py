"""Derive the shape of nobody's face: the median of the meshes of many synthetic portraits, made symmetric.

Run once; the result, `src/mien/vision/swap/masks/mean_face.npy`, is kept in git:

    python scripts/make_mean_face.py FOLDER_OF_SYNTHETIC_PORTRAITS

The kept file was made from 61 near-frontal portraits of people who do not exist (SFHQ, MIT, and FLUX, Apache-2.0).
"""

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mien.app.factory import VisionFactory
from mien.config import Settings
from mien.errors import FacePhotoError
from mien.media.files.images import decode_image
from mien.registry.runtime import Runtime
from mien.registry.store import Store
from mien.vision.analysis.landmarks import yaw_of_mesh
from mien.vision.mesh.topology import LANDMARKS, UV

TARGET = Path(__file__).parent.parent / "src/mien/vision/swap/masks/mean_face.npy"
FRONTAL = 0.12
Shape = NDArray[np.float64]


def onto(mesh: Shape, goal: Shape) -> Shape:
    """Turn, scale and shift `mesh` onto `goal`, whose mean is the origin (Umeyama 1991)."""
    a = mesh - mesh.mean(axis=0)
    u, s, vt = np.linalg.svd(goal.T @ a)
    flip = np.diag([1.0, 1.0, np.sign(np.linalg.det(u @ vt))])
    scale = float((s * np.diag(flip)).sum() / (a * a).sum())
    return np.asarray(scale * a @ (u @ flip @ vt).T)


def mirror(mesh: Shape) -> Shape:
    """Exchange left and right, by the places of the landmarks in the flat texture."""
    flat = UV[:LANDMARKS] - UV[:LANDMARKS].mean(axis=0)
    partner = (((flat * (-1, 1))[:, None] - flat[None]) ** 2).sum(axis=-1).argmin(axis=1)
    return np.asarray(mesh[partner] * (-1, 1, 1))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path)
    eyes = VisionFactory(Runtime(Store(Settings().models_dir)))
    meshes = []
    for path in sorted(parser.parse_args().folder.glob("*.jpg")):
        try:
            mesh = eyes.assessor.one_face(decode_image(path.read_bytes(), name=path.name), name=path.name).mesh
        except FacePhotoError as error:
            print(error)
            continue
        if yaw_of_mesh(mesh) <= FRONTAL:
            meshes.append(mesh.astype(np.float64))
    mean = meshes[0] - meshes[0].mean(axis=0)
    for _ in range(5):
        mean = np.median([onto(mesh, mean) for mesh in meshes], axis=0)
        mean -= mean.mean(axis=0)
    mean = (mean + onto(mirror(mean), mean)) / 2
    mean = (mean + mirror(mean)) / 2
    np.save(TARGET, (mean / np.ptp(mean[:, 1])).astype(np.float16))
    print(f"{len(meshes)} faces, written to {TARGET.name}")


if __name__ == "__main__":
    main()
