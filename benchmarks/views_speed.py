"""K views of a face: this project's fused kernels beside torchvision v2's chain, in one process.

    python benchmarks/views_speed.py [--out benchmarks/results/views_speed.json]

uint8 noise at the input's size, one thread of one CPU, or a GPU with ``--device cuda``. Both sides
start from the batch of images and draw their own parameters; torchvision draws once per call, so it
is called once per view, as for independent views it must be. Ratios of one run are what counts;
absolute times depend on the machine.
"""

from __future__ import annotations

import argparse
import json
import platform
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torchvision.transforms import InterpolationMode, v2

from hae.config import AgeModelConfig, ViewsConfig
from hae.views import apply_views, draw_views, sample_keys

CASES = [(64, 64, k) for k in (1, 4, 10)] + [(224, 8, k) for k in (1, 4, 10)]
NORM = {"mean": AgeModelConfig().mean, "std": AgeModelConfig().std}


def chain(size: int, config: ViewsConfig) -> v2.Compose:
    """The same ops and ranges, one after the other, bilinear."""
    colour = v2.ColorJitter(config.brightness, config.contrast, config.saturation, config.hue)
    affine = v2.RandomAffine(
        config.degrees,
        translate=(config.translate, config.translate),
        scale=config.scale,
        shear=config.shear,
        interpolation=InterpolationMode.BILINEAR,
    )
    return v2.Compose(
        [
            v2.RandomResizedCrop(size, config.crop_scale, config.crop_ratio, antialias=False),
            v2.RandomHorizontalFlip(config.flip),
            v2.ToDtype(torch.float32, scale=True),
            v2.RandomApply([colour], config.colour_p),
            v2.RandomApply([affine], config.affine_p),
            v2.Normalize(list(NORM["mean"]), list(NORM["std"])),
            v2.RandomErasing(config.erase_p, config.erase_area, config.erase_ratio),
        ]
    )


def ours(images: Tensor, keys: Tensor, config: ViewsConfig) -> Tensor:
    """Draw and make all views."""
    params = draw_views(keys, config, seed=0, epoch=0)
    return apply_views(images, params, size=images.shape[-1], **NORM)


def theirs(images: Tensor, steps: v2.Compose, k: int) -> Tensor:
    """Image by image and view by view."""
    return torch.stack([torch.stack([steps(image) for _ in range(k)]) for image in images])


def seconds(job: Callable[[], Tensor], repeat: int) -> float:
    """Of the fastest of some calls."""
    job()
    found = []
    for _ in range(repeat):
        start = time.perf_counter()
        if job().is_cuda:
            torch.cuda.synchronize()
        found.append(time.perf_counter() - start)
    return min(found)


def race(size: int, faces: int, k: int, device: str) -> dict[str, Any]:
    """Views per second of both sides on the same images."""
    generator = torch.Generator().manual_seed(0)
    shape = (faces, 3, size, size)
    images = torch.randint(0, 256, shape, dtype=torch.uint8, generator=generator).to(device)
    keys = sample_keys([str(i) for i in range(faces)]).to(device)
    config = ViewsConfig(k=k)
    steps = chain(size, config)
    views = faces * k
    found = {
        "ours": views / seconds(lambda: ours(images, keys, config), 7),
        "torchvision": views / seconds(lambda: theirs(images, steps, k), 3),
    }
    return {
        "size": size,
        "faces": faces,
        "k": k,
        "views_per_s": {name: round(value) for name, value in found.items()},
        "ratio": round(found["ours"] / found["torchvision"], 1),
    }


def main() -> None:
    """Run, print, and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    machine = {name: version(name) for name in ("torch", "torchvision")}
    where = {"device": options.device, "threads": 1, "python": platform.python_version(), **machine}
    found: dict[str, Any] = {"machine": where, "race": []}
    for case in CASES:
        found["race"].append(race(*case, options.device))
        print(found["race"][-1], flush=True)
    print(where)
    if options.out:
        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
