"""Small simulated tables and look-ups that the tests of the engine share."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import softmax

from audit.result import AuditResult
from audit.rows import MetricRow

DATA = Path(__file__).resolve().parents[2].parent / "shared" / "data"
CLASSES = ("angry", "happy", "neutral", "sad")
BY = ["gender", "race", "gender,race"]


def _people(rng: np.random.Generator, n_persons: int, *, unknown: bool) -> pd.DataFrame:
    person = np.repeat(np.arange(n_persons), rng.integers(1, 6, n_persons))
    gender = rng.choice(["f", "m"], n_persons)[person]
    races = np.array(["Black", "Indian", "NA", "White"])
    race = rng.choice(races, n_persons, p=[0.3, 0.1, 0.2, 0.4])[person].astype(object)
    if unknown:
        race[rng.random(n_persons)[person] < 0.05] = None
    return pd.DataFrame(
        {
            "sample_id": [f"s{i:04d}" for i in range(len(person))],
            "subject_id": [f"p{i:03d}" for i in person],
            "gender": gender,
            "race": race,
        }
    )


def age_table(
    seed: int = 0,
    n_persons: int = 150,
    *,
    weights: bool = True,
    failures: bool = True,
    unknown: bool = True,
) -> pd.DataFrame:
    """Ages of 2 to 88 years in years and months, with everything that may be missing, missing."""
    rng = np.random.default_rng(seed)
    table = _people(rng, n_persons, unknown=unknown)
    n = len(table)
    age = (rng.uniform(2, 88, n) * 4).round() / 4
    error = 4 * rng.standard_normal(n_persons)[table["subject_id"].str[1:].astype(int)]
    error = error + 3 * rng.standard_normal(n) + np.where(table["gender"] == "f", 1.0, 0.0)
    table["age"] = age
    table["age_pred"] = np.round(age + error - 0.1 * (age - 40), 3)
    if failures:
        table.loc[rng.random(n) < 0.04, "age_pred"] = np.nan
        table.loc[rng.random(n) < 0.02, "age"] = np.nan
    if weights:
        table["weight"] = rng.choice([0.0, 0.5, 1.0, 1.5, 3.0], n)
    return table


def interval_table(seed: int = 0, *, predicted: bool = False) -> pd.DataFrame:
    """Truth as bands up to 70+, estimates in years, or as bands too."""
    table = age_table(seed)
    edges = [0, 3, 10, 20, 30, 40, 50, 60, 70]
    names = ["00-02", "3-9", *(f"{e}-{e + 9}" for e in edges[2:-1]), "more than 70"]

    def banded(ages: pd.Series) -> np.ndarray:
        at = np.searchsorted(edges, ages.fillna(0).clip(lower=0), side="right") - 1
        return np.where(ages.isna(), None, np.array(names, dtype=object)[at])

    table["age"] = banded(table["age"])
    if predicted:
        table["age_pred"] = banded(table["age_pred"])
    return table


def distribution_table(seed: int = 0, n_persons: int = 150, *, grid: bool = False) -> pd.DataFrame:
    """Ages with a predicted distribution of varying spread: normal, or on the ages 0, 1, ..., 100.

    Those of women are too narrow. Failures have no distribution.
    """
    table = age_table(seed, n_persons)
    rng = np.random.default_rng(seed + 500)
    std = np.round(rng.uniform(2, 9, len(table)) * np.where(table["gender"] == "f", 0.5, 1.0), 3)
    failed = table["age_pred"].isna()
    if not grid:
        return table.assign(age_std=np.where(failed, np.nan, std))
    centres = np.arange(101.0)
    mean = table["age_pred"].fillna(40.0).to_numpy()
    proba = softmax(-(((centres - mean[:, None]) / std[:, None]) ** 2) / 2, axis=1)
    proba[failed.to_numpy()] = np.nan
    columns = [f"prob_age_{centre:g}" for centre in centres]
    return table.join(pd.DataFrame(proba, columns=columns, index=table.index))


def expression_table(
    seed: int = 0,
    n_persons: int = 200,
    *,
    weights: bool = True,
    failures: bool = True,
    unknown: bool = True,
    probabilities: bool = True,
) -> pd.DataFrame:
    """Four classes with overconfident probabilities; failures, unknown truth and weights."""
    rng = np.random.default_rng(seed)
    table = _people(rng, n_persons, unknown=unknown)
    n, k = len(table), len(CLASSES)
    truth = rng.choice(k, n, p=[0.15, 0.4, 0.25, 0.2])
    skill = np.where(table["gender"] == "f", 2.0, 1.3)
    scores = rng.standard_normal((n, k)) * 1.5
    scores[np.arange(n), truth] += skill
    proba = softmax(1.3 * scores, axis=1)
    names = np.array(CLASSES, dtype=object)
    table["expression"] = names[truth]
    table["expression_pred"] = names[proba.argmax(axis=1)]
    if failures:
        table.loc[rng.random(n) < 0.04, "expression_pred"] = None
        table.loc[rng.random(n) < 0.02, "expression"] = None
    if probabilities:
        for j, name in enumerate(CLASSES):
            table[f"prob_{name}"] = proba[:, j]
    if weights:
        table["weight"] = rng.choice([0.0, 0.5, 1.0, 1.5, 3.0], n)
    return table


CURE_COLUMNS = ("importance", "low_group", "relabelled", "flipped", "corrected")


def cured_table(seed: int = 0, n_persons: int = 200, *, weights: bool = True) -> pd.DataFrame:
    """Expressions of a model trained on noisy labels: every cure column, some cells empty."""
    table = expression_table(seed, n_persons, weights=weights, probabilities=False)
    rng = np.random.default_rng(seed + 1000)
    n = len(table)
    table["importance"] = rng.beta(4, 2, n)
    table["low_group"] = rng.integers(0, 11, n) / 10
    flipped = (rng.random(n) < 0.3).astype(float)
    relabelled = (rng.random(n) < np.where(flipped == 1, 0.6, 0.1)).astype(float)
    table["relabelled"] = relabelled
    table["flipped"] = flipped
    table["corrected"] = relabelled * flipped * (rng.random(n) < 0.7)
    raw = rng.standard_normal((n, len(CLASSES))) * 3
    for j, name in enumerate(CLASSES):
        table[f"raw_logit_{name}"] = raw[:, j]
        table[f"logit_{name}"] = raw[:, j] * table["importance"]
    table.loc[rng.random(n) < 0.05, ["importance"]] = np.nan
    table.loc[rng.random(n) < 0.05, ["relabelled", "corrected"]] = np.nan
    table.loc[rng.random(n) < 0.05, ["flipped", "corrected"]] = np.nan
    return table


def metric(
    result: AuditResult,
    name: str,
    group: Mapping[str, str | None] | None = None,
    class_: str | None = None,
) -> MetricRow:
    """The one row of a metric in a group."""
    found = [
        row
        for row in result.metrics
        if row.metric == name and row.group == (group or {}) and row.class_ == class_
    ]
    assert len(found) == 1, f"{len(found)} rows of {name} in {group}"
    return found[0]


def gaps(result: AuditResult, **wanted: Any) -> list[Any]:
    """The gaps whose fields have the wanted values."""
    return [
        gap for gap in result.gaps if all(getattr(gap, k) == value for k, value in wanted.items())
    ]


def gap(result: AuditResult, **wanted: Any) -> Any:
    """The one gap whose fields have the wanted values."""
    found = gaps(result, **wanted)
    assert len(found) == 1, f"{len(found)} gaps with {wanted}"
    return found[0]
