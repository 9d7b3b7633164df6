"""Draw the README's picture with the product itself, from the public-domain astronaut in scikit-image.

python scripts/make_readme_picture.py
"""

import cv2
import numpy as np
from skimage import data

from mien.app.face_photos import MASK_NAMES, BuiltInMask
from mien.app.factory import VisionFactory
from mien.app.files.options import file_spec
from mien.config import Settings
from mien.registry.runtime import Runtime
from mien.registry.store import Store
from mien.vision.types import Image

TARGET = "docs/assets/treatments.jpg"
SIDE = 420


def portrait() -> Image:
    photo = data.astronaut()[:300, 75:375]
    return np.asarray(cv2.resize(photo, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC), np.uint8)


def main() -> None:
    eyes = VisionFactory(Runtime(Store(Settings().models_dir)))
    specs = [file_spec(mosaic=True), *(file_spec(swap_to=BuiltInMask(name)) for name in MASK_NAMES)]
    tiles = [portrait()]
    for spec in specs:
        frame = eyes.pipeline(spec, still=True)(portrait(), at=0.0)
        if frame is None or not frame.altered:
            raise SystemExit(f"nothing was treated for {spec}")
        tiles.append(frame.image)
    gap = np.full((SIDE, 8, 3), 255, np.uint8)
    strip = np.hstack([part for tile in tiles for part in (tile, gap)][:-1])
    cv2.imwrite(TARGET, cv2.cvtColor(strip, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 88])
    print(f"written to {TARGET}")


if __name__ == "__main__":
    main()
