"""Is a planted bias found, and is none found where none was planted.

    python benchmarks/planted.py [--seeds 10] [--out benchmarks/results/planted.json]

The shipped example estimates the ages of drawn faces, a new cohort of 1,000 people for every seed,
once without a planted bias and once with each knob turned in group B. A gap counts as called where
the 95 % interval of the difference of the groups' mean absolute error (for ``ageing``: of their
bias) excludes 0.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from audit import audit
from hae.adapters.zoo import load_model
from hae.data.readers import read_data
from hae.predict import predict

KNOBS = {
    "none": "",
    "blur": ",blur=1.2",
    "noise": ",noise=25",
    "label_noise": ",label_noise=5",
    "ageing": ",ageing=3",
}
METRIC = {"ageing": "bias"}
FACES = "rendered:people=1000,photos=2,group_share=0.35,seed={seed}{knob}"
FIRST = 100
"""The first seed: none of the cohorts is the one that the example was trained on."""


def gaps(model: Any, seed: int, knob: str) -> dict[str, dict[str, float]]:
    """Differences between group A and B in one cohort: MAE and bias."""
    manifest = read_data(FACES.format(seed=seed, knob=KNOBS[knob]))
    frame = predict(manifest, model, workers=1)
    result = audit(frame, task="age", by=["group"], n_boot=0)
    return {
        gap.metric: {"value": gap.value, "low": gap.low, "high": gap.high, "p": gap.p}
        for gap in result.gaps
        if gap.kind == "difference" and gap.metric in ("mae", "bias")
    }


def called(rows: Sequence[dict[str, dict[str, float]]], metric: str) -> int:
    """In how many cohorts the interval excludes 0."""
    return sum(row[metric]["low"] > 0 or row[metric]["high"] < 0 for row in rows)


def main() -> None:
    """Predict, audit, count, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/planted.json"))
    args = parser.parse_args()
    torch.set_num_threads(1)
    model, found = load_model("zoo:example"), {}
    for knob in KNOBS:
        rows = [gaps(model, FIRST + seed, knob) for seed in range(args.seeds)]
        counts = {metric: called(rows, metric) for metric in ("mae", "bias")}
        mean = sum(row[METRIC.get(knob, "mae")]["value"] for row in rows) / len(rows)
        print(
            f"{knob:12} called in {counts} of {len(rows)}; mean difference A - B {mean:+.2f} years"
        )
        found[knob] = {"called": counts, "of": len(rows), "rows": rows}
    args.out.parent.mkdir(parents=True, exist_ok=True)
    args.out.write_text(json.dumps({"faces": FACES, "knobs": found}, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
