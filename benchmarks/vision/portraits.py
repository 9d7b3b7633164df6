"""Portraits set in motion by code: heads that sway, turn, shrink and darken, and where each one is."""

import zlib
from dataclasses import dataclass, replace

import cv2
import numpy as np

from mien.vision.analysis.landmarks import box_of_mesh
from mien.vision.mesh.texture_map import rasterise
from mien.vision.mesh.topology import OUTERMOST_RING_POINTS, SURROUNDED, with_outer_rings
from mien.vision.types import Image, Mesh


@dataclass(frozen=True, slots=True)
class Portrait:
    """A photo of one face, its mesh laid.

    Attributes:
        name: Who it is.
        image: Cut to head and shoulders.
        mesh: In pixels of `image`.
    """

    name: str
    image: Image
    mesh: Mesh

    @property
    def face_px(self) -> float:
        """Width of the face in pixels."""
        box = box_of_mesh(self.mesh)
        return float(box[2] - box[0])


@dataclass(frozen=True, slots=True)
class View:
    """How a face appears in one frame.

    Attributes:
        face_px: Width of the face when it is frontal.
        yaw: Degrees; positive turns it to the image's right.
        pitch: Degrees; positive looks down.
        roll: Degrees, clockwise.
        light: Exponent of darkness: 1 as in the photo, 2.5 a dark room.
        blur_px: Length of the motion blur.
        noise: Standard deviation of the sensor's noise, of 255.
        jpeg: Quality of the compression, 100 for none.
    """

    face_px: float = 96
    yaw: float = 0
    pitch: float = 0
    roll: float = 0
    light: float = 1.0
    blur_px: float = 0
    noise: float = 0
    jpeg: int = 100


def cut_portrait(name: str, image: Image, mesh: Mesh, *, face_px: float = 200) -> Portrait:
    """Cut head and shoulders out of a photo and bring the face to at most `face_px` pixels of width."""
    x0, y0, x1, y1 = box_of_mesh(mesh)
    height, width = image.shape[:2]
    w, h = x1 - x0, y1 - y0
    left, top = max(0, int(x0 - 0.7 * w)), max(0, int(y0 - 0.6 * h))
    right, bottom = min(width, int(x1 + 0.7 * w)), min(height, int(y1 + 0.5 * h))
    scale = min(1.0, face_px / float(w))
    cut = cv2.resize(image[top:bottom, left:right], None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    moved = (mesh - np.array([left, top, 0], np.float32)) * np.float32(scale)
    return Portrait(name, np.asarray(cut, np.uint8), moved.astype(np.float32))


def turned(portrait: Portrait, *, yaw: float, pitch: float) -> Portrait:
    """Turn the head in space, as far as one photo allows: the face as a body, hair and neck stretch after it.

    Nothing that the photo does not show appears: what it shows of the far side is hidden, the near side is stretched.
    """
    if not yaw and not pitch:
        return portrait
    mesh = portrait.mesh
    y, p = np.radians([yaw, pitch])
    about_y = np.array([[np.cos(y), 0, -np.sin(y)], [0, 1, 0], [np.sin(y), 0, np.cos(y)]])
    about_x = np.array([[1, 0, 0], [0, np.cos(p), np.sin(p)], [0, -np.sin(p), np.cos(p)]])
    centre = mesh[[234, 454]].mean(axis=0)
    after = ((mesh - centre) @ (about_x @ about_y).T + centre).astype(np.float32)
    before, moved = with_outer_rings(mesh), with_outer_rings(after)
    moved[OUTERMOST_RING_POINTS] = before[OUTERMOST_RING_POINTS]
    height, width = portrait.image.shape[:2]
    values = np.column_stack([before[:, :2], np.ones(len(before), np.float32)])
    source = rasterise(moved, values, SURROUNDED, (width, height))
    places = np.stack(np.meshgrid(np.arange(width), np.arange(height)), -1).astype(np.float32)
    places = np.where(source[..., 2:] > 0.5, source[..., :2], places)
    image = cv2.remap(portrait.image, places[..., 0], places[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return replace(portrait, image=np.asarray(image, np.uint8), mesh=after)


def seen_as(portrait: Portrait, look: View, *, seed: int = 0) -> tuple[Image, Mesh]:
    """Return the portrait as a camera would see it, and where its mesh truly is."""
    posed = turned(portrait, yaw=look.yaw, pitch=look.pitch)
    scale = look.face_px / portrait.face_px
    height, width = posed.image.shape[:2]
    side = int(np.hypot(width, height) * scale) + 8
    place = cv2.getRotationMatrix2D((width / 2, height / 2), -look.roll, scale)
    place[:, 2] += np.array([(side - width) / 2, (side - height) / 2])
    small = posed.image if scale >= 1 else cv2.GaussianBlur(posed.image, (0, 0), 0.45 / scale)
    image = cv2.warpAffine(small, place, (side, side), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    mesh = posed.mesh.copy()
    mesh[:, :2] = mesh[:, :2] @ place[:, :2].T + place[:, 2]
    return as_taken(np.asarray(image, np.uint8), look, seed=seed), mesh


def as_taken(image: Image, look: View, *, seed: int = 0) -> Image:
    """Apply what light, motion, sensor and compression do to a picture."""
    if look.blur_px >= 2:
        kernel = np.zeros((round(look.blur_px) | 1,) * 2, np.float32)
        kernel[len(kernel) // 2] = 1 / len(kernel)
        image = np.asarray(cv2.filter2D(image, -1, kernel, borderType=cv2.BORDER_REPLICATE), np.uint8)
    if look.light != 1.0:
        table = (255 * (np.arange(256) / 255) ** look.light).astype(np.uint8)
        image = np.asarray(cv2.LUT(image, table), np.uint8)
    if look.noise:
        noise = np.random.default_rng(seed).normal(0, look.noise, image.shape)
        image = np.clip(image + noise, 0, 255).astype(np.uint8)
    if look.jpeg < 100:
        _ok, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, look.jpeg])
        image = np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)
    return image


def is_development(name: str, *, share: float) -> bool:
    """Tell on which side of the fixed split a person is; limits are chosen on the development side alone."""
    return zlib.crc32(f"split{name}".encode()) % 10000 < 10000 * share
