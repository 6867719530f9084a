"""A table on its way through a small memory: checked in batches, kept in typed parts on disk.

Every part holds whole persons: rows are parted by the hash of their person. A part is Arrow's IPC
stream of keys, codes and numbers, about 60 bytes a face, and is read back without a further check.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from audit.classes import Probabilities
from audit.columns import AgeColumn, as_text
from audit.errors import InputError
from audit.hashing import Keys, mix
from audit.predictions import Predictions
from audit.rows import Task
from audit.units import person_keys, sample_keys

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]
Array = npt.NDArray[np.generic]
AGES = ("truth", "estimate")
MAX_TEXTS = 2**20


@dataclass
class Texts:
    """Distinct texts of a column in order of appearance; grows as the table is read."""

    place: dict[str, int] = field(default_factory=dict)

    def codes(self, texts: pd.Series, name: str) -> IntArray:
        """Code of every text, -1 for none."""
        codes, values = pd.factorize(texts)
        table = [self.place.setdefault(str(value), len(self.place)) for value in values]
        if len(self.place) > MAX_TEXTS:
            raise InputError(
                f"column {name!r}: more than {MAX_TEXTS} different values; is it an id? "
                "leave it out of --by, or group it first"
            )
        return np.array([*table, -1], dtype=np.int64)[codes]


@dataclass(frozen=True, eq=False)
class Form:
    """How the parts are to be read, known when the whole table has been."""

    task: Task
    place: str
    bands: tuple[bool, bool]
    classes: tuple[str, ...]
    class_names: tuple[str, ...]
    scores: str | None
    texts: Mapping[str, tuple[str, ...]]
    numbers: tuple[str, ...]


def columns_of(
    shard: Predictions,
    start: int,
    names: tuple[str, ...],
    texts: Mapping[str, Texts],
    classes: Texts,
) -> tuple[dict[str, Array], Keys]:
    """What is kept of a batch, column by column, and the keys of its persons."""
    samples = sample_keys(shard, start)
    people = person_keys(shard, samples)
    found: dict[str, Array] = {"sample": samples, "person": people}
    if shard.weight is not None:
        found["weight"] = shard.weight
    if shard.task == "age":
        for name in AGES:
            ages = getattr(shard, name)
            found |= {f"{name}_low": ages.low, f"{name}_high": ages.high}
    else:
        lookup = classes.codes(pd.Series(shard.classes, dtype=object), "expression")
        lookup = np.append(lookup, -1)
        for name in ("y_true", "y_pred"):
            found[name] = lookup[getattr(shard, name)].astype(np.int16)
        if shard.probabilities is not None:
            scores = shard.probabilities
            values = scores.proba if scores.logits is None else scores.logits
            found |= {f"score_{k}": values[:, k] for k in range(values.shape[1])}
    for name in names:
        if name == "age" and shard.task == "age":
            continue
        if name not in shard.other.columns:
            raise InputError(f"{shard.place}: --by {name}: no such column")
        column = shard.other[name]
        if name == "age" and pd.api.types.is_numeric_dtype(column.dtype):
            found["number_age"] = column.to_numpy(dtype=np.float64, na_value=np.nan)
        else:
            found[f"text_{name}"] = (
                texts[name].codes(as_text(column, shard.place), name).astype(np.int32)
            )
    return found, people


def write_parts(
    batches: Iterator[tuple[dict[str, Array], Keys]], folder: Path, n_parts: int
) -> list[Path]:
    """Write batches into so many parts by person; with one part per batch for ``n_parts`` 0."""
    paths: list[Path] = []
    with ExitStack() as stack:
        writers: dict[int, pa.RecordBatchStreamWriter] = {}

        def writer(part: int, schema: pa.Schema) -> pa.RecordBatchStreamWriter:
            if part not in writers:
                path = folder / f"part{part:05d}.arrow"
                paths.append(path)
                writers[part] = stack.enter_context(pa.ipc.new_stream(path, schema))
            return writers[part]

        for number, (columns, people) in enumerate(batches):
            table = pa.record_batch({name: pa.array(values) for name, values in columns.items()})
            if not n_parts:
                path = folder / f"part{number:05d}.arrow"
                paths.append(path)
                with pa.ipc.new_stream(path, table.schema) as alone:
                    alone.write_batch(table)
                continue
            part = (mix(people) % np.uint64(n_parts)).astype(np.int64)
            order = np.argsort(part, kind="stable")
            ends = np.cumsum(np.bincount(part, minlength=n_parts))
            sorted_table = table.take(pa.array(order))
            for p in np.unique(part):
                first = int(ends[p - 1]) if p else 0
                rows = sorted_table.slice(first, int(ends[p]) - first)
                writer(int(p), table.schema).write_batch(rows)
    return paths


def read_part(path: Path, form: Form, rows: int) -> list[Predictions]:
    """The faces of a part as tables in common form of at most so many rows."""
    with pa.ipc.open_stream(path) as stream:
        table = stream.read_all()
    return [_shard(table.slice(start, rows), form) for start in range(0, max(len(table), 1), rows)]


def _shard(table: pa.Table, form: Form) -> Predictions:
    columns = {name: table[name].to_numpy() for name in table.column_names}
    other = {
        name: pd.Categorical.from_codes(columns[f"text_{name}"], pd.Index(list(names), dtype=str))
        for name, names in form.texts.items()
    }
    found = Predictions(
        task=form.task,
        sample_id=None,
        subject_id=None,
        other=pd.DataFrame(
            {**other, **{name: columns[f"number_{name}"] for name in form.numbers}},
            index=pd.RangeIndex(len(table)),
        ),
        place=form.place,
        weight=columns.get("weight"),
        keys=(columns["sample"], columns["person"]),
    )
    if form.task == "age":
        truth, estimate = (
            _ages(columns, name, is_band=is_band)
            for name, is_band in zip(AGES, form.bands, strict=True)
        )
        return replace(found, truth=truth, estimate=estimate)
    lookup = np.array([*(form.classes.index(name) for name in form.class_names), -1])
    k = len(form.classes)
    scores = None
    if form.scores is not None:
        values = np.stack([columns[f"score_{i}"] for i in range(k)], axis=1)
        of = Probabilities.of_logits if form.scores == "logits" else Probabilities
        scores = of(form.classes, values)
    return replace(
        found,
        classes=form.classes,
        y_true=lookup[columns["y_true"]],
        y_pred=lookup[columns["y_pred"]],
        probabilities=scores,
    )


def _ages(columns: Mapping[str, FloatArray], name: str, *, is_band: bool) -> AgeColumn:
    low, high = columns[f"{name}_low"], columns[f"{name}_high"]
    if is_band:
        high = np.where(low == high, low + 1, high)  # a single year among bands is [n, n + 1)
    return AgeColumn(low, high, is_band=is_band)
