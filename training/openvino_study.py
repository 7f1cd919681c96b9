"""What OpenVINO would give on a CPU: seconds per photo and differences of scores, as a table.

    python training/openvino_study.py ../shared/data --model RUN/encoder.safetensors --regressor R
    ONEDNN_MAX_CPU_ISA=AVX512_CORE_VNNI python training/openvino_study.py ...  # as if without bf16

Seconds of processor time on one core, both scales, 1024 x 768 and 512 x 512 pixels, in turns, the
least of some rounds; then scores of photos, half of them distorted, against plain float32; int8 by
`eight_bits.py`. Only for pooling "stages" and basic blocks. Needs openvino.
"""

from __future__ import annotations

import argparse
import io
import os
import sys
import time
from collections.abc import Callable
from itertools import product
from pathlib import Path

import numpy as np
import openvino as ov
import torch
from openvino import opset13 as op
from PIL import Image, ImageFilter
from scipy.stats import spearmanr

sys.path.insert(0, str(Path(__file__).parent.parent))

from contrique_cli.encoder import backend, checkpoint
from contrique_cli.encoder.model import Contrique
from contrique_cli.models import regressor
from contrique_cli.photos import pixels as photo_pixels
from training import eight_bits
from training.eight_bits import Layer, Network

Run = Callable[[torch.Tensor], np.ndarray]  # pixels, uint8, (1, 3, H, W), to features, (F,)
LIMITED = "ONEDNN_MAX_CPU_ISA"


def convolve(maps: ov.Node, layer: Layer, *, is_int8: bool) -> ov.Node:
    """A convolution and its bias; fake-quantised weights are what OpenVINO takes for int8."""
    weight = op.constant(layer.weight.numpy())
    if is_int8:
        top = op.constant((layer.step * eight_bits.MOST)[:, None, None, None].numpy())
        low = op.constant(-top.data)
        weight = op.fake_quantize(weight, low, top, low, top, 2 * eight_bits.MOST + 1)
    pads = list(layer.padding)
    maps = op.convolution(maps, weight, list(layer.stride), pads, pads, [1, 1])
    return op.add(maps, op.constant(layer.bias[None, :, None, None].numpy()))


def build(network: Network, *, is_int8: bool) -> ov.Model:
    """Pixels, uint8, to the mean and the Euclidean length of every stage's channels.

    Built by hand from the folded layers: it takes 0.02 s, where converting from PyTorch takes 10.
    """
    low, top = (op.constant(np.float32(bound)) for bound in (0, eight_bits.TOP))

    def settle(maps: ov.Node) -> ov.Node:
        return op.fake_quantize(maps, low, top, low, top, 256) if is_int8 else maps

    pixels = op.parameter([-1, 3, -1, -1], ov.Type.u8)
    maps = convolve(settle(op.convert(pixels, ov.Type.f32)), network.stem, is_int8=is_int8)
    maps = settle(op.relu(maps))
    found = [maps]
    maps = op.max_pool(maps, [2, 2], [1, 1], [1, 1], [1, 1], [3, 3], "floor").output(0)
    for group in network.groups:
        for block in group:
            inner = settle(op.relu(convolve(maps, block.first, is_int8=is_int8)))
            added = maps
            if block.shortcut is not None:
                added = convolve(maps, block.shortcut, is_int8=is_int8)
            inner = op.add(convolve(inner, block.second, is_int8=is_int8), added)
            maps = settle(op.relu(inner))
        found.append(maps)
    rows = [reduce(one, [2, 3]) for one in found for reduce in (op.reduce_mean, op.reduce_l2)]
    return ov.Model(rows, [pixels], "encoder")


def compile_(network: Network, precision: str) -> Run:
    """An encoder of OpenVINO's on one core."""
    is_int8 = precision == "int8"
    options = {
        "INFERENCE_NUM_THREADS": 1,
        "NUM_STREAMS": 1,
        "ENABLE_CPU_PINNING": False,
        "INFERENCE_PRECISION_HINT": "f32" if is_int8 else precision,
    }
    model = ov.Core().compile_model(build(network, is_int8=is_int8), "CPU", options)
    request = model.create_infer_request()

    def run(pixels: torch.Tensor) -> np.ndarray:
        request.infer({0: pixels.numpy()}, share_inputs=True)
        rows = [request.get_output_tensor(n).data.ravel() for n in range(len(model.outputs))]
        height, width = pixels.shape[2:]
        parts = []
        for unit, mean, length in zip(network.units(), rows[::2], rows[1::2], strict=True):
            height, width = (height + 1) // 2, (width + 1) // 2
            variance = length.astype(np.float64) ** 2 / (height * width) - mean**2
            part = np.concatenate([mean, np.sqrt(np.maximum(variance, 0))])
            part /= np.tile(unit.numpy(), 2)
            parts.append(part / np.linalg.norm(part))
        return np.concatenate(parts)

    return run


def ways(model: Contrique, calibration: list[torch.Tensor]) -> dict[str, Run]:
    """All encoders by name, the reference first."""
    found: dict[str, Run] = {
        "torch fp32, plain": lambda pixels: model.embed(pixels.float() / 255)[0].numpy()
    }
    for name in ["fp32"] if LIMITED in os.environ else ["fp32", "bf16"]:
        embed = backend.Embed(model, name)
        found[f"torch {name}, merged"] = lambda pixels, embed=embed: embed(pixels)[0].numpy()
        found[f"OpenVINO {name}"] = compile_(Network(model), name.replace("fp32", "f32"))
    found["OpenVINO int8"] = compile_(eight_bits.quantise(model, calibration), "int8")
    return found


def distort(image: Image.Image, number: int) -> Image.Image:
    """None, blur, compression, noise or darkness, in turn."""
    kind = number % 5
    if kind == 1:
        return image.filter(ImageFilter.GaussianBlur(1 + number % 3))
    if kind == 2:  # noqa: PLR2004 - a place in the row
        file = io.BytesIO()
        image.save(file, "JPEG", quality=5 + number % 35)
        return Image.open(file).convert("RGB")
    if kind == 3:  # noqa: PLR2004 - a place in the row
        grain = np.random.default_rng(number).normal(0, 5 + number % 20, np.asarray(image).shape)
        return Image.fromarray(np.clip(np.asarray(image) + grain, 0, 255).astype(np.uint8))
    return image.point(lambda value: value * 0.4) if kind == 4 else image  # noqa: PLR2004


def photos(data: Path, count: int, side: int, part: int) -> list[torch.Tensor]:
    """Real photos, distorted in turn; no photo is in both parts, 0 and 1.

    Returns:
        uint8, shape (1, 3, H, W) each.
    """
    found = []
    for folder in ("pristine", "authentic", "biq2021"):
        paths = sorted((data / folder).iterdir())[part::2]
        for place in np.random.default_rng(part).permutation(len(paths))[: count // 3]:
            image = Image.open(paths[place]).convert("RGB")
            image.thumbnail((side, side))
            is_kept = folder == "biq2021"
            found.append(
                photo_pixels.to_tensor(image if is_kept else distort(image, len(found)))[None]
            )
    return found


@torch.inference_mode()
def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--regressor", type=Path, required=True)
    for name, default in (("photos", 150), ("calibration", 90), ("rounds", 4)):
        parser.add_argument(f"--{name}", type=int, default=default)
    args = parser.parse_args()
    torch.set_num_threads(1)
    model, _ = checkpoint.load(args.model)
    scale = regressor.load(args.regressor)
    began = time.process_time()
    every = ways(model.eval(), photos(args.data, args.calibration, 224, 0))
    print(f"made in {time.process_time() - began:.0f} s of processor time")
    tested = photos(args.data, args.photos, 512, 1)

    def both(run: Run, pixels: torch.Tensor) -> np.ndarray:
        return np.concatenate([run(pixels), run(photo_pixels.halve(pixels))])

    sizes = [
        torch.randint(0, 256, (1, 3, *size), dtype=torch.uint8)
        for size in ((768, 1024), (512, 512))
    ]
    least = {(name, place): np.inf for name in every for place in (0, 1)}
    for _ in range(args.rounds + 1):
        for name, place in product(every, (0, 1)):
            began = time.process_time()
            both(every[name], sizes[place])
            least[name, place] = min(least[name, place], time.process_time() - began)
    print("way\t1024x768 s\t512x512 s\tmost\tmean\tSROCC")
    wanted = None
    for name, run in every.items():
        rows = np.stack([both(run, pixels) for pixels in tested]).astype(np.float64)
        raw = rows @ scale.weights + scale.bias
        wanted = raw if wanted is None else wanted
        gap = np.abs(scale.to_score(raw) - scale.to_score(wanted))
        order = spearmanr(raw, wanted).statistic
        print(
            f"{name}\t{least[name, 0]:.3f}\t{least[name, 1]:.3f}\t"
            f"{gap.max():.2f}\t{gap.mean():.2f}\t{order:.5f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
