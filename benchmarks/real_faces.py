"""HAE beside its controls on real faces: paired, with intervals by gender, race and age.

    python -m benchmarks.real_faces --name utkface-imagenet --data manifest:TABLE.csv
        --train train --test test --backbone STAGE1.safetensors [--set model.size=96 ...]

STAGE1 is a model of one view, trained by ``hae-audit train age`` on the same training split
(recipes/real-scratch.toml, real-imagenet.toml). Every arm is stage 2 (recipes/real.toml) on its
frozen backbone, with the same views and steps: self-attention (sae), mean of the embeddings, mean
of the predictions, a single view, and plain regression of a single view. Beside them stand stage 1
itself, plain and as the mean of its estimates over the same K views (stage_1_views), and the best
constant. ``--arms`` with nothing behind it trains none: stage 1 alone is judged. Exact ages are
judged by MAE and CS@5, bands by the distance to the band (0 inside) and the share inside. The
estimates and the checkpoints stay below --work.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch

from audit import audit
from audit.predictions import predictions_from_frame
from benchmarks.arms import (
    Features,
    beside,
    config_of,
    estimates_of,
    print_beside,
    trained,
    view_mean,
)
from hae.checkpoint import read_header
from hae.config import CHECKPOINT, RunConfig
from hae.data.core import Manifest
from hae.data.readers import read_data

RECIPE = Path(__file__).parent.parent / "recipes" / "real.toml"
ONE_VIEW = ["model.aggregator.name=single", "model.views.k=1", "selection_views=1"]
ARMS = {
    "sae": [],
    "mean": ["model.aggregator.name=mean"],
    "mean_predictions": ["model.aggregator.name=mean_predictions"],
    "single": ONE_VIEW,
    "regression": [*ONE_VIEW, "model.head.name=regression"],
}
EXACT, BANDS = ("mae", "cs5", "bias"), ("band_distance", "within_band_accuracy")
BY = ["gender", "race", "age", "gender,race"]


def of_stage_1(path: Path) -> list[str]:
    """What stage 2 must share with stage 1, as settings."""
    model = read_header(path).config.model
    return [
        f"model.backbone.init={path}",
        f"model.backbone.name={model.backbone.name}",
        f"model.size={model.size}",
        f"model.mean=[{', '.join(map(str, model.mean))}]",
        f"model.std=[{', '.join(map(str, model.std))}]",
    ]


def truth(manifest: Manifest) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Known ages [low, high] in years; NaN where there is none."""
    frame = manifest.frame.drop(columns="path").assign(age_pred=None)
    known = predictions_from_frame(frame, task="age", place=manifest.label).truth
    assert known is not None
    return known.low, known.high


def constant(train: Manifest, test: Manifest) -> npt.NDArray[np.float64]:
    """The whole year that is nearest to all training ages (for exact ages: their median)."""
    low, high = truth(train)
    years = np.arange(0, 101)[:, None]
    distance = np.maximum(np.maximum(low - years, years - high), 0.0)
    best = float(np.nanmean(distance, axis=1).argmin())
    return np.full(len(test), best)


def by_group(test: Manifest, ages: npt.NDArray[np.float64], metrics: tuple[str, ...]) -> Any:
    """Figures of the groups with their intervals, by person."""
    frame = test.frame.drop(columns="path").assign(age_pred=ages)
    result = audit(frame, task="age", by=BY, n_boot=0)
    return [
        {
            "metric": row.metric,
            "group": row.group,
            "value": row.value,
            "low": row.low,
            "high": row.high,
            "n": row.n,
        }
        for row in result.metrics
        if row.metric in metrics and row.class_ is None
    ]


def configs(args: argparse.Namespace) -> dict[str, RunConfig]:
    """The arms' configs."""
    shared = [*of_stage_1(args.backbone), *args.set]
    return {
        arm: config_of(RECIPE, [*shared, *ARMS[arm], f"name={args.name}-{arm}"]) for arm in ARMS
    }


def main() -> None:
    """Train, predict, compare, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--name", required=True)
    parser.add_argument("--data", required=True, help="as for hae-audit train --data")
    parser.add_argument("--train", default="train")
    parser.add_argument("--test", default="test")
    parser.add_argument("--test-data", help="default: --data")
    parser.add_argument("--backbone", type=Path, required=True)
    parser.add_argument("--arms", nargs="*", choices=list(ARMS), default=list(ARMS))
    parser.add_argument("--set", nargs="*", default=[])
    parser.add_argument("--work", type=Path, default=Path("runs/real"))
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    torch.set_num_threads(1)
    train = read_data(args.data, args.train)
    test = read_data(args.test_data or args.data, args.test)
    low, high = truth(test)
    metrics = EXACT if np.array_equal(low, high, equal_nan=True) else BANDS
    views = configs(args)["sae"].model.views
    stored: Features = {}
    estimates = {
        "constant": constant(train, test),
        "stage_1": estimates_of(args.backbone, test, stored),
        "stage_1_views": view_mean(args.backbone, test, views, stored),
    }
    seconds, work = {}, args.work / args.name
    work.mkdir(parents=True, exist_ok=True)
    for arm, config in configs(args).items():
        if arm not in args.arms:
            continue
        start, there = time.perf_counter(), (work / arm / CHECKPOINT).is_file()
        path = trained(config, train, None, work / arm, work / "cache")
        seconds[arm] = None if there else round(time.perf_counter() - start, 1)
        estimates[arm] = estimates_of(path, test, stored)
        print(f"{arm}: found" if there else f"{arm}: trained in {seconds[arm]} s", flush=True)
    arm = "sae" if "sae" in estimates else "stage_1_views"
    found = beside(test, estimates, arm=arm, metrics=metrics)
    print_beside(found, arm)
    shown = [name for name in ("sae", "mean_predictions", "stage_1_views") if name in estimates]
    groups = {name: by_group(test, estimates[name], metrics) for name in shown}
    stage_1 = read_header(args.backbone)
    record = {
        "name": args.name,
        "command": f"python -m benchmarks.real_faces --name {args.name} --data {train.name}",
        "train": {"data": train.label, "faces": len(train), "crop": train.crop.described()},
        "test": {"data": test.label, "faces": len(test), "leaky": test.leaky, "split": test.made},
        "stage_1": {
            "config": stage_1.config.model_dump(mode="json"),
            "best_step": stage_1.provenance.best_step,
            "init": stage_1.provenance.init["source"],
        },
        "stage_2": configs(args)["sae"].model_dump(mode="json", exclude={"model": {"backbone"}}),
        "machine": {"cpu": platform.machine(), "cores": os.cpu_count(), "threads": 1},
        "versions": {name: version(name) for name in ("torch", "timm", "numpy", "pillow")},
        "seconds": seconds,
        **found,
        "groups": groups,
    }
    out = args.out or Path("benchmarks/results") / f"real_{args.name.replace('-', '_')}.json"
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    pd.DataFrame(
        {"sample_id": test.frame["sample_id"], "low": low, "high": high, **estimates}
    ).to_csv(work / "estimates.csv", index=False)


if __name__ == "__main__":
    main()
