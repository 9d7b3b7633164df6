"""Draw every kind of mosaic with the product itself, on the public-domain astronaut in scikit-image.

python scripts/make_cover_picture.py
"""

import cv2
import numpy as np
from skimage import data

from mien.app.factory import VisionFactory
from mien.app.files.options import file_spec
from mien.config import Settings
from mien.registry.runtime import Runtime
from mien.registry.store import Store
from mien.vision.render.mosaic import MosaicShape, MosaicStyle
from mien.vision.types import Image

TARGET = "docs/assets/covers.jpg"
SIDE, GAP = 360, 8


def portrait() -> Image:
    photo = data.astronaut()[:300, 75:375]
    return np.asarray(cv2.resize(photo, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC), np.uint8)


def main() -> None:
    eyes = VisionFactory(Runtime(Store(Settings().models_dir)))
    rows = []
    for shape in MosaicShape:
        tiles = []
        for style in MosaicStyle:
            spec = file_spec(mosaic=True, mosaic_style=style, mosaic_shape=shape)
            frame = eyes.pipeline(spec, still=True)(portrait(), at=0.0)
            if frame is None or not frame.altered:
                raise SystemExit(f"nothing was treated for {spec}")
            tiles += [frame.image, np.full((SIDE, GAP, 3), 255, np.uint8)]
        rows += [np.hstack(tiles[:-1]), np.full((GAP, 3 * SIDE + 2 * GAP, 3), 255, np.uint8)]
    picture = np.vstack(rows[:-1])
    cv2.imwrite(TARGET, cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 88])
    print(f"written to {TARGET}")


if __name__ == "__main__":
    main()
