"""Auditing a file of any length in a small memory: read twice, never whole.

First pass: every batch is checked as a table is, and what is needed of it is written to parts of
whole persons in a temporary folder. Second pass: the sums of every part are added up. The record
is that of the table in memory above 2^14 persons, but for what needs all rows at once, which is
left out and named (``not_streamed``).

Ids are compared by 64-bit hashes. Two that seem to be equal are looked up in the file, so a
collision is no error there; two faces or persons with the same hash would count as one, which has
a probability of 1e-5 among twenty million.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow.parquet as pq

from audit.age_plan import AgePlan
from audit.bands import DECADES, Band, bands_from_edges
from audit.classes import observed_classes
from audit.collect import Collected, collect_table, part_weights
from audit.columns import as_bands, as_text
from audit.engine import Source, audit_source
from audit.errors import InputError
from audit.facts import Facts, all_facts, facts_of
from audit.groups import attributes_of, combinations_of
from audit.hashing import Keys, text_keys
from audit.metrics.binning import Edges, joined_edges
from audit.options import Options, checked_options
from audit.predictions import Predictions, predictions_from_frame
from audit.result import AuditResult
from audit.rows import Concern
from audit.spill import Form, Texts, columns_of, read_part, write_parts
from audit.stream_copy import copy_predictions
from audit.tables import file_hash, is_parquet, rename, table_batches

IntArray = npt.NDArray[np.int64]
BATCH = 2**18
_ROW = re.compile(r" row (\d+)")
_BYTES_A_ROW = 60


@dataclass
class _Seen:
    """What the first pass notes, batch by batch."""

    facts: list[Facts] = field(default_factory=list)
    seen: Counter[str] = field(default_factory=Counter)
    samples: list[Keys] = field(default_factory=list)
    people: list[Keys] = field(default_factory=list)
    sources: list[Keys] = field(default_factory=list)
    bands: set[Band] = field(default_factory=set)
    broken: dict[str, tuple[int, float]] = field(default_factory=dict)
    classes: Texts = field(default_factory=Texts)
    scores: set[tuple[tuple[str, ...], str]] = field(default_factory=set)
    left_out: set[str] = field(default_factory=set)


def audit_file(
    path: Path | str,
    *,
    task: str,
    by: Sequence[str | Sequence[str]] | None = None,
    mapping: Mapping[str, str] | None = None,
    failed_when: str | None = None,
    logits: str | None = None,
    classes: Sequence[str] | None = None,
    copy_to: Path | None = None,
    batch: int = BATCH,
    **options: Any,
) -> AuditResult:
    """Audit a Parquet or CSV file that need not fit in memory.

    Parameters
    ----------
    path : Path
        The table, one row per face.
    task, by : str, sequence of str
        As in :func:`audit.run.audit`.
    mapping, failed_when, logits, classes
        As in :func:`audit.predictions.read_predictions`.
    copy_to : Path, optional
        Write the predictions here, as Parquet in the contract's columns; a Parquet file that has
        them is copied as it is.
    batch : int
        Rows that are read at a time; the numbers do not depend on it.
    **options
        Further options of :func:`audit.run.audit`, but for age gates and reference ages.

    Returns
    -------
    AuditResult
        As of the table in memory; slices, gaps at equal age, predicted distributions and the
        calibration statistics that need all rows at once are left out (warning ``not_streamed``).

    Raises
    ------
    InputError
        With place, rule, value and remedy; a table that says what training did with its faces.
    """
    path, asked = Path(path), checked_options(**options)
    whole = {
        "gate": asked.gates,
        "reference": asked.reference,
        "permute-within": asked.permute_within,
    }
    for option, needed in whole.items():
        if needed:
            raise InputError(f"--{option}: needs the whole table in memory; give --stream no")
    given: dict[str, Any] = {
        "task": task,
        "mapping": mapping,
        "failed_when": failed_when,
        "logits": logits,
        "classes": classes,
    }
    with TemporaryDirectory(prefix="hae-audit-") as folder:
        source, form = _source(path, Path(folder), given, by, asked, batch)
        result = audit_source(source, asked)
    if copy_to is not None:
        as_it_is = not any(given[name] for name in ("mapping", "failed_when", "logits", "classes"))
        copied = partial(_common, path, given, form, batch)
        copy_predictions(path, copy_to, copied, as_it_is=as_it_is)
    return result


def _common(path: Path, given: Mapping[str, Any], form: Form, batch: int) -> Iterator[Predictions]:
    """The checked batches with bands everywhere if anywhere."""
    for shard, _ in checked_batches(path, given, batch):
        truth, estimate = (
            as_bands(ages, shard.place) if ages is not None and is_band else ages
            for ages, is_band in zip((shard.truth, shard.estimate), form.bands, strict=True)
        )
        yield replace(shard, truth=truth, estimate=estimate)


def checked_batches(
    path: Path, given: Mapping[str, Any], batch: int
) -> Iterator[tuple[Predictions, int]]:
    """The checked batches of the file, and the number of the first row of each."""
    start = 0
    for frame in table_batches(path, batch):
        with _numbered(start):
            yield predictions_from_frame(frame, place=path.name, **given), start
        start += len(frame)


@contextmanager
def _numbered(start: int) -> Iterator[None]:
    """Errors name the row of the file, not that of the batch."""
    try:
        yield
    except InputError as error:
        found = _ROW.sub(lambda match: f" row {int(match[1]) + start}", str(error), count=1)
        raise InputError(found) from None


def _source(
    path: Path,
    folder: Path,
    given: Mapping[str, Any],
    by: Sequence[str | Sequence[str]] | None,
    options: Options,
    batch: int,
) -> tuple[Source, Form]:
    first, _ = next(checked_batches(path, given, batch))
    _refuse_training(first)
    asked = combinations_of([by] if isinstance(by, str) else by, first)
    combinations = options.stated.combinations(asked, attributes_of(first))
    names = tuple(dict.fromkeys(name for names in combinations for name in names))
    texts = {name: Texts() for name in names}
    seen = _Seen()
    grouped = "subject_id" in _columns(path, given["mapping"])
    n_parts = _n_parts(path, batch) if grouped else 0

    def columns() -> Iterator[tuple[dict[str, Any], Keys]]:
        for shard, start in checked_batches(path, given, batch):
            with _numbered(start):
                found, people = columns_of(shard, start, names, texts, seen.classes)
            _note(seen, shard, found, start, grouped=grouped)
            yield found, people

    paths = write_parts(columns(), folder, n_parts)
    _refuse_doubles(path, given, batch, seen)
    form = _form(seen, path, given, texts)
    facts = _facts(seen, form, path)
    n_units = len(np.unique(np.concatenate(seen.people))) if grouped else facts.n
    seen.people.clear()
    bands = bands_from_edges(options.edges or DECADES) if form.task == "age" else ()
    if form.bands[0]:
        bands = tuple(sorted(seen.bands))
    plan = AgePlan(bands, errors=form.task == "age" and not any(form.bands))
    mass = _mass_edges(paths, form, options, batch)

    def parts() -> Iterator[Collected]:
        for part in paths:
            yield collect_table(
                read_part(part, form, batch),
                names,
                options.edges,
                bands,
                options.estimand,
                options.max_cells,
                plan,
                mass,
            )

    return Source(facts, plan, combinations, n_units, parts), form


def _refuse_training(shard: Predictions) -> None:
    if shard.where is not None:
        raise InputError(
            f"{shard.place}: columns of where the model looked (where_*) are not streamed; give "
            "--stream no, or leave them out"
        )
    if shard.cure is not None or shard.raw is not None:
        raise InputError(
            f"{shard.place}: columns of what training did with the faces are not streamed; give "
            "--stream no, or leave them out"
        )


def _columns(path: Path, mapping: Mapping[str, str] | None) -> list[str]:
    frame = next(table_batches(path, 1))
    return list(rename(frame, mapping or {}, path.name).columns)


def _n_parts(path: Path, batch: int) -> int:
    """Parts of about so many rows: a power of 2, at most 256."""
    rows = pq.read_metadata(path).num_rows if is_parquet(path) else 0
    rows = rows or path.stat().st_size // _BYTES_A_ROW
    return min(256, 1 << max(0, (rows - 1) // batch).bit_length())


def _note(
    seen: _Seen, shard: Predictions, found: Mapping[str, Any], start: int, *, grouped: bool
) -> None:
    facts = facts_of(shard)
    seen.seen.update(dict(zip(facts.classes, facts.seen, strict=True)))
    seen.facts.append(replace(facts, classes=(), seen=()))
    if shard.sample_id is not None:
        seen.samples.append(found["sample"])
    if grouped:
        seen.people.append(np.unique(found["person"]))
    if shard.subject_id is not None and "source" in shard.other.columns:
        where = as_text(shard.other["source"], shard.place)
        used = (shard.subject_id.notna() & where.notna()).to_numpy()
        place = text_keys(where[used].tolist(), "source")
        seen.sources.append(np.unique(np.stack([found["person"][used], place], axis=1), axis=0))
    for name, ages in (("age", shard.truth), ("age_pred", shard.estimate)):
        if ages is None:
            continue
        whole = ages.is_band | (ages.low == np.floor(ages.low)) | ~ages.known
        if not whole.all():
            row = int((~whole).argmax())
            seen.broken.setdefault(name, (start + row, float(ages.low[row])))
        if name == "age" and whole.all():
            low, high = ages.low[ages.known], ages.high[ages.known]
            pairs = np.unique(np.stack([low, high if ages.is_band else low + 1], axis=1), axis=0)
            seen.bands |= {(float(a), float(b)) for a, b in pairs}
    if shard.probabilities is not None:
        kind = "logits" if shard.probabilities.logits is not None else "proba"
        seen.scores.add((shard.classes, kind))
    if shard.distribution is not None:
        seen.left_out.add("predicted distributions of age")
    if shard.intervals is not None:
        seen.left_out.add("stated intervals of age")


def _refuse_doubles(path: Path, given: Mapping[str, Any], batch: int, seen: _Seen) -> None:
    """An id that occurs twice, or of people in two sources, told by its text."""
    suspects = _repeated(seen.samples)
    pairs = np.unique(np.concatenate(seen.sources), axis=0) if seen.sources else None
    people = _repeated([pairs[:, 0]]) if pairs is not None else np.zeros(0, dtype=np.uint64)
    seen.samples.clear()
    seen.sources.clear()
    if not len(suspects) and not len(people):
        return
    rows: dict[str, list[int]] = {}
    places: dict[str, set[str]] = {}
    for shard, start in checked_batches(path, given, batch):
        if shard.sample_id is not None and len(suspects):
            keys = text_keys(shard.sample_id.tolist(), "sample")
            for row in np.flatnonzero(np.isin(keys, suspects)):
                rows.setdefault(str(shard.sample_id.iloc[row]), []).append(start + int(row) + 1)
        if shard.subject_id is not None and len(people):
            subjects = shard.subject_id.dropna()
            keys = text_keys(subjects.tolist(), "subject")
            where = as_text(shard.other["source"], shard.place)
            for row in subjects.index[np.isin(keys, people)]:
                if pd.notna(where[row]):
                    places.setdefault(str(subjects[row]), set()).add(str(where[row]))
    for name, found in sorted(rows.items()):
        if len(found) > 1:
            raise InputError(
                f"{path.name} rows {', '.join(map(str, found[:5]))}: sample_id {name!r} occurs "
                "more than once; ids must be unique"
            )
    for name, sources in sorted(places.items()):
        if len(sources) > 1:
            raise InputError(
                f"{path.name}: subject_id {name!r} occurs in the sources "
                f"{' and '.join(sorted(sources))}; prefix the id with its source, as they are "
                "different people"
            )


def _repeated(keys: Sequence[Keys]) -> Keys:
    if not keys:
        return np.zeros(0, dtype=np.uint64)
    together = np.concatenate(keys)
    together.sort()
    return np.unique(together[1:][together[1:] == together[:-1]])


def _form(seen: _Seen, path: Path, given: Mapping[str, Any], texts: Mapping[str, Texts]) -> Form:
    flags = tuple(any(facts.bands[k] for facts in seen.facts) for k in (0, 1))
    for name, is_band in zip(("age", "age_pred"), flags, strict=True):
        if is_band and name in seen.broken:
            row, value = seen.broken[name]
            raise InputError(
                f"{path.name} row {row + 1}: {name} is {value:g}, must be a whole year where "
                "other rows hold bands"
            )
    if len(seen.scores) > 1:
        raise InputError(
            f"{path.name}: the class scores of its rows are of different classes; "
            "set them with --classes"
        )
    names = tuple(seen.classes.place)
    if seen.scores:
        order, kind = next(iter(seen.scores))
    else:
        kind = None
        fixed = given["classes"]
        order = tuple(fixed) if fixed else observed_classes(pd.Series(names, dtype=object))
    return Form(
        task=seen.facts[0].task,
        place=path.name,
        bands=(flags[0], flags[1]),
        classes=order if seen.facts[0].task == "expression" else (),
        class_names=names,
        scores=kind,
        texts={name: tuple(found.place) for name, found in texts.items() if found.place},
        numbers=tuple(name for name, found in texts.items() if name == "age" and not found.place)
        if seen.facts[0].task == "expression"
        else (),
    )


def _facts(seen: _Seen, form: Form, path: Path) -> Facts:
    facts = all_facts(seen.facts)
    mixed = any(len({part.bands[k] for part in seen.facts}) > 1 for k in (0, 1))
    never = {"gaps at equal age or class mix", "permutation of persons", "worst slices"}
    left_out = sorted({*seen.left_out, *never})
    if form.scores is not None:
        left_out += ["calibration by isotonic regression and by order, and what chance alone shows"]
    told = Concern(
        code="not_streamed",
        severity="info",
        message=f"the table was streamed, so without {', '.join(left_out)}",
        where=path.name,
    )
    return replace(
        facts,
        counts=Counter(facts.counts) + Counter(mixed_truth=int(mixed)),
        classes=form.classes,
        seen=tuple(seen.seen[name] for name in form.classes),
        bands=form.bands,
        warnings=(*facts.warnings, told),
        files=(file_hash(path),),
        streamed=True,
    )


def _mass_edges(paths: Sequence[Path], form: Form, options: Options, batch: int) -> Edges:
    """Equal-mass edges of all confidences, which stand in memory for a moment."""
    if form.scores is None:
        return {}
    confidence, weight = [], []
    for path in paths:
        shards = read_part(path, form, batch)
        for shard, w in zip(shards, part_weights(shards, options.estimand), strict=True):
            used = shard.labelled & shard.processed
            assert shard.probabilities is not None
            confidence.append(shard.probabilities.proba[used].max(axis=1))
            weight.append(w[used])
    return {"": joined_edges(np.concatenate(confidence), np.concatenate(weight))}
