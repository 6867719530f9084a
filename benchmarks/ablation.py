"""What each part of HAE is worth: one factor at a time around a base, all else the same.

    python -m benchmarks.ablation --data manifest:TABLE.csv --train train --test test
        --backbone STAGE1.safetensors [--axes k bin_width ...] [--seeds 0 1] [--set ...]

The base is recipes/real.toml on the frozen backbone of STAGE1 (a model of one view that has learned
ages on the same training split). The axes: views K (1, 2, 4, 6, 10), attention heads, layers, bin
width (1, 5, 10 years), units of the mean loss, and the aggregation. All arms of all axes draw from
the same stored views. Differences from the base are paired by face, their intervals by person; they
hold one seed each, not the spread between seeds, so run several.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from benchmarks.arms import Features, beside, config_of, estimates_of, print_beside, trained
from benchmarks.real_faces import BANDS, EXACT, RECIPE, of_stage_1, truth
from hae.data.readers import read_data

BASE = "base"
AXES: dict[str, dict[str, list[str]]] = {
    "k": {f"k={k}": [f"model.views.k={k}", f"selection_views={k}"] for k in (1, 2, 6, 10)},
    "heads": {f"heads={n}": [f"model.aggregator.heads={n}"] for n in (1, 2, 8)},
    "layers": {f"layers={n}": [f"model.aggregator.layers={n}"] for n in (1, 4)},
    "bin_width": {f"bins of {s} y": [f"model.head.bin_width={s}"] for s in (5, 10)},
    "mean_units": {
        f"bins of {s} y, mean loss in years": [
            f"model.head.bin_width={s}",
            "model.head.mean_units=years",
        ]
        for s in (5, 10)
    },
    "aggregation": {
        name: [f"model.aggregator.name={name}"] for name in ("mean", "max", "mean_predictions")
    },
}
"""Axis -> arm -> settings over the base (K = 4, 4 heads, 2 layers, bins of 1 year, SAE)."""


def run_seed(seed: int, args: argparse.Namespace) -> dict[str, Any]:
    """Train the base and every arm with one seed, and compare them on the test faces."""
    train, test = read_data(args.data, args.train), read_data(args.data, args.test)
    low, high = truth(test)
    metrics = EXACT if bool(((low == high) | (low != low)).all()) else BANDS
    shared = [*of_stage_1(args.backbone), f"embed_views={args.embed_views}", *args.set]
    arms = {BASE: []} | {name: more for axis in args.axes for name, more in AXES[axis].items()}
    estimates, stored = {}, Features()
    for number, (name, settings) in enumerate(arms.items()):
        config = config_of(RECIPE, [*shared, *settings, f"seed={seed}", f"name=arm-{number}"])
        folder = args.work / f"{seed}-{name.replace(' ', '-').replace('=', '-')}"
        path = trained(config, train, None, folder, args.work / f"cache-{seed}")
        estimates[name] = estimates_of(path, test, stored)
        print(f"seed {seed}: {name} trained", flush=True)
    found = beside(test, estimates, arm=BASE, metrics=metrics[:1])
    print_beside(found, BASE, f"seed {seed} ")
    return {"seed": seed, "test_faces": len(test), **found}


def main() -> None:
    """Train, compare, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True)
    parser.add_argument("--train", default="train")
    parser.add_argument("--test", default="test")
    parser.add_argument("--backbone", type=Path, required=True)
    parser.add_argument("--axes", nargs="+", choices=list(AXES), default=list(AXES))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--embed-views", type=int, default=40, help="at least 4 x the largest K")
    parser.add_argument("--set", nargs="*", default=[])
    parser.add_argument("--work", type=Path, default=Path("runs/ablation"))
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/ablation.json"))
    args = parser.parse_args()
    torch.set_num_threads(1)
    record = {
        "data": [read_data(args.data, args.train).label, read_data(args.data, args.test).label],
        "embed_views": args.embed_views,
        "settings": args.set,
        "machine": {"cpu": platform.machine(), "cores": os.cpu_count(), "threads": 1},
        "versions": {name: version(name) for name in ("torch", "timm", "numpy")},
        "runs": [run_seed(seed, args) for seed in args.seeds],
    }
    args.out.parent.mkdir(parents=True, exist_ok=True)
    args.out.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
