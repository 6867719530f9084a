"""Every metric of the engine against its oracle, in every group of several tables.

Run as a script it writes ``benchmarks/results/oracles.md``: metric, oracle, largest difference.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from audit import AuditResult, Predictions, audit, predictions_from_frame, read_predictions
from audit.bands import band_label, parse_band
from audit.hashing import halves
from audit.rows import Group
from audit.units import person_keys, sample_keys
from tests.audit.frames import BY, DATA, age_table, cured_table, expression_table, interval_table
from tests.audit.oracle_age import AGE
from tests.audit.oracle_expression import EXPRESSION
from tests.audit.oracle_rows import BY_ROW, Array, Oracle, Rows

ORACLES: dict[str, dict[str, tuple[str, Oracle]]] = {"age": AGE, "expression": EXPRESSION}
TARGET = Path(__file__).resolve().parents[2] / "benchmarks" / "results" / "oracles.md"


@dataclass(frozen=True)
class Compared:
    """One metric in one group: the engine's value and the oracle's, ``None`` where undefined."""

    metric: str
    class_: str | None
    group: Group
    ours: float | None
    theirs: float | None
    note: str | None

    @property
    def difference(self) -> float:
        """Absolute, relative above 1; 0 where both are undefined, infinite where only one is."""
        if self.ours is None or self.theirs is None:
            return 0.0 if self.ours == self.theirs else math.inf
        return abs(self.ours - self.theirs) / max(1.0, abs(self.theirs))


def rows_of(table: Predictions, result: AuditResult) -> Rows:
    """The labelled rows of the whole table."""
    n = len(table)
    weight = np.ones(n) if table.weight is None else table.weight
    keep = table.labelled
    shared = {"weight": weight[keep], "failed": ~table.processed[keep]}
    if table.task == "expression":
        scores = table.probabilities
        return Rows(
            **shared,
            y=table.y_true[keep],
            y_pred=table.y_pred[keep],
            proba=None if scores is None else scores.proba[keep],
            logits=None if scores is None or scores.logits is None else scores.logits[keep],
            raw=None if table.raw is None else table.raw.logits[keep],
            half=halves(person_keys(table, sample_keys(table, 0)))[keep],
            edges=None if scores is None else _edges(table, scores.proba, weight),
            raw_edges=None if table.raw is None else _edges(table, table.raw.proba, weight),
            **{
                name: getattr(table.cure, name)[keep]
                for name in (() if table.cure is None else table.cure.given)
            },
            mix=_mix(table, weight),
            n_classes=len(table.classes),
        )
    bands = np.array([[low, math.inf if high is None else high] for low, high in result.spec.bands])
    age = None if table.truth.is_band else table.truth.low[keep]
    band = np.column_stack([table.truth.low, table.truth.high])[keep]
    if age is not None:  # the band [low, high) of the table that holds each exact age
        band = np.array([next(b for b in bands if b[0] <= a < b[1]) for a in age])
    pred = np.column_stack([table.estimate.low, table.estimate.high])[keep]
    return Rows(**shared, age=age, band=band, pred=pred, bands=bands)


def _edges(table: Predictions, proba: Array, weight: Array) -> dict[int, list[float]]:
    """Edge j of B is the smallest confidence with j/B of the weight below it, face by face."""
    done = table.labelled & table.processed & (weight > 0)
    mass: dict[float, float] = {}
    for c, w in zip(proba[done].max(axis=1).tolist(), weight[done].tolist(), strict=True):
        mass[c] = mass.get(c, 0.0) + w
    total, found = math.fsum(mass.values()), {}
    for n in (5, 15):
        edges, below = [math.inf] * (n - 1), 0.0
        for c in sorted(mass):
            for j in range(1, n):
                if below >= j / n * total - 1e-9 and edges[j - 1] == math.inf:
                    edges[j - 1] = c
            below += mass[c]
        found[n] = edges
    return found


def _mix(table: Predictions, weight: Array) -> Array:
    done = table.labelled & table.processed
    shares = [weight[done & (table.y_true == k)].sum() for k in range(len(table.classes))]
    return np.array(shares) / sum(shares)


def _members(table: Predictions, group: Group) -> Array:
    """Which labelled rows belong to a group; ``None`` is an empty cell."""
    frame = table.other[table.labelled]
    inside = np.ones(len(frame), dtype=bool)
    for name, value in group.items():
        column = frame[name]
        if name == "age":  # as the record names bands: 00-02 is 0-2
            column = column.map(lambda text: band_label(parse_band(text)))
        inside &= (column.isna() | (column == "")) if value is None else column.eq(value)
    return inside


def compared(table: Predictions, result: AuditResult) -> Iterator[Compared]:
    """Every metric row of an audit beside its oracle, where the metric can exist."""
    rows = rows_of(table, result)
    last: Group | None = None
    for row in sorted(result.metrics, key=lambda row: repr(row.group)):
        if row.note in {"interval_truth", "predicted_bands", "no_probabilities"}:
            continue
        if row.group != last:
            last, keep = row.group, _members(table, row.group)
            parts = {name: getattr(rows, name) for name in BY_ROW}
            whole = replace(rows, **{n: None if p is None else p[keep] for n, p in parts.items()})
            done = whole.processed()
        needs_all = row.metric.endswith("_all") or row.metric == "failure_rate"
        part = whole if needs_all else done
        if row.class_ is not None:
            part = replace(part, k=result.spec.classes.index(row.class_))
        theirs: float | None = None
        if part.weight.sum() > 0:
            theirs = ORACLES[result.task][row.metric][1](part)
        if theirs is not None and math.isnan(theirs):
            theirs = None
        yield Compared(row.metric, row.class_, row.group, row.value, theirs, row.note)


def _simulated(task: str, seed: int, weights: bool) -> Predictions:
    make = age_table if task == "age" else expression_table
    return predictions_from_frame(make(seed, weights=weights), task=task)


def _bands(predicted: bool) -> Predictions:
    return predictions_from_frame(interval_table(3, predicted=predicted), task="age")


def _heritage() -> Predictions:
    return read_predictions(
        DATA / "biased-heritage" / "multistereo-sa-female-f0.0-r0.csv",
        task="expression",
        mapping={"sample_id": "id", "expression": "y_true", "expression_pred": "y_pred"},
        logits="logits",
    )


def _deepface() -> Predictions:
    folder = DATA / "facellm-deepface"
    return read_predictions(
        folder / "deepface_3k.csv",
        task="age",
        join=folder / "train_labels_inferred_only.csv",
        on="image_id",
        failed_when="face_confidence == 0",
    )


REAL: dict[str, Callable[[], Predictions]] = {
    "biased-heritage": _heritage,
    "facellm-deepface": _deepface,
}
CASES: dict[str, Callable[[], Predictions]] = {
    "ages, weighted": partial(_simulated, "age", 0, True),
    "ages": partial(_simulated, "age", 1, False),
    "age bands": partial(_bands, False),
    "age bands, bands predicted": partial(_bands, True),
    "expressions, weighted": partial(_simulated, "expression", 0, True),
    "expressions": partial(_simulated, "expression", 1, False),
    "expressions of a cured model": lambda: predictions_from_frame(
        cured_table(2), task="expression"
    ),
    **REAL,
}


def table_of_differences() -> str:
    """The generated table, as Markdown."""
    largest: dict[tuple[str, str], float] = {}
    groups: dict[tuple[str, str], int] = {}
    for name, make in CASES.items():
        if name in REAL and not DATA.is_dir():
            continue
        table = make()
        for item in compared(table, audit(table, by=BY, n_boot=0)):
            key = (table.task, item.metric)
            largest[key] = max(largest.get(key, 0.0), item.difference)
            groups[key] = groups.get(key, 0) + (item.ours is not None)
    lines = [
        "# Every metric and its independent oracle",
        "",
        "Written by `python tests/audit/oracles.py`. Difference: absolute, relative above 1.",
        "",
        "| task | metric | oracle | largest difference | groups compared |",
        "|---|---|---|---|---|",
    ]
    for task, oracles in ORACLES.items():
        lines += [
            f"| {task} | `{name}` | {oracle} | {largest[task, name]:.1e} | {groups[task, name]} |"
            for name, (oracle, _) in oracles.items()
        ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    text = table_of_differences()
    TARGET.parent.mkdir(parents=True, exist_ok=True)
    TARGET.write_text(text, encoding="utf-8")
    print(text)
