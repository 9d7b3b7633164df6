"""Train the occlusion network on the shards that `compose.py` wrote, and export it.

    python train.py WORK_FOLDER [--minutes 4] [--epochs 12] [--export face-occlusion.onnx]

Stops after `--minutes` and goes on from `WORK_FOLDER/checkpoint.pt` when called again, so that it fits between other
work. One thread. The same shards and seed give the same network on the same machine.
"""

import argparse
import hashlib
import math
import time
from pathlib import Path

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from network import SIDE, OcclusionNet, Shares

BATCH = 32
PEAK_RATE = 4e-3
SEED = 7
AVERAGE = 0.998
"""The network that ships is a running average of the trained one."""


def load(paths: list[Path]) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Return textures (N, SIDE, SIDE, 3) and truths (N, 2, SIDE, SIDE), uint8."""
    files = [np.load(path) for path in paths]
    return np.concatenate([f["textures"] for f in files]), np.concatenate([f["truths"] for f in files])


def batch_of(
    textures: NDArray[np.uint8], truths: NDArray[np.uint8], chosen: NDArray[np.int64], random: torch.Generator | None
) -> tuple[Tensor, Tensor, Tensor]:
    """Return inputs -1 to 1, `face` and `known`; varied where `random` is given."""
    x = torch.from_numpy(textures[chosen]).permute(0, 3, 1, 2).float() / 127.5 - 1
    y = torch.from_numpy(truths[chosen]).float() / 255
    if random is not None:
        if torch.rand((), generator=random) < 0.5:
            x, y = x.flip(-1), y.flip(-1)
        shape = (len(x), 1, 1, 1)
        gain = 1 + 0.2 * torch.randn(shape, generator=random)
        tint = 1 + 0.05 * torch.randn((len(x), 3, 1, 1), generator=random)
        lift = 0.1 * torch.randn(shape, generator=random)
        x = ((x + 1) * gain * tint * (1 + _light(len(x), random)) - 1 + lift).clamp(-1, 1)
    return x.contiguous(memory_format=torch.channels_last), y[:, :1], y[:, 1:]


def _light(count: int, random: torch.Generator) -> Tensor:
    """Return patches of light and shadow, and small highlights: nothing in front, whatever their edges look like."""
    cells = int(torch.randint(2, 6, (), generator=random))
    field = torch.randn((count, 1, cells, cells), generator=random)
    field = F.interpolate(field, SIDE, mode="bicubic", align_corners=False)
    hardness = torch.rand((count, 1, 1, 1), generator=random) * 8 + 0.5
    strength = (torch.rand((count, 1, 1, 1), generator=random) * 1.5 - 0.7) * (
        torch.rand((count, 1, 1, 1), generator=random) < 0.5
    )
    dots = (torch.rand((count, 1, 42, 42), generator=random) > 0.996).float() * torch.rand(
        (count, 1, 1, 1), generator=random
    )
    gloss = F.interpolate(dots, SIDE, mode="bilinear", align_corners=False)
    return strength * torch.sigmoid(field * hardness) + 1.5 * gloss


def loss_of(logits: Tensor, face: Tensor, known: Tensor) -> Tensor:
    """Cross-entropy where the truth is known, heavier along the edges of what is in front, plus its overlap."""
    hidden = F.max_pool2d(1 - face, 5, 1, 2) - (1 - F.max_pool2d(face, 5, 1, 2))
    weight = known * (1 + 2 * hidden.clamp(0, 1))
    entropy = F.binary_cross_entropy_with_logits(logits, face, weight, reduction="sum") / weight.sum().clamp(min=1)
    front, said = (1 - face) * known, torch.sigmoid(-logits) * known
    both = (front * said).sum(dim=(1, 2, 3))
    overlap = (2 * both + 50) / (front.sum(dim=(1, 2, 3)) + said.sum(dim=(1, 2, 3)) + 50)
    return entropy + 0.3 * (1 - overlap.mean())


def export(average: dict[str, Tensor], path: Path) -> None:
    """Write the network as ONNX: `input` (N, 3, SIDE, SIDE) -1 to 1, `face` (N, 1, SIDE, SIDE) 0 to 1."""
    net = OcclusionNet()
    net.load_state_dict(average)
    shares = Shares(net).eval()
    dummy = torch.zeros(1, 3, SIDE, SIDE)
    torch.onnx.export(
        shares, (dummy,), str(path), input_names=["input"], output_names=["face"], opset_version=17, dynamo=False,
        dynamic_axes={"input": {0: "N"}, "face": {0: "N"}},
    )  # fmt: skip
    model = onnx.load(path)
    model.producer_name, model.producer_version, model.doc_string = "mien training/occlusion", "", ""
    onnx.checker.check_model(model)
    path.write_bytes(model.SerializeToString(deterministic=True))
    print(f"{path}: {path.stat().st_size} bytes, SHA-256 {hashlib.sha256(path.read_bytes()).hexdigest()}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("work", type=Path)
    parser.add_argument("--minutes", type=float, default=4.0)
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--shards", type=int, default=24)
    parser.add_argument("--export", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(SEED)
    began = time.monotonic()

    net = OcclusionNet().to(memory_format=torch.channels_last)
    optimiser = torch.optim.AdamW(net.parameters(), lr=PEAK_RATE, weight_decay=0.01)
    average = {name: value.clone() for name, value in net.state_dict().items()}
    step, checkpoint = 0, options.work / "checkpoint.pt"
    if checkpoint.exists():
        saved = torch.load(checkpoint, weights_only=True)
        net.load_state_dict(saved["net"])
        optimiser.load_state_dict(saved["optimiser"])
        average, step = saved["average"], saved["step"]
    textures, truths = load([options.work / f"train-{k:03}.npz" for k in range(options.shards)])
    per_epoch = len(textures) // BATCH
    last = options.epochs * per_epoch
    net.train()
    recent = 0.0
    while step < last and time.monotonic() - began < 60 * options.minutes:
        epoch, place = divmod(step, per_epoch)
        order = np.random.default_rng([SEED, epoch]).permutation(len(textures))
        random = torch.Generator().manual_seed(SEED * 1_000_003 + step)
        x, face, known = batch_of(textures, truths, np.sort(order[place * BATCH : (place + 1) * BATCH]), random)
        rate = PEAK_RATE * min(1.0, (step + 1) / 200) * (0.5 + 0.5 * math.cos(math.pi * step / last))
        for group in optimiser.param_groups:
            group["lr"] = rate
        loss = loss_of(net(x), face, known)
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimiser.step()
        keep = min(AVERAGE, (step + 1) / (step + 10))
        for name, value in net.state_dict().items():
            average[name] = average[name] * keep + value * (1 - keep) if value.is_floating_point() else value.clone()
        step += 1
        recent = 0.98 * recent + 0.02 * loss.item() if recent else loss.item()
        if step % 100 == 0:
            print(f"step {step} of {last}  loss {recent:.4f}  {time.monotonic() - began:.0f} s", flush=True)
    draft = checkpoint.with_suffix(".part")
    torch.save({"net": net.state_dict(), "optimiser": optimiser.state_dict(), "average": average, "step": step}, draft)
    draft.rename(checkpoint)
    print(f"{'done' if step >= last else 'to be continued'} at step {step} of {last}")
    if options.export:
        export(average, options.export)


if __name__ == "__main__":
    main()
