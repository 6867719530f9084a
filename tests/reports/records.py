"""Audit records written by hand: every number is invented and none comes from an audit."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from typing import Any

from audit.result import AuditResult

GENDERS: list[str | None] = ["female", "male", None]
RACES: list[str | None] = ["Black", "East Asian", "Indian", "White"]
AGES: list[str | None] = ["0-9", "10-19", "20-39", "40-59", "60+"]
CLASSES = ["angry", "happy", "sad"]

NASTY = [
    "<script>alert('group')</script>",
    "\"quoted\" & 'single' </td></script><b>bold</b><br>",
    "\u0639\u0631\u0628\u064a \u05e2\u05d1\u05e8\u05d9\u05ea",
    "very long " * 30,
    '<a href="javascript:alert(1)">link</a> %{x} {{ 7 * 7 }} &lt;i&gt;',
    "\u202egnorw eht yaw",
    "007",
]

Values = dict[str, list[str | None]]
NAMES: Values = {"gender": GENDERS, "race": RACES, "age": AGES}


def age_record(*, simulated: bool = False, groups: Values | None = None,
               **changes: Any) -> AuditResult:  # fmt: skip
    """An age audit by gender, race, age and their intersections."""
    values = groups or NAMES
    metrics = {
        "mae": ("years", "lower", 5.1), "bias": ("years", "zero", -0.6),
        "rmse": ("years", "lower", 7.0), "cs5": ("share", "higher", 0.61),
        "failure_rate": ("share", "lower", 0.012), "slope": ("years per year", "zero", -0.21),
    }  # fmt: skip
    record = _record("age", values, metrics, simulated=simulated)
    record["curves"] = [*_by_age("mae_by_age", values, 4.0), *_by_age("bias_by_age", values, 0.0)]
    record["spec"]["curves"] = {
        "mae_by_age": "x: lower edge of the age band; y: mean |e| in years",
        "bias_by_age": "x: lower edge of the age band; y: mean e in years",
    }
    return AuditResult.model_validate(record | changes)


def expression_record(*, simulated: bool = False, groups: Values | None = None,
                      **changes: Any) -> AuditResult:  # fmt: skip
    """An expression audit by gender and race, with probabilities."""
    values = groups or {"gender": GENDERS, "race": RACES}
    metrics = {
        "accuracy": ("share", "higher", 0.74), "balanced_accuracy": ("share", "higher", 0.70),
        "ece": ("probability", "lower", 0.06), "failure_rate": ("share", "lower", 0.004),
    }  # fmt: skip
    record = _record("expression", values, metrics, simulated=simulated)
    for group in _groups(values):
        for class_ in CLASSES:
            rare = class_ == "sad" and len(group) == 2
            row = _row("recall", group, 0.7, note="class_absent" if rare else None)
            record["metrics"].append(row | {"class": class_})
    record["spec"]["metrics"]["recall"] = _metric_spec("share", "higher", "recall")
    record["spec"]["classes"] = CLASSES
    record["spec"]["curves"] = {
        "reliability": "x: mean confidence of a bin; y: accuracy; z: share of faces",
        "confusion": "x: true class; y: predicted class; z: weighted count; n: row total",
    }
    record["curves"] = [*_reliability(values), *_confusion(values)]
    return AuditResult.model_validate(record | changes)


def _groups(values: Values) -> Iterator[dict[str, str | None]]:
    yield {}
    for names in _combinations(values):
        for combination in itertools.product(*(values[name] for name in names)):
            yield dict(zip(names, combination, strict=True))


def _combinations(values: Values) -> list[list[str]]:
    names = list(values)
    return [list(c) for k in range(1, len(names) + 1) for c in itertools.combinations(names, k)]


def _wave(*parts: object) -> float:
    """A number between -1 and 1 that depends on the text of its parts only."""
    return math.sin(sum((i + 3) * ord(c) for i, c in enumerate(repr(parts)[:200])))


def _note(metric: str, group: dict[str, str | None]) -> str | None:
    if (len(group) == 3 and _wave(group) > 0.4) or (len(group) == 2 and _wave(group) > 0.97):
        return "below_min_n"
    if metric == "slope" and "age" in group:
        return "range_restricted"
    return None


def _row(metric: str, group: dict[str, str | None], base: float, note: str | None = None
         ) -> dict[str, Any]:  # fmt: skip
    n = round(4000 / 3 ** len(group) * (1.2 + _wave(group)))
    value = base * (1 + 0.22 * _wave(metric, group)) if note in (None, "range_restricted") else None
    half = abs(base) * 2.2 / math.sqrt(max(n, 4))
    return {
        "metric": metric, "class": None, "group": group, "value": value,
        "low": None if value is None else value - half,
        "high": None if value is None else value + 1.1 * half,
        "low_90": None if value is None else value - 0.8 * half,
        "high_90": None if value is None else value + 0.9 * half,
        "method": "cluster log t", "n": n, "n_subjects": max(n // 2, 1), "m_eff": n / 2.3,
        "n_failed": n // 90, "n_unlabelled": 0, "note": note,
        "null_expected": 0.02 if metric == "ece" else None,
    }  # fmt: skip


def _metric_spec(unit: str, better: str, name: str) -> dict[str, str]:
    return {
        "unit": unit, "better": better, "scale": "log", "interval": "log_t",
        "definition": f"the definition of {name}", "source": "an author (2020)",
    }  # fmt: skip


def _record(
    task: str, values: Values, metrics: dict[str, tuple[str, str, float]], *, simulated: bool
) -> dict[str, Any]:
    rows = [
        _row(metric, group, base, _note(metric, group))
        for metric, (_, _, base) in metrics.items()
        for group in _groups(values)
    ]
    margins = {"mae": 0.5} if task == "age" else {}
    attributes = {
        name: {"source": "perceived", "values": [v for v in found if v is not None],
               "n_unknown": 31 if None in found else 0}
        for name, found in values.items()
    }  # fmt: skip
    return {
        "task": task,
        "run": {
            "model": "resnet50-hae, fold 1" if task == "age" else "scn-resnet18",
            "data": "an invented cohort", "simulated": simulated, "seed": 7,
            "files": [{"name": "predictions.parquet", "sha256": "ab" * 32, "bytes": 81234}],
            "versions": {"python": "3.11", "hae-audit": "0.1.0"},
            "command": "hae-audit evaluate --by gender --by race", "terms": None,
        },
        "spec": {
            "attributes": attributes, "combinations": _combinations(values),
            "unit_of_resampling": "person", "units": "subject_id", "estimand": "image",
            "n_boot": 2000, "min_n": 30, "margins": margins,
            "age_bands": [0, 10, 20, 40, 60] if task == "age" else None,
            "metrics": {m: _metric_spec(u, b, m) for m, (u, b, _) in metrics.items()},
        },
        "metrics": rows, "gaps": list(_gaps(values, metrics, rows, margins)),
        "warnings": _warnings(simulated),
    }  # fmt: skip


def _gaps(
    values: Values, metrics: dict[str, tuple[str, str, float]],
    rows: Sequence[dict[str, Any]], margins: dict[str, float],
) -> Iterator[dict[str, Any]]:  # fmt: skip
    for metric, names in itertools.product(metrics, _combinations(values)):
        found = [
            row for row in rows
            if row["metric"] == metric and set(row["group"]) == set(names)
            and None not in row["group"].values()
        ]  # fmt: skip
        valued = sorted((r for r in found if r["value"] is not None), key=lambda r: r["value"])
        if metrics[metric][1] == "higher":
            valued.reverse()
        base = {"metric": metric, "attributes": names, "family": f"{metric} x {names}",
                "margin": margins.get(metric)}  # fmt: skip
        kind = "max_minus_min" if metrics[metric][1] == "zero" else "worst_minus_best"
        if len(valued) < 2:
            yield base | {"kind": kind, "value": None, "note": "single_group"}
            continue
        sign = -1 if metrics[metric][1] == "higher" else 1
        yield (
            base
            | {"kind": kind}
            | _pair(valued[-1], valued[0], margins.get(metric), sign)
            | {"debiased": 0.8 * abs(valued[-1]["value"] - valued[0]["value"])}
        )
        for a, b in itertools.islice(itertools.combinations(found, 2), 25):
            yield base | {"kind": "difference"} | _pair(a, b, margins.get(metric))
        yield base | {"kind": "sd_between", "value": 0.3, "null_expected": 0.2, "note": "no_margin"}


def _pair(a: dict[str, Any], b: dict[str, Any], margin: float | None, sign: int = 1
          ) -> dict[str, Any]:  # fmt: skip
    sides = {
        "a": a["group"], "b": b["group"], "n_a": a["n"], "n_b": b["n"],
        "n_subjects_a": a["n_subjects"], "n_subjects_b": b["n_subjects"],
    }  # fmt: skip
    if a["value"] is None or b["value"] is None:
        return sides | {"value": None, "note": "below_min_n"}
    value = sign * (a["value"] - b["value"])
    half = math.hypot(a["high"] - a["value"], b["high"] - b["value"])
    verdict = None
    if margin is not None:
        outside = abs(value) - half > margin
        verdict = (
            "gap"
            if outside
            else "no material gap"
            if abs(value) + half < margin
            else "inconclusive"
        )
    return sides | {
        "value": value, "low": value - half, "high": value + half, "low_90": value - 0.8 * half,
        "high_90": value + 0.8 * half, "method": "mover", "p": 0.03, "p_adjusted": 0.09,
        "p_permutation": 0.0004, "verdict": verdict, "min_detectable": 1.4 * half,
        "note": None if margin is not None else "no_margin",
    }  # fmt: skip


def _warnings(simulated: bool) -> list[dict[str, Any]]:
    warnings: list[dict[str, Any]] = [
        {"code": "small_groups", "severity": "info", "where": "gender × race × age",
         "message": "11 groups have fewer than 30 persons."},
        {"code": "perceived_attribute", "severity": "warning",
         "message": "gender and race are as perceived by annotators.", "where": None},
        {"code": "failures", "severity": "serious", "message": "53 faces were not processed."},
    ]  # fmt: skip
    if simulated:
        warnings.append({"code": "simulated", "severity": "serious", "message": "Invented faces."})
    return warnings


def _single_groups(values: Values) -> Iterator[dict[str, str | None]]:
    yield from (group for group in _groups(values) if len(group) <= 1)


def _by_age(name: str, values: Values, base: float) -> Iterator[dict[str, Any]]:
    for group in _single_groups({k: v for k, v in values.items() if k != "age"}):
        for x in range(0, 90, 10):
            y = base + (x - 35) ** 2 / 900 + 0.5 * _wave(name, group, x)
            if name == "bias_by_age":
                y = 3 - x / 11 + 0.5 * _wave(name, group, x)
            gone = x == 80 and bool(group)
            yield {"name": name, "group": group, "x": x, "y": None if gone else y,
                   "low": None if gone else y - 0.4, "high": None if gone else y + 0.5,
                   "n": 0 if gone else 400 - 4 * x}  # fmt: skip


def _reliability(values: Values) -> Iterator[dict[str, Any]]:
    for group in _single_groups(values):
        for j in range(10):
            x = 0.05 + j / 10
            y = min(1.0, max(0.0, x - 0.06 * x + 0.06 * _wave(group, j)))
            gone = j == 0
            yield {"name": "reliability", "group": group, "x": x, "y": None if gone else y,
                   "z": (j + 1) / 55, "low": None if gone else max(0.0, y - 0.06),
                   "high": None if gone else min(1.0, y + 0.06),
                   "n": 0 if gone else 20 * j}  # fmt: skip


def _confusion(values: Values) -> Iterator[dict[str, Any]]:
    for group in _single_groups(values):
        for true, predicted in itertools.product(CLASSES, CLASSES):
            z = 70.0 if true == predicted else 15 + 5 * round(_wave(group, true, predicted))
            yield {"name": "confusion", "group": group, "x": true, "y": predicted, "z": z, "n": 100}
