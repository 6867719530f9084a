"""A whole training step of the age model beside its bare backbone, in one process.

    python -m benchmarks.train_speed [--out benchmarks/results/train_speed.json]

``step``: batches out of a memory-mapped file, K views made on the device, backbone, projection,
SAE, head, loss, backward, optimizer, schedule, all by the code that trains. ``bare``: forward,
backward and optimizer of the backbone alone on as many resident random images. Both sides take
turns in one run, so that what else the machine does hits both; ratios are medians over the rounds
with their quartiles. ``loop``: the same steps by the trainer, with its logging. ``data``: the
batches alone, up to the device. ``parts_ms``: pieces of the step, each timed alone.

On a GPU by default ResNet-50 at 224 px and the recipe's SAE, bf16, compiled; on a CPU, one thread,
the small recipe (backbone of stride 16 at 64 px, embedding 128, SAE of 2 layers), since the
recipe's SAE costs more there than a small backbone.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import tempfile
import time
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.train_sides import (
    Options,
    Side,
    Work,
    autocast,
    bare_side,
    new_task,
    optimizer_of,
    random_images,
    run_config,
    step_side,
    to_device,
    toy_faces,
)
from hae.backbones.network import Backbone
from hae.config import RunConfig
from hae.heads.target import AgeTarget
from hae.inference import view_tensor
from hae.training.age import AgeTask
from hae.training.fit import fit
from hae.views import draw_views

CPU: dict[str, Any] = {
    "backbone": "small_resnet",
    "size": 64,
    "views": 80,
    "embedding": 128,
    "layers": 2,
    "precision": "fp32",
    "compile": False,
    "steps": 1,
    "rounds": 20,
    "peak_tflops": None,
}
GPU: dict[str, Any] = {
    "backbone": "resnet50",
    "size": 224,
    "views": 320,
    "embedding": 1024,
    "layers": 4,
    "precision": "bf16",
    "compile": True,
    "steps": 10,
    "rounds": 10,
    "peak_tflops": 989.0,
}
LOOP_EVERY = 10  # steps between two reports of the trainer


def seconds(work: Work, times: int, device: torch.device) -> float:
    """Of one call, the mean over some."""
    wait(device)
    start = time.perf_counter()
    for _ in range(times):
        work()
    wait(device)
    return (time.perf_counter() - start) / times


def wait(device: torch.device) -> None:
    """Until the device has done its work."""
    if device.type == "cuda":
        torch.cuda.synchronize()


def peak_gib(device: torch.device) -> float:
    """Most memory so far: of the device with both sides on it, or of the process since it began."""
    if device.type == "cuda":
        return round(torch.cuda.max_memory_allocated() / 2**30, 2)
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, 2)


def flops(work: Work) -> int:
    """Floating-point operations of matrix products and convolutions, a product-sum counts two."""
    with FlopCounterMode(display=False) as counter:
        work()
    return int(counter.get_total_flops())


def spread(values: list[float], digits: int = 3) -> dict[str, float]:
    """Median and quartiles."""
    low, middle, high = np.quantile(values, [0.25, 0.5, 0.75]).tolist()
    found = {"median": middle, "low": low, "high": high}
    return {name: round(value, digits) for name, value in found.items()}


def race(options: Options, k: int, optimizer: str, folder: Path) -> dict[str, Any]:
    """Both sides in turns, the batches alone, the trainer's loop, and the pieces of a step."""
    device = torch.device(options.device)
    config = run_config(options, k, optimizer)
    if config.compile:
        torch.compiler.reset()  # else the ninth network is no longer compiled
    task, own = new_task(config, toy_faces(options, folder)), Backbone(options.backbone)
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats()
    for module in (task.model, own):
        module.to(device).train()
    images = random_images(config, device)
    sides = {"step": step_side(task, device), "bare": bare_side(own, config, images)}
    counted = {name: flops(side.work) for name, side in sides.items()}  # before it is compiled
    for backbone in (task.model.backbone, own) if config.compile else ():
        backbone.compile()
    rounds = in_turns(sides, options, device)
    sides["step"].close()
    found: dict[str, Any] = {"k": k, "optimizer": optimizer, "faces": config.batch_size}
    found |= rates(rounds, counted, config, options.peak_tflops)
    found["peak_gib"] = peak_gib(device)
    data = data_speed(task, options, device)
    found["data_samples_per_s"] = round(data)
    found["data_over_step"] = round(data / found["samples_per_s"]["step"], 1)
    if options.loop:
        found["loop_samples_per_s"] = round(loop_speed(task, options, folder, k), 1)
    return found | {"parts_ms": parts(task, own, images, options)}


def in_turns(
    sides: dict[str, Side], options: Options, device: torch.device
) -> dict[str, list[float]]:
    """Seconds of a step of both sides, round by round."""
    for side in sides.values():
        for _ in range(options.warmup):
            side.work()
    rounds: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(options.rounds):
        for name, side in sides.items():
            rounds[name].append(seconds(side.work, options.steps, device))
    return rounds


def rates(
    rounds: dict[str, list[float]], counted: dict[str, int], config: RunConfig, peak: float | None
) -> dict[str, Any]:
    """What the times say; the ratio is bare time over whole time, so 1 is no cost at all."""
    faces, usual = config.batch_size, {name: median(found) for name, found in rounds.items()}
    ratios = [b / s for s, b in zip(rounds["step"], rounds["bare"], strict=True)]
    used = {name: counted[name] / usual[name] / 1e12 for name in usual}
    return {
        "ratio": spread(ratios),
        "views_per_s": {k: round(faces * config.model.views.k / v) for k, v in usual.items()},
        "samples_per_s": {name: round(faces / value, 1) for name, value in usual.items()},
        "step_ms": {name: spread([1e3 * x for x in found], 1) for name, found in rounds.items()},
        "gflop": {name: round(count / 1e9, 2) for name, count in counted.items()},
        "flop_utilisation": peak and {name: round(value / peak, 4) for name, value in used.items()},
    }


def data_speed(task: AgeTask, options: Options, device: torch.device) -> float:
    """Samples per second of the batches alone, up to the device."""
    batches = iter(task.batches(1, 0))
    once = seconds(lambda: to_device(next(batches), device), 4 * options.rounds, device)
    batches.close()  # type: ignore[attr-defined]
    return task.config.batch_size / once


def loop_speed(task: AgeTask, options: Options, folder: Path, k: int) -> float:
    """Samples per second of the trainer's loop, between its reports."""
    steps = LOOP_EVERY * (2 + max(1, options.steps * options.rounds // LOOP_EVERY))
    update = {"steps": steps, "validate_every": steps, "save_every": steps}
    task.config = task.config.model_copy(update=update)
    times: list[float] = []

    def tell(step: int, figures: dict[str, float]) -> None:
        if "loss" in figures and step < steps:  # the last step is judged and saved
            times.append(time.perf_counter())

    out = folder / f"loop-{k}-{task.config.optimizer.name}"
    fit(task, task.config, out, devices=1, tell=tell)
    task.model.train()
    done = LOOP_EVERY * (len(times) - 1) * task.config.batch_size
    return done / (times[-1] - times[0])


def parts(task: AgeTask, own: Backbone, images: Tensor, options: Options) -> dict[str, float]:
    """Milliseconds of the pieces of a step, each alone on the device."""
    device, config, model = images.device, task.config, task.model.to(images.device)
    batch = to_device(next(iter(task.batches(1, 0))), device)
    target = AgeTarget(batch["low"], batch["high"])
    shape = (config.batch_size, config.model.views.k, model.backbone.out_dim)
    features = torch.randn(shape, device=device, requires_grad=True)

    def views() -> Tensor:
        drawn = draw_views(batch["key"], config.model.views, seed=0, epoch=0)
        return view_tensor(model.config, batch["pixels"], drawn)

    def rest() -> None:
        with autocast(config, device):
            total = model.losses(model.from_features(features), target)["total"]
        total.backward()  # type: ignore[no-untyped-call]

    def backbone() -> None:
        with autocast(config, device):
            total: Tensor = own(images).float().mean()
        total.backward()  # type: ignore[no-untyped-call]

    jobs: dict[str, Work] = {"fetch": lambda: task.fetch(np.arange(config.batch_size), 0)}
    jobs |= {"views": views, "backbone": backbone, "projection_sae_head_loss": rest}
    for name, module in {"whole": model, "backbone": own}.items():
        for p in module.parameters():
            p.grad = torch.zeros_like(p)
        jobs[f"optimizer_{name}"] = optimizer_of(module, config).step
    found = {}
    for name, job in jobs.items():
        job()
        times = [seconds(job, options.steps, device) for _ in range(options.rounds)]
        found[name] = round(1e3 * median(times), 2)
    return found


def machine(options: Options) -> dict[str, Any]:
    """Where and with what."""
    names = ("torch", "timm", "lightning", "pytorch-optimizer", "numpy")
    cuda = options.device == "cuda"
    return {
        "device": torch.cuda.get_device_name() if cuda else f"cpu, {os.cpu_count()} cores",
        "threads": torch.get_num_threads(),
        "python": platform.python_version(),
        **{name: version(name) for name in names},
    }


def read_options(arguments: list[str] | None) -> Options:
    """The command line; what is not given depends on the device."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--k", type=int, nargs="+", default=[1, 4, 10])
    parser.add_argument("--optimizers", nargs="+", default=["adamw", "ranger"])
    parser.add_argument("--backbone")
    parser.add_argument("--size", type=int, help="pixels")
    parser.add_argument("--views", type=int, help="in a step: faces x K")
    parser.add_argument("--embedding", type=int, help="also the SAE's and the head's widths")
    parser.add_argument("--layers", type=int, help="of the SAE")
    parser.add_argument("--precision", choices=["fp32", "bf16"])
    parser.add_argument("--compile", action=argparse.BooleanOptionalAction)
    parser.add_argument("--peak-tflops", type=float, help="of the device; GPU: an H200's in bf16")
    parser.add_argument("--faces", type=int, default=1024, help="in the memory-mapped file")
    parser.add_argument("--warmup", type=int, default=3, help="steps that are not timed")
    parser.add_argument("--steps", type=int, help="in one turn of a side")
    parser.add_argument("--rounds", type=int, help="turns of each side")
    parser.add_argument("--loop", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args(arguments)
    for name, value in (GPU if options.device == "cuda" else CPU).items():
        if getattr(options, name) is None:
            setattr(options, name, value)
    return options


def main(arguments: list[str] | None = None) -> None:
    """Run, print, and write the figures."""
    options = read_options(arguments)
    torch.set_num_threads(1)
    shown = {k: v for k, v in vars(options).items() if k != "out"}
    found: dict[str, Any] = {"machine": machine(options), "options": shown, "race": []}
    print(found["machine"], flush=True)
    with tempfile.TemporaryDirectory() as folder:
        for optimizer in options.optimizers:
            for k in options.k:
                found["race"].append(race(options, k, optimizer, Path(folder)))
                print(found["race"][-1], flush=True)
    if options.out:
        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
