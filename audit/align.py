"""Several runs over the same faces: joined on ``sample_id``, one truth, one set of groups.

A face that a run's table does not hold counts as not processed by it. What the tables say of a
face besides the prediction (truth, person, weight, attributes) must agree.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd

from audit.bands import band_label
from audit.classes import Probabilities
from audit.columns import AgeColumn, as_text
from audit.errors import InputError
from audit.predictions import Predictions

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]
Objects: TypeAlias = Any
"""A numpy array of objects, shape (n,), ``None`` where a table does not say."""
LEAST_SHARED = 0.5


@dataclass(frozen=True, eq=False)
class Aligned:
    """Runs by name over one list of faces, and where a run's own table holds the face, (n,)."""

    runs: dict[str, Predictions]
    present: dict[str, BoolArray]

    def __len__(self) -> int:
        return len(next(iter(self.present.values())))


def align(runs: Mapping[str, Predictions], attributes: Sequence[str]) -> Aligned:
    """Put runs on one list of faces: those of the first, then further ones in order.

    Parameters
    ----------
    runs : mapping of str to Predictions
        At least two; where tables are silent the first that speaks is believed.
    attributes : sequence of str
        Columns that make the groups; ``age`` of an age table is its truth.

    Raises
    ------
    InputError
        A run without ``sample_id``, of another task, with other classes, that shares less than
        half of the faces, or that says something else of a face.
    """
    tables = common_classes(runs)
    ids = pd.Index(dict.fromkeys(name for t in tables.values() for name in _ids(t)))
    at = {name: pd.Index(_ids(table)).get_indexer(ids) for name, table in tables.items()}
    _check_shared({name: index >= 0 for name, index in at.items()})
    truth = _truth(tables, at, ids)
    first = next(iter(tables.values()))
    shared: dict[str, Any] = {
        "sample_id": pd.Series(ids, dtype=object),
        "subject_id": _agreed_column(tables, at, ids, "subject_id"),
        "weight": _agreed_weight(tables, at, ids),
        "other": _attributes(tables, at, ids, attributes, first.task),
        "cure": None,
        "raw": None,
        "where": None,
    }
    if not _same_distributions(list(tables.values())):
        tables = {name: replace(table, distribution=None) for name, table in tables.items()}
    if len({t.intervals.levels if t.intervals else () for t in tables.values()}) > 1:
        tables = {name: replace(table, intervals=None) for name, table in tables.items()}
    found = {
        name: replace(table, **shared, **truth, **_estimates(table, at[name]))
        for name, table in tables.items()
    }
    return Aligned(found, {name: index >= 0 for name, index in at.items()})


def processed_by_all(runs: Sequence[Predictions]) -> list[Predictions]:
    """The same tables where only the faces count as processed that every run processed."""
    both = np.logical_and.reduce([run.processed for run in runs])
    return [run if both[run.processed].all() else _without(run, ~both) for run in runs]


def _without(run: Predictions, lost: BoolArray) -> Predictions:
    """A run that has failed on some more faces."""
    kept = np.where(lost, -1, np.arange(len(run)))
    return replace(run, **_estimates(run, kept))


def _ids(table: Predictions) -> list[str]:
    if table.sample_id is None:
        raise InputError(
            f"{table.place}: no column 'sample_id'; runs are compared face by face: name the "
            "column of the ids with --map sample_id=THEIRS"
        )
    return [str(name) for name in table.sample_id]


def common_classes(runs: Mapping[str, Predictions]) -> dict[str, Predictions]:
    """The runs with one order of classes.

    Classes of tables without scores are those that occur, so they may differ; those that scores
    are given for may not. Where only some runs have scores, none is compared by them.
    """
    tables = list(runs.values())
    odd = next((table for table in tables if table.task != tables[0].task), None)
    if odd is not None:
        raise InputError(
            f"{odd.place}: predicts {odd.task}, {tables[0].place} predicts {tables[0].task}; "
            "only runs of one task can be compared"
        )
    if tables[0].task == "age":
        return dict(runs)
    scored = [table for table in tables if table.probabilities is not None]
    known = scored[0].classes if scored else None
    names = known or tuple(dict.fromkeys(name for t in tables for name in sorted(t.classes)))
    for table in tables:
        strange = [name for name in table.classes if name not in names]
        lacking = [name for name in names if name not in table.classes]
        if strange or (lacking and table.probabilities is not None):
            raise InputError(
                f"{table.place}: classes {', '.join(table.classes)} differ from "
                f"{', '.join(names)} in {(scored or tables)[0].place}; set them with --classes"
            )
    bare = len(scored) < len(tables)
    return {name: _with_classes(table, names, bare=bare) for name, table in runs.items()}


def _with_classes(table: Predictions, names: tuple[str, ...], *, bare: bool) -> Predictions:
    lookup = np.array([*(names.index(name) for name in table.classes), -1], dtype=np.int64)
    assert table.y_true is not None
    assert table.y_pred is not None
    scores = None if bare else table.probabilities
    if scores is not None:
        order = [scores.classes.index(name) for name in names]
        logits = None if scores.logits is None else scores.logits[:, order]
        scores = Probabilities(names, scores.proba[:, order], logits)
    y_true, y_pred = lookup[table.y_true], lookup[table.y_pred]
    return replace(table, classes=names, probabilities=scores, y_true=y_true, y_pred=y_pred)


def _check_shared(present: Mapping[str, BoolArray]) -> None:
    first, *others = present
    n = len(present[first])
    for name in others:
        shared = int((present[first] & present[name]).sum())
        union = int((present[first] | present[name]).sum())
        if shared < LEAST_SHARED * union:
            raise InputError(
                f"{first} and {name}: share {shared} of {union} faces (by sample_id); runs are "
                "compared on the same faces, at least half of them must be in both"
            )
    for name, here in present.items():
        if here.sum() < LEAST_SHARED * n:
            raise InputError(
                f"{name}: holds {int(here.sum())} of the {n} faces of all runs; at least half of "
                "them must be in every run"
            )


def _contradiction(
    tables: Mapping[str, Predictions],
    names: tuple[str, str],
    face: str,
    what: str,
    values: tuple[object, object],
) -> InputError:
    a, b = (tables[name].place for name in names)
    places = (a, b) if a != b else names
    x, y = (_shown(value) for value in values)
    return InputError(
        f"sample_id {face!r}: {what} is {x} in {places[0]} and {y} in {places[1]}; "
        "runs can be compared only on the same faces with the same labels"
    )


def _shown(value: object) -> str:
    """A value as the user wrote it; ages are pairs (low, high)."""
    if not isinstance(value, tuple):
        return repr(value)
    low, high = value
    return f"{low:g}" if low == high else repr(band_label((low, high)))


def _agree(
    tables: Mapping[str, Predictions],
    at: Mapping[str, IntArray],
    ids: pd.Index,
    what: str,
    columns: Mapping[str, Objects],
) -> Objects:
    """One value for every face from several tables, (n,) of objects; ``None`` where none knows."""
    found: Objects = np.full(len(ids), None, dtype=object)
    said: Objects = np.full(len(ids), None, dtype=object)
    for name, column in columns.items():
        value = np.append(column, [None])[at[name]]
        known, before = ~pd.isna(value), ~pd.isna(found)
        found[known & ~before], said[known & ~before] = value[known & ~before], name
        clash = np.flatnonzero(known & before & (found != value))
        if len(clash):
            i = int(clash[0])
            both = (str(said[i]), name)
            raise _contradiction(tables, both, str(ids[i]), what, (found[i], value[i]))
    return found


def _truth(
    tables: Mapping[str, Predictions], at: Mapping[str, IntArray], ids: pd.Index
) -> dict[str, Any]:
    first = next(iter(tables.values()))
    if first.task == "age":
        columns = {name: _age_objects(table.truth) for name, table in tables.items()}
        found = _agree(tables, at, ids, "age", columns)
        pairs = np.array([(np.nan, np.nan) if age is None else age for age in found])
        band = bool(np.any(pairs[:, 0] != pairs[:, 1], where=~np.isnan(pairs[:, 0])))
        return {"truth": AgeColumn(pairs[:, 0], pairs[:, 1], is_band=band)}
    names = np.array([*first.classes, None], dtype=object)
    columns = {name: names[table.y_true] for name, table in tables.items()}
    found = _agree(tables, at, ids, "expression", columns)
    codes = {name: code for code, name in enumerate(first.classes)} | {None: -1}
    return {"y_true": np.array([codes[name] for name in found], dtype=np.int64)}


def _age_objects(ages: AgeColumn | None) -> Objects:
    assert ages is not None
    found: Objects = np.full(len(ages.low), None, dtype=object)
    known = np.flatnonzero(ages.known)
    for i, pair in zip(known, zip(ages.low[known], ages.high[known], strict=True), strict=True):
        found[i] = pair
    return found


def _objects(column: pd.Series) -> Objects:
    found: Objects = column.astype(object).to_numpy(dtype=object, copy=True)
    found[column.isna().to_numpy()] = None
    return found


def _agreed_column(
    tables: Mapping[str, Predictions], at: Mapping[str, IntArray], ids: pd.Index, name: str
) -> pd.Series | None:
    columns = {run: getattr(table, name) for run, table in tables.items()}
    given = {run: _objects(column) for run, column in columns.items() if column is not None}
    if not given:
        return None
    return pd.Series(_agree(tables, at, ids, name, given), dtype=object)


def _agreed_weight(
    tables: Mapping[str, Predictions], at: Mapping[str, IntArray], ids: pd.Index
) -> FloatArray | None:
    given = {
        name: table.weight.astype(object)
        for name, table in tables.items()
        if table.weight is not None
    }
    if not given:
        return None
    found = _agree(tables, at, ids, "weight", given)
    return np.array([0.0 if value is None else value for value in found], dtype=np.float64)


def _attributes(
    tables: Mapping[str, Predictions],
    at: Mapping[str, IntArray],
    ids: pd.Index,
    attributes: Sequence[str],
    task: str,
) -> pd.DataFrame:
    found: dict[str, Objects] = {}
    for name in attributes:
        if task == "age" and name == "age":
            continue
        given = {
            run: _objects(as_text(table.other[name], table.place))
            for run, table in tables.items()
            if name in table.other.columns
        }
        if given:
            found[name] = _agree(tables, at, ids, name, given)
    return pd.DataFrame(found, index=pd.RangeIndex(len(ids)), dtype=object)


def _same_distributions(tables: Sequence[Predictions]) -> bool:
    """Whether all runs predict distributions of age in one form; else none is compared by them."""
    forms = {None if t.distribution is None else (t.distribution.kind, t.distribution.centres)
             for t in tables}  # fmt: skip
    return len(forms) == 1


def _estimates(table: Predictions, index: IntArray) -> dict[str, Any]:
    """What a run predicts for some faces; -1 is a face that it has not."""
    here = index >= 0
    if table.task == "age":
        ages = table.estimate
        assert ages is not None
        low, high = (np.where(here, part[index], np.nan) for part in (ages.low, ages.high))
        spread, stated = table.distribution, table.intervals
        return {
            "estimate": AgeColumn(low, high, is_band=ages.is_band),
            "distribution": None if spread is None else spread.take(np.maximum(index, 0)),
            "intervals": None if stated is None else stated.take(np.maximum(index, 0)),
        }
    assert table.y_pred is not None
    found: dict[str, Any] = {"y_pred": np.where(here, table.y_pred[index], -1)}
    scores = table.probabilities
    if scores is not None:
        proba = np.where(here[:, None], scores.proba[index], np.nan)
        logits = scores.logits
        if logits is not None:
            logits = np.where(here[:, None], logits[index], np.nan)
        found["probabilities"] = Probabilities(scores.classes, proba, logits)
    return found
