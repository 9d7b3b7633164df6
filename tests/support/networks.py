"""Networks that see what a test says."""

import numpy as np
from numpy.typing import NDArray

from mien.vision.types import Net


def one_peak(row: int, col: int, *, score: float = 0.9, size_hw: tuple[int, int] = (40, 32)) -> Net:
    """Return a network that sees one face at a cell of its output grid, whatever it is shown."""

    def net(batch: NDArray[np.float32], /) -> dict[str, NDArray[np.float32]]:
        height, width = batch.shape[2] // 4, batch.shape[3] // 4
        out = {
            "heatmap": np.zeros((1, 1, height, width), np.float32),
            "scale": np.zeros((1, 2, height, width), np.float32),
            "offset": np.zeros((1, 2, height, width), np.float32),
            "landmarks": np.zeros((1, 10, height, width), np.float32),
        }
        out["heatmap"][0, 0, row, col] = score
        out["scale"][0, :, row, col] = np.log(np.array(size_hw) / 4)
        out["landmarks"][0, :, row, col] = [0.3, 0.25, 0.3, 0.75, 0.5, 0.5, 0.8, 0.3, 0.8, 0.7]
        return out

    return net


def one_cell(
    stride: int,
    row: int,
    col: int,
    *,
    score: float = 0.9,
    size_wh: tuple[int, int] = (32, 40),
    middle: tuple[float, float] = (0.5, 0.5),
) -> Net:
    """Return a network that gives, as YuNet does, one face at a cell of one of its grids, whatever it is shown."""

    def net(batch: NDArray[np.float32], /) -> dict[str, NDArray[np.float32]]:
        out: dict[str, NDArray[np.float32]] = {}
        for grid in (8, 16, 32):
            cells = batch.shape[2] // grid * (batch.shape[3] // grid)
            for name, length in (("cls", 1), ("obj", 1), ("bbox", 4), ("kps", 10)):
                out[f"{name}_{grid}"] = np.zeros((1, cells, length), np.float32)
        cell = row * (batch.shape[3] // stride) + col
        out[f"cls_{stride}"][0, cell] = score
        out[f"obj_{stride}"][0, cell] = 0.4
        out[f"bbox_{stride}"][0, cell] = [*middle, *np.log(np.array(size_wh) / stride)]
        out[f"kps_{stride}"][0, cell] = [-0.5, -0.5, 0.5, -0.5, 0, 0, -0.4, 0.5, 0.4, 0.5]
        return out

    return net
