"""Truth and estimate of a table, by task: found by name, checked, and typed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from audit.classes import (
    are_places,
    as_classes,
    class_codes,
    observed_classes,
    read_probabilities,
)
from audit.columns import AgeColumn, as_ages, as_number, checked_estimate, checked_truth
from audit.cure import AFTER, BEFORE, COLUMNS, read_cure, read_raw
from audit.distribution import read_distribution
from audit.errors import InputError
from audit.rows import Concern
from audit.stated_intervals import read_intervals

BoolArray = npt.NDArray[np.bool_]


def age_fields(
    frame: pd.DataFrame, failed: BoolArray, place: str
) -> tuple[dict[str, Any], list[str]]:
    """Truth, estimate, predicted distribution and intervals of an age table, and their columns."""
    truth, truth_columns = _ages(frame, "age", place)
    estimate, columns = _ages(frame, "age_pred", place)
    checked_truth(truth, frame[truth_columns[0]], place)
    checked_estimate(estimate, frame[columns[0]], place)
    estimate = replace(
        estimate,
        low=np.where(failed, np.nan, estimate.low),
        high=np.where(failed, np.nan, estimate.high),
    )
    counts = {
        "mixed_truth": int(truth.mixed or estimate.mixed),
        "negative_age_pred": int((estimate.low < 0).sum()),
    }
    distribution, more = read_distribution(frame, estimate, place)
    intervals, ends = read_intervals(frame, estimate.known, place)
    fields = {
        "truth": truth,
        "estimate": estimate,
        "distribution": distribution,
        "intervals": intervals,
        "counts": counts,
    }
    return fields, [*truth_columns, *columns, *more, *ends]


def _ages(frame: pd.DataFrame, name: str, place: str) -> tuple[AgeColumn, list[str]]:
    pair = [f"{name}_low", f"{name}_high"]
    if name in frame.columns:
        return as_ages(frame[name], place), [name]
    if all(column in frame.columns for column in pair):
        low = as_number(frame[pair[0]], place)
        as_number(frame[pair[1]], place)
        high = pd.to_numeric(frame[pair[1]], errors="coerce").to_numpy(
            dtype=np.float64, na_value=np.inf
        )
        high = np.where(np.isnan(low), np.nan, np.where(np.isnan(high), np.inf, high))
        wrong = high <= low
        if wrong.any():
            row = int(wrong.argmax())
            raise InputError(
                f"{place} row {row + 1}: {pair[0]} {low[row]:g} must be below "
                f"{pair[1]} {high[row]:g}"
            )
        return AgeColumn(low, high, is_band=True), pair
    raise InputError(
        f"{place}: no column {name!r} (nor {pair[0]!r} and {pair[1]!r}); "
        f"name it with --map {name}=THEIRS; the table has {', '.join(map(str, frame.columns))}"
    )


def expression_fields(
    frame: pd.DataFrame,
    failed: BoolArray,
    logits: str | None,
    classes: Sequence[str] | None,
    place: str,
    warnings: list[Concern],
) -> tuple[dict[str, Any], list[str]]:
    """Classes, scores and training's treatment of an expression table, and their columns."""
    scores, columns = read_probabilities(frame, logits, classes, place)
    has_pred = "expression_pred" in frame.columns
    if "expression" not in frame.columns or not (has_pred or scores is not None):
        name = "expression" if "expression" not in frame.columns else "expression_pred"
        raise InputError(
            f"{place}: no column {name!r}; name it with --map {name}=THEIRS; "
            f"the table has {', '.join(map(str, frame.columns))}"
        )
    text = [name for name in ("expression", "expression_pred") if name in frame.columns]
    both = {BEFORE, AFTER, "relabelled"} <= set(frame.columns)
    naming = [*text, *((BEFORE, AFTER) if both else ())]
    names = (
        scores.classes
        if scores is not None
        else tuple(classes or observed_classes(*(as_classes(frame[n], place) for n in naming)))
    )
    if not names:
        raise InputError(
            f"{place}: every expression and expression_pred is empty, so no class is known; "
            "set them with --classes"
        )
    if len(set(names)) != len(names):
        raise InputError(f"{place}: class names must be distinct, got {', '.join(names)}")
    y_true = class_codes(frame["expression"], names, place)
    if classes is None and are_places(frame["expression"], names, place):
        message = f"expressions are numbers, read as places in {', '.join(names)}, from 0"
        warnings.append(
            Concern(code="classes_by_place", severity="warning", message=message, where=place)
        )
    best = None if scores is None else np.nan_to_num(scores.proba, nan=-1.0).argmax(axis=1)
    y_pred = class_codes(frame["expression_pred"], names, place) if has_pred else best
    assert y_pred is not None
    odd = 0
    if scores is not None and best is not None:
        without = np.isnan(scores.proba).any(axis=1)
        y_pred = np.where(without, -1, y_pred)
        odd = int(((best != y_pred) & (y_pred >= 0)).sum())
    y_pred = np.where(failed, -1, y_pred)
    raw, raw_columns = read_raw(frame, scores, y_pred >= 0, place)
    cure = read_cure(frame, names, place)
    labels = [] if cure is None or cure.before is None else [BEFORE, AFTER]
    fields = {
        "y_true": y_true,
        "y_pred": y_pred,
        "probabilities": scores,
        "classes": names,
        "cure": cure,
        "raw": raw,
        "counts": {"pred_not_argmax": odd},
    }
    return fields, [*text, *columns, *raw_columns, *COLUMNS, *labels]
