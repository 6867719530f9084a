"""Bootstrap of group metrics: this engine beside Fairlearn's MetricFrame, in one process.

    python benchmarks/bootstrap.py [--rows 100000 1000000] [--out benchmarks/results/bootstrap.json]

A simulated table with gender (2), race (7) and age band (9): 126 cells. Two races of the same job,
MAE and signed error of every cell with percentile intervals, and then the engine alone with all of
its age metrics, gaps, p-values and 1,000 replicates. Ratios of one run are what counts; absolute
times depend on the machine.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from fairlearn.metrics import MetricFrame
from sklearn.metrics import mean_absolute_error

from audit import audit, predictions_from_frame
from audit.bootstrap import Request, boot_weights, replicate
from audit.collect import collect_table
from audit.groups import grouping
from audit.metrics.age import age_metrics
from audit.metrics.age_features import age_layout
from audit.units import bucketed, group_sums
from audit.values import percentile_limits

ATTRIBUTES = ("gender", "race", "age_band")
N_BOOT = 1000
N_MORE = 6000


def table(rows: int, seed: int = 0) -> pd.DataFrame:
    """Ages, estimates with an error SD of 6 years, and three attributes."""
    rng = np.random.default_rng(seed)
    age = rng.uniform(0, 90, rows)
    return pd.DataFrame(
        {
            "sample_id": np.arange(rows),
            "age": age,
            "age_pred": age + rng.normal(0, 6, rows),
            "gender": rng.choice(["Female", "Male"], rows),
            "race": rng.choice([f"race {i}" for i in range(7)], rows),
            "age_band": (age // 10).astype(int).astype(str),
        }
    )


def bias(y_true: Any, y_pred: Any) -> float:
    """Signed mean error."""
    return float(np.mean(np.asarray(y_pred) - np.asarray(y_true)))


def fairlearn_side(frame: pd.DataFrame, replicates: int | None) -> Any:
    """MAE and bias of the 126 cells with percentile intervals from a few replicates, or none."""
    found = MetricFrame(
        metrics={"mae": mean_absolute_error, "bias": bias},
        y_true=frame["age"],
        y_pred=frame["age_pred"],
        sensitive_features=frame[list(ATTRIBUTES)],
        n_boot=replicates,
        ci_quantiles=[0.025, 0.975] if replicates else None,
        random_state=0,
    )
    return found.by_group_ci if replicates else found.by_group


def our_side(frame: pd.DataFrame, replicates: int) -> np.ndarray:
    """The same job from the checked table on: sums, joint replicates, percentile intervals."""
    predictions = predictions_from_frame(frame, task="age")
    found = collect_table([predictions], ATTRIBUTES, None, (), "image", 20_000)
    item = grouping(found.sums.cells, found.attributes, ATTRIBUTES, found.order)
    small = bucketed(found.sums)
    weights = np.ascontiguousarray(boot_weights(np.unique(small.unit), 0, replicates).T)
    groups = np.arange(len(item.groups))
    wanted = [Request(m, groups) for m in age_metrics() if m.name in {"mae", "bias"}]
    sampled = replicate(wanted, age_layout(), group_sums(small, item), weights, item.known)
    return np.array([percentile_limits(part.values)[:2] for part in sampled])


def full_side(frame: pd.DataFrame, by: Sequence[str]) -> Any:
    """Everything: all age metrics, values, gaps, intervals, p-values, quantiles, curves."""
    return audit(frame, task="age", by=list(by), n_boot=N_BOOT)


def timed(job: Callable[..., Any], *args: Any, repeat: int = 1) -> float:
    """Seconds of the fastest of some calls."""
    found = []
    for _ in range(repeat):
        start = time.perf_counter()
        job(*args)
        found.append(time.perf_counter() - start)
    return min(found)


def race(rows: int, replicates: int) -> dict[str, Any]:
    """Both sides on one table: the whole job per replicate, and what one more replicate costs."""
    frame = table(rows)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = timed(fairlearn_side, frame, replicates)
        their_start = timed(fairlearn_side, frame, None)
    ours = timed(our_side, frame, N_BOOT, repeat=3)
    ours_more = timed(our_side, frame, N_MORE, repeat=3)
    per = {"fairlearn": theirs / replicates, "ours": ours / N_BOOT}
    more = {
        "fairlearn": (theirs - their_start) / replicates,
        "ours": (ours_more - ours) / (N_MORE - N_BOOT),
    }
    return {
        "rows": rows,
        "cells": 126,
        "replicates": {"fairlearn": replicates, "ours": N_BOOT},
        "whole_job_s": {"fairlearn": round(theirs, 3), "ours": round(ours, 3)},
        "whole_job_per_replicate_s": {key: round(value, 6) for key, value in per.items()},
        "whole_job_ratio": round(per["fairlearn"] / per["ours"]),
        "one_more_replicate_s": {key: round(value, 7) for key, value in more.items()},
        "one_more_replicate_ratio": round(more["fairlearn"] / more["ours"]),
    }


def full(rows: int, by: Sequence[str]) -> dict[str, Any]:
    """The complete audit in a process of its own, so that its peak memory is its own."""
    command = [sys.executable, __file__, "--full", str(rows), "--by", *by]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def full_here(rows: int, by: Sequence[str]) -> dict[str, Any]:
    """Time and peak memory of the complete audit in this process."""
    frame = table(rows)
    seconds = timed(full_side, frame, by)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    return {
        "rows": rows,
        "by": list(by),
        "n_boot": N_BOOT,
        "seconds": round(seconds, 2),
        "peak_gib": round(peak, 2),
    }


def machine() -> dict[str, Any]:
    """Where and with what."""
    names = ("numpy", "scipy", "pandas", "scikit-learn", "fairlearn")
    versions = {name: version(name) for name in names}
    return {"cores": os.cpu_count(), "python": platform.python_version(), **versions}


def main() -> None:
    """Run, print, and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, nargs="+", default=[100_000, 1_000_000])
    parser.add_argument("--replicates", type=int, default=5, help="Fairlearn's n_boot")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--full", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--by", nargs="+", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.full:
        print(json.dumps(full_here(options.full, options.by)))
        return
    found: dict[str, Any] = {"machine": machine(), "race": [], "complete": []}
    for rows in options.rows:
        found["race"].append(race(rows, options.replicates))
        print(found["race"][-1], flush=True)
        found["complete"].append(full(rows, [",".join(ATTRIBUTES)]))
        print(found["complete"][-1], flush=True)
    print(found["machine"])
    if options.out:
        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
