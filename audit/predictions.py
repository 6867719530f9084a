"""The predictions table: one row per face, checked once at the border and trusted inside."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import pandas as pd

from audit.classes import (
    LOGIT,
    PROB,
    Probabilities,
)
from audit.columns import AgeColumn, as_text, numbers_of
from audit.cure import COLUMNS as CURE
from audit.cure import RAW, Cure
from audit.distribution import AgeDistribution
from audit.errors import InputError
from audit.face_regions import REGIONS
from audit.fields import age_fields, expression_fields
from audit.hashing import Keys
from audit.relabels import with_relabels
from audit.result import FileHash
from audit.rows import Code, Concern, Task
from audit.stated_intervals import StatedIntervals
from audit.tables import failed_rows, file_hash, join_truth, read_table, rename
from audit.where import Where, read_where

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]
TASKS: tuple[Task, ...] = ("age", "expression")


@dataclass(frozen=True, eq=False)
class Predictions:
    """A checked predictions table.

    ``truth`` and ``estimate`` are ages (points or bands) for the task ``age``, ``distribution`` is
    the predicted one and ``intervals`` the stated ones, where the table has them; ``y_true`` and
    ``y_pred`` are class codes, -1 where missing, for the task ``expression``, ``cure`` is what
    training did with the faces, ``raw`` the scores of unscaled logits. ``where`` says where the
    model looked. ``other`` holds every further column untouched: an attribute when ``--by`` names
    it. ``counts`` says how often the readers saw what a warning tells. ``keys`` of faces and
    persons stand in for their ids in a table that is streamed.
    """

    task: Task
    sample_id: pd.Series | None
    subject_id: pd.Series | None
    other: pd.DataFrame
    place: str = "table"
    truth: AgeColumn | None = None
    estimate: AgeColumn | None = None
    distribution: AgeDistribution | None = None
    intervals: StatedIntervals | None = None
    y_true: IntArray | None = None
    y_pred: IntArray | None = None
    probabilities: Probabilities | None = None
    classes: tuple[str, ...] = ()
    cure: Cure | None = None
    raw: Probabilities | None = None
    where: Where | None = None
    weight: FloatArray | None = None
    warnings: tuple[Concern, ...] = ()
    counts: Mapping[str, int] = field(default_factory=dict)
    keys: tuple[Keys, Keys] | None = None
    files: tuple[FileHash, ...] = ()

    def __len__(self) -> int:
        return len(self.other)

    @property
    def labelled(self) -> BoolArray:
        """Where the truth is known, shape (n,)."""
        if self.task == "age":
            assert self.truth is not None
            return self.truth.known
        return cast(IntArray, self.y_true) >= 0

    @property
    def processed(self) -> BoolArray:
        """Where the model gave an estimate, shape (n,)."""
        if self.task == "age":
            assert self.estimate is not None
            return self.estimate.known
        return cast(IntArray, self.y_pred) >= 0

    @property
    def extras(self) -> tuple[str, ...]:
        """The optional columns that bring metrics of their own, by name."""
        given = () if self.cure is None else self.cure.given
        looked = () if self.where is None else self.where.metrics
        return (*given, *(() if self.raw is None else (RAW,)), *looked)

    def to_frame(self) -> pd.DataFrame:
        """The table in the contract's columns (see ``hae-audit schema predictions``)."""
        columns: dict[str, Any] = {}
        if self.sample_id is not None:
            columns["sample_id"] = self.sample_id.to_numpy()
        if self.subject_id is not None:
            columns["subject_id"] = self.subject_id.to_numpy()
        for name, ages in (("age", self.truth), ("age_pred", self.estimate)):
            if ages is not None and ages.is_band:
                columns |= {f"{name}_low": ages.low, f"{name}_high": ages.high}
            elif ages is not None:
                columns[name] = ages.low
        if self.distribution is not None:
            columns |= self.distribution.columns()
        if self.intervals is not None:
            columns |= self.intervals.columns()
        names = np.array([*self.classes, None], dtype=object)
        for name, codes in (("expression", self.y_true), ("expression_pred", self.y_pred)):
            if codes is not None:
                columns[name] = names[codes]
        if self.probabilities is not None:
            scores = self.probabilities
            prefix, values = (
                (PROB, scores.proba) if scores.logits is None else (LOGIT, scores.logits)
            )
            columns |= {f"{prefix}{name}": values[:, k] for k, name in enumerate(self.classes)}
        if self.raw is not None and self.raw.logits is not None:
            raw = self.raw.logits
            columns |= {f"{RAW}{name}": raw[:, k] for k, name in enumerate(self.classes)}
        if self.cure is not None:
            columns |= self.cure.columns(self.classes)
        if self.where is not None:
            columns |= self.where.columns()
        if self.weight is not None:
            columns["weight"] = self.weight
        return pd.concat([pd.DataFrame(columns, index=self.other.index), self.other], axis=1)


def read_predictions(
    path: Path,
    *,
    task: str,
    mapping: Mapping[str, str] | None = None,
    join: Path | None = None,
    on: str | None = None,
    failed_when: str | None = None,
    logits: str | None = None,
    classes: Sequence[str] | None = None,
    relabels: Path | None = None,
) -> Predictions:
    """Read somebody's table of predictions (CSV or Parquet).

    Parameters
    ----------
    path : Path
        The table, one row per face.
    task : {"age", "expression"}
        What is predicted.
    mapping : mapping of our column to theirs, optional
        Names of the contract for foreign columns, for example ``{"age": "age_labels"}``.
    join, on : Path and column, optional
        A table of the truth and the key that both share. Columns that both have keep their name
        for the truth; the prediction's is called ``<name>_pred``.
    failed_when : str, optional
        One comparison; rows for which it holds count as not processed.
    logits : str, optional
        Column of JSON lists, comma-separated columns, or the prefix of one column per class.
    classes : sequence of str, optional
        Names of the expression classes in the order of their scores.
    relabels : Path, optional
        The ``relabels.csv`` of the run that was trained on these faces.

    Raises
    ------
    InputError
        With place, rule, value and remedy.
    """
    frame, place, files, found = read_table(path), path.name, [file_hash(path)], []
    if (join is None) != (on is None):
        raise InputError("--join and --on go together: give the truth table and the shared column")
    if join is not None and on is not None:
        joined = join_truth(frame, read_table(join), on, place)
        frame, files = joined.frame, [*files, file_hash(join)]
        found = _join_warnings(joined.without_prediction, joined.without_truth, place)
        mapping = dict(mapping or {})
        if "sample_id" not in mapping and "sample_id" not in frame.columns:
            mapping["sample_id"] = on
    if relabels is not None:
        if task != "expression":
            raise InputError("--relabels: labels of ages are never changed; leave it out")
        frame = with_relabels(rename(frame, mapping or {}, place), relabels, place)
        files, mapping = [*files, file_hash(relabels)], {}
    table = predictions_from_frame(
        frame,
        task=task,
        place=place,
        mapping=mapping,
        failed_when=failed_when,
        logits=logits,
        classes=classes,
    )
    return replace(table, files=tuple(files), warnings=(*found, *table.warnings))


def _join_warnings(without_prediction: int, without_truth: int, place: str) -> list[Concern]:
    counts: tuple[tuple[Code, int, str], ...] = (
        ("missing_predictions", without_prediction, "faces have no prediction: failures"),
        ("missing_truth", without_truth, "predictions have no truth: left unlabelled"),
    )
    return [
        Concern(code=code, severity="warning", message=f"{count} {text}", where=place)
        for code, count, text in counts
        if count
    ]


def predictions_from_frame(
    frame: pd.DataFrame,
    *,
    task: str,
    place: str = "table",
    mapping: Mapping[str, str] | None = None,
    failed_when: str | None = None,
    logits: str | None = None,
    classes: Sequence[str] | None = None,
) -> Predictions:
    """Check a frame against the contract; parameters as in :func:`read_predictions`."""
    if task not in TASKS:
        raise InputError(f"--task {task!r}: must be one of {', '.join(TASKS)}")
    if frame.empty:
        raise InputError(f"{place}: the table has no rows; give at least one face")
    named = any(name is not None for name in frame.index.names)
    frame = rename(frame.reset_index(drop=not named), mapping or {}, place)
    failed = (
        failed_rows(frame, failed_when, place)
        if failed_when
        else np.zeros(len(frame), dtype=np.bool_)
    )
    warnings: list[Concern] = _leaks(frame, place)
    common, used = _ids_and_weight(frame, place)
    if task == "age":
        fields, columns = age_fields(frame, failed, place)
    else:
        fields, columns = expression_fields(frame, failed, logits, classes, place, warnings)
    where, looked = read_where(frame, place)
    taken = (*used, *columns, *looked)
    other = frame.drop(columns=[name for name in taken if name in frame.columns])
    return Predictions(
        task=task,
        place=place,
        other=other,
        where=where,
        warnings=tuple(warnings),
        **common,
        **fields,
    )


def _leaks(frame: pd.DataFrame, place: str) -> list[Concern]:
    if LEAKY not in frame.columns:
        return []
    found = as_text(frame[LEAKY], place).dropna().unique()
    return [
        Concern(code="leaky_split", severity="serious", message=str(why), where=place)
        for why in sorted(found)
    ]


def _ids_and_weight(frame: pd.DataFrame, place: str) -> tuple[dict[str, Any], list[str]]:
    found: dict[str, Any] = {"sample_id": None, "subject_id": None, "weight": None}
    for name in ("sample_id", "subject_id"):
        if name in frame.columns:
            found[name] = as_text(frame[name], place, is_id=True)
    if found["subject_id"] is not None and found["subject_id"].isna().all():
        found["subject_id"] = None
    samples, subjects = found["sample_id"], found["subject_id"]
    if samples is not None:
        _check_samples(samples, place)
    if subjects is not None and "source" in frame.columns:
        check_sources(subjects, as_text(frame["source"], place), place)
    if "weight" in frame.columns:
        found["weight"] = numbers_of(
            frame, "weight", place, lambda w: ~(w >= 0), "must be a finite number of at least 0"
        )
    return found, [name for name in found if name in frame.columns]


def _check_samples(samples: pd.Series, place: str) -> None:
    empty = samples.isna()
    if empty.any():
        raise InputError(
            f"{place} row {int(empty.argmax()) + 1}: sample_id is empty; every face needs one"
        )
    double = samples.duplicated(keep=False)
    if double.any():
        first = samples[double].iloc[0]
        rows = ", ".join(str(index + 1) for index in samples.index[samples == first][:5])
        raise InputError(
            f"{place} rows {rows}: sample_id {first!r} occurs more than once; ids must be unique"
        )


def check_sources(subjects: pd.Series, sources: pd.Series, place: str) -> None:
    """One id in two sources is two people: refuse it.

    Raises
    ------
    InputError
        With the id and its sources.
    """
    pairs = pd.DataFrame({"subject": subjects, "source": sources}).dropna().drop_duplicates()
    double = pairs["subject"].duplicated(keep=False)
    if double.any():
        first = pairs["subject"][double].iloc[0]
        both = sorted(pairs["source"][pairs["subject"] == first])
        raise InputError(
            f"{place}: subject_id {first!r} occurs in the sources {' and '.join(both)}; "
            "prefix the id with its source, as they are different people"
        )


def write_predictions(predictions: Predictions, path: Path) -> None:
    """Write the table as Parquet, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        predictions.to_frame().to_parquet(temporary, index=False)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


LEAKY = "leaky"
"""A column that says why people of these faces may be in the training data of the model."""

_COLUMNS: dict[str, tuple[str | list[str], str]] = {
    "sample_id": ("string", "unique text; the row number when absent"),
    "subject_id": (["string", "null"], "the person: the unit of resampling; empty = own unit"),
    "age": (["number", "null"], "true age in years, 0 to 130; empty = unknown"),
    "age_low": (["number", "null"], "true age lies in [age_low, age_high), years"),
    "age_high": (["number", "null"], "empty or infinite for an open top band"),
    "age_pred": (["number", "null"], "estimate in years; empty = failure to process"),
    "age_pred_low": (["number", "null"], "predicted band [age_pred_low, age_pred_high), years"),
    "age_pred_high": (["number", "null"], "empty or infinite for an open top band"),
    "age_std": (
        ["number", "null"],
        "standard deviation of a normal predictive distribution, years, above 0",
    ),
    "expression": (["string", "null"], "true class, by name or index; empty = unknown"),
    "expression_pred": (["string", "null"], "predicted class; empty = failure to process"),
    "weight": ("number", "sampling weight, finite, at least 0"),
    "importance": (["number", "null"], "weight of the face in training, 0 to 1; empty = unknown"),
    "low_group": (["number", "null"], "share of its visits in the low-importance group, 0 to 1"),
    "relabelled": (["integer", "null"], "1 = training changed its label, 0 = it did not"),
    "flipped": (["integer", "null"], "1 = injected noise had changed its label; only if known"),
    "corrected": (["integer", "null"], "1 = flipped, and relabelled to its true class"),
    "expression_given": (["string", "null"], "label at the start of training, with any noise"),
    "expression_final": (["string", "null"], "label at its end; both only with relabelled"),
}


def predictions_schema() -> dict[str, Any]:
    """JSON Schema of one row of a predictions table."""
    properties: dict[str, dict[str, Any]] = {
        name: {"type": kind, "description": text} for name, (kind, text) in _COLUMNS.items()
    }
    for name in CURE:
        properties[name] |= {"minimum": 0, "maximum": 1}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "hae-audit/predictions/1",
        "title": "One face of a predictions table",
        "type": "object",
        "properties": properties,
        "patternProperties": {
            "^interval_[0-9.]+_(low|high)$": {
                "type": ["number", "null"],
                "description": "end of a stated closed interval of age at that level in percent",
            },
            "^prob_age_": {
                "type": ["number", "null"],
                "description": "P(age = centre), centres rising from column to column, sum 1",
            },
            "^prob_": {"type": ["number", "null"], "description": "class probability, sum 1"},
            "^logit_": {"type": ["number", "null"], "description": "class logit"},
            "^raw_logit_": {
                "type": ["number", "null"],
                "description": "class logit before it is scaled by the importance",
            },
            "^where_.+_at_[1-7]_[1-7]$": {
                "type": ["number", "null"],
                "description": "share of a cell, by row and column from the top left, of a map of "
                "where the model looked; enters means of at least 20 people alone",
            },
            f"^where_.+_({'|'.join(REGIONS)})$": {
                "type": ["number", "null"],
                "minimum": 0,
                "maximum": 1,
                "description": "share of a region of the canonical face in where the model looked, "
                "by source; all nine sum to 1, empty where unknown",
            },
        },
        "additionalProperties": {
            "description": "any other column is an attribute when --by names it",
        },
    }
