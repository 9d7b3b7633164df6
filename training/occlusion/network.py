"""The network: a U-Net of depthwise convolutions over the flat texture."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

SIDE = 128
WIDTHS = (16, 32, 64, 128)


class Block(nn.Module):
    """A depthwise 3x3 and a 1x1 convolution, each normalised, with a shortcut where the widths agree."""

    def __init__(self, width_in: int, width_out: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(width_in, width_in, 3, padding=1, groups=width_in, bias=False),
            nn.BatchNorm2d(width_in),
            nn.ReLU(),
            nn.Conv2d(width_in, width_out, 1, bias=False),
            nn.BatchNorm2d(width_out),
        )
        self.shortcut = width_in == width_out

    def forward(self, x: Tensor) -> Tensor:
        y = self.body(x)
        return F.relu(x + y if self.shortcut else y)


class OcclusionNet(nn.Module):
    """Tell for each texel of a flat face how much of it is face.

    Eyes, nose and mouth lie at the same texels on every face, so the network learns what is usual at each place: a
    learnt picture is added at an eighth of the resolution.

    Args:
        widths: Channels at a half, a quarter, an eighth and a sixteenth of the resolution.
    """

    def __init__(self, widths: Sequence[int] = WIDTHS) -> None:
        super().__init__()
        a, b, c, d = widths
        self.stem = nn.Conv2d(12, a, 3, padding=1)
        self.down0 = Block(a, a)
        self.down1 = nn.Sequential(Block(a, b), Block(b, b))
        self.down2 = nn.Sequential(Block(b, c), Block(c, c))
        self.down3 = nn.Sequential(Block(c, d), Block(d, d), Block(d, d))
        self.place = nn.Parameter(torch.zeros(1, c, SIDE // 8, SIDE // 8))
        self.lift2, self.lift1, self.lift0 = nn.Conv2d(d, c, 1), nn.Conv2d(c, b, 1), nn.Conv2d(b, a, 1)
        self.up2, self.up1, self.up0 = Block(c, c), Block(b, b), Block(a, a)
        self.head = nn.Conv2d(a, 4, 3, padding=1)

    def forward(self, texture: Tensor) -> Tensor:
        """Return logits (N, 1, SIDE, SIDE) for textures (N, 3, SIDE, SIDE) of -1 to 1."""
        half = self.down0(F.relu(self.stem(F.pixel_unshuffle(texture, 2))))
        quarter = self.down1(F.max_pool2d(half, 2))
        eighth = self.down2(F.max_pool2d(quarter, 2)) + self.place
        deep = self.down3(F.max_pool2d(eighth, 2))
        eighth = self.up2(eighth + _double(self.lift2(deep)))
        quarter = self.up1(quarter + _double(self.lift1(eighth)))
        half = self.up0(half + _double(self.lift0(quarter)))
        return F.pixel_shuffle(self.head(half), 2)


def _double(x: Tensor) -> Tensor:
    return F.interpolate(x, scale_factor=2.0, mode="nearest")


class Shares(nn.Module):
    """The network as it ships: logits become shares, 0 to 1."""

    def __init__(self, net: OcclusionNet) -> None:
        super().__init__()
        self.net = net

    def forward(self, texture: Tensor) -> Tensor:
        return torch.sigmoid(self.net(texture))
