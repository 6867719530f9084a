"""What a finished grid of ``hae-audit generality`` says, as one small record.

    python -m benchmarks.generality_summary runs/NAME/generality.json
        --note "where the weights are from" --out benchmarks/results/generality_NAME.json

``quick`` is ``hae-audit generality --preset quick --out runs/quick``. ``fairface`` is

    hae-audit data split fairface:FAIRFACE --split train --shares 0.85,0.15 --out faces.csv
    hae-audit generality --config recipes/grids/fairface.toml --data manifest:faces.csv
        --split train --val-split test --test-data fairface:FAIRFACE --test-split val
        --set 'backbones=[{name="tf_efficientnet_lite0", init="A.safetensors"}, ...]'
        --by gender --by race --by age --by gender,race --out runs/fairface

from weights of backbones that learned ages from one view of faces of UTKFace, by
``hae-audit train age`` (recipes/real-imagenet.toml, recipes/real-scratch.toml), in one size and
normalisation. ``attending`` is the command in recipes/grids/attending.toml.

Kept are the differences of the leading metrics, with intervals: of everyone on
each backbone, against the common control and the controls of equal size; over the backbones, for
everyone and each group; how gaps change; whether the backbones agree on who is served worst.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from audit.files import write_text
from audit.generality.record import Generality
from audit.rows import Record

LEADING = 2
"""Metrics that are kept."""
GAIN = (
    "metric", "backbone", "aggregator", "against", "value", "low", "high", "p_adjusted",
    "sd_seeds", "n", "verdict",
)  # fmt: skip
SUMMARY = (
    "metric", "aggregator", "against", "kind", "group", "attributes", "value", "low", "high",
    "low_new", "high_new", "tau", "n_better", "n_worse", "p_adjusted", "verdict", "note",
)  # fmt: skip
CONCORDANCE = (
    "metric", "attributes", "aggregator", "value", "low", "high", "null_expected", "p", "worst",
)  # fmt: skip
GAP = (
    "metric", "backbone", "aggregator", "against", "attributes", "a", "b", "value", "value_a",
    "value_b", "low", "high", "p_adjusted", "verdict",
)  # fmt: skip
COST = ("trained_parameters", "step_ms", "forward_ms", "memory_mb")


def rows_of(rows: Iterable[Record], names: Sequence[str]) -> list[dict[str, Any]]:
    """Some fields of some rows; those without a value are left out."""
    dumped = (row.model_dump(mode="json") for row in rows)
    return [
        {name: shortened(row[name]) for name in names if row[name] not in (None, [], {})}
        for row in dumped
    ]


def shortened(value: Any) -> Any:
    """A number to six significant digits, in whatever it lies."""
    if isinstance(value, float):
        return float(f"{value:.6g}")
    if isinstance(value, dict):
        return {key: shortened(part) for key, part in value.items()}
    return [shortened(part) for part in value] if isinstance(value, list) else value


def cells_of(found: Generality, metrics: Sequence[str]) -> list[dict[str, Any]]:
    """Mean and standard deviation over the seeds of every model of the grid, and its cost."""
    rows = []
    for backbone in found.spec.backbones:
        for aggregator in found.spec.aggregators:
            own = [
                cell
                for cell in found.cells
                if (cell.backbone, cell.aggregator) == (backbone, aggregator)
            ]
            done = [cell for cell in own if cell.status == "done"]
            row: dict[str, Any] = {"backbone": backbone, "aggregator": aggregator}
            row |= {"seeds": len(done), "failed": [c.reason for c in own if c.status != "done"]}
            for metric in metrics if done else ():
                values = [v for cell in done if (v := cell.metrics[metric]) is not None]
                spread = np.std(values, ddof=1) if len(values) > 1 else None
                row[metric] = [np.mean(values) if values else None, spread]
            costs = {name: [getattr(cell, name) for cell in done] for name in COST}
            row |= {k: np.median(v) for k, v in costs.items() if v and None not in v}
            rows.append(shortened(json.loads(json.dumps(row, default=float))))
    return rows


def summary_of(found: Generality, note: str | None) -> dict[str, Any]:
    """What is kept of a grid."""
    metrics = found.spec.analysed[:LEADING]
    gains = [row for row in found.gains if row.metric in metrics and not row.group]
    summaries = [
        row
        for row in found.summaries
        if row.metric == metrics[0] or (row.metric in metrics and not row.attributes)
    ]
    return {
        "note": note,
        "data": found.run.data,
        "training": found.spec.training,
        "control": found.spec.control,
        "matched": found.spec.matched,
        "scope": found.spec.scope,
        "versions": found.run.versions,
        "metrics": {name: found.spec.metrics[name].definition for name in metrics},
        "warnings": [warning.message for warning in found.warnings],
        "cells": cells_of(found, metrics),
        "gains_of_everyone": rows_of(gains, GAIN),
        "over_backbones": rows_of(summaries, SUMMARY),
        "gaps": rows_of([row for row in found.gaps if row.metric == metrics[0]], GAP),
        "agreement": rows_of(
            [row for row in found.concordance if row.metric == metrics[0]], CONCORDANCE
        ),
    }


def main() -> None:
    """Read, shorten, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("record", type=Path)
    parser.add_argument("--note")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    found = summary_of(Generality.read(options.record), options.note)
    text = ",\n".join(f" {json.dumps(k)}: {laid_out(v)}" for k, v in found.items())
    write_text(options.out, "{\n" + text + "\n}\n")


def laid_out(value: Any) -> str:
    """A list a row a line."""
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return "[\n  " + ",\n  ".join(json.dumps(row) for row in value) + "\n ]"
    return json.dumps(value)


if __name__ == "__main__":
    main()
