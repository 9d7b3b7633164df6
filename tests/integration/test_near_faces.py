"""Faces larger than the frame, through the real networks: hidden in every frame, in films, live and in stills."""

import itertools
from dataclasses import replace

import cv2
import numpy as np
import pytest
from skimage import data

from mien.app.face_photos import BuiltInMask
from mien.app.files.options import file_spec
from mien.app.ports import StreamSpec
from mien.vision.analysis.tiles import Tile, near_tile
from mien.vision.render.label import Label
from support.scenes import ASTRONAUT_FACE_XYXY, astronaut_frame

pytestmark = pytest.mark.models
FPS = 15.0
LEFT, TOP, RIGHT, BOTTOM = ASTRONAUT_FACE_XYXY
MIDDLE = np.array([(LEFT + RIGHT) / 2, (TOP + BOTTOM) / 2])
HEIGHT = BOTTOM - TOP


class NoLabel(Label):
    """Draws nothing: a label over a face would count as its cover."""

    def draw(self, image, *_args, **_how):
        """Leave the picture as it is."""


def tile(times, *, size_wh=(480, 270), aside=(0.0, 0.0), roll=0.0):
    """Return the astronaut's face so many times as tall as the frame, and which pixels of the frame show it.

    `aside` moves the middle of the face from the frame's, in frame widths and heights; `roll` is in degrees.
    """
    width, height = size_wh
    scale = times * height / HEIGHT
    place = cv2.getRotationMatrix2D(tuple(MIDDLE), roll, scale)
    place[:, 2] += np.array([width * (0.5 + aside[0]), height * (0.5 + aside[1])]) - MIDDLE
    image = cv2.warpAffine(data.astronaut(), place, size_wh, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT)
    face = np.zeros(data.astronaut().shape[:2], np.uint8)
    axes = (round((RIGHT - LEFT) / 2), round(HEIGHT / 2))
    cv2.ellipse(face, tuple(int(v) for v in MIDDLE), axes, 0, 0, 360, 255, -1)
    return image, cv2.warpAffine(face, place, size_wh) > 127


def treated(pipeline, images):
    pipeline._renderer._label = NoLabel("en")
    out = [pipeline(image.copy(), at=number / FPS) for number, image in enumerate(images)]
    return [frame for frame in itertools.chain(out, pipeline.flush()) if frame is not None]


def bare(frame, image, face):
    """Return the share of the face that can be seen; a cell may have the colour that was there."""
    changed = (frame.image != image).any(axis=-1).astype(np.uint8)
    changed = cv2.morphologyEx(changed, cv2.MORPH_CLOSE, np.ones((5, 5), np.uint8))
    return 1 - float(changed[face].mean())


WAYS = {
    "leaning in and out": [
        {"times": t} for t in (*np.geomspace(0.4, 2.2, 16), *[2.2] * 4, *np.geomspace(2.2, 0.4, 10))
    ],
    "turning over": [{"times": 1.4, "roll": roll} for roll in range(0, 360, 30)],
    "along the edges": [
        {"times": 1.4, "aside": (0.3 * np.sin(turn), -0.25 * np.cos(turn))} for turn in np.linspace(0, 2 * np.pi, 14)
    ],
    "in portrait": [{"times": t, "size_wh": (270, 480)} for t in (*np.geomspace(0.4, 1.4, 8), *[1.4] * 3)],
    "from the first frame": [{"times": 2.0}] * 5,
}


@pytest.mark.parametrize("kind", ["file", "live"])
@pytest.mark.parametrize("way", list(WAYS))
def test_a_near_face_is_hidden_in_every_frame(factory, way, kind):
    shots = [tile(**how) for how in WAYS[way]]
    pipeline = factory.pipeline(file_spec(mosaic=True), fps=FPS) if kind == "file" else factory.build(StreamSpec())
    frames = treated(pipeline, [image for image, _face in shots])
    assert len(frames) == len(shots)
    seen = [bare(frame, *shot) for frame, shot in zip(frames, shots, strict=True)]
    assert max(seen) < 0.1


@pytest.mark.parametrize("roll", [0, 90, 180, 270])
@pytest.mark.parametrize("times", [1.0, 2.2])
def test_a_near_face_on_a_still_is_hidden(factory, times, roll):
    image, face = tile(times, roll=roll)
    (frame,) = treated(factory.pipeline(file_spec(mosaic=True), still=True), [image])
    assert bare(frame, image, face) < 0.1


def test_a_near_face_whose_mesh_holds_is_swapped(factory):
    shots = [tile(1.1, aside=(0.01 * np.sin(n), 0.0)) for n in range(10)]
    pipeline = factory.pipeline(file_spec(swap_to=BuiltInMask("volto")), fps=FPS)
    frames = treated(pipeline, [image for image, _face in shots])
    assert sum(frame.counts.get("swap", 0) for frame in frames) >= 8


def test_an_upright_face_that_is_shown_on_its_side_is_one_face(factory):
    # Compressed, swaying and of many sizes: the quick detector often sees another one that lies around it.
    for number in range(24):
        size_wh = ((1280, 720), (640, 360), (320, 180))[number % 3]
        image = astronaut_frame(1.7 * number, face_px=round((0.28 + 0.006 * number) * size_wh[1]), size_wh=size_wh)
        _ok, jpeg = cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 35 + 2 * number])
        image = np.ascontiguousarray(cv2.imdecode(jpeg, cv2.IMREAD_COLOR)[..., ::-1])
        near = near_tile(size_wh)
        tiles = [Tile((0, 0, *size_wh), 320), *(replace(near, quarter_turns=turns) for turns in (1, 3))]
        assert len(factory.models.tiled_detector(image, tiles)) == 1, number
