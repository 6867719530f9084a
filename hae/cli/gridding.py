"""Doing what ``generality`` was asked: read, run the grid, analyse, write, tell."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Literal

from audit.configs import checked, read_toml
from audit.errors import InputError
from audit.files import write_text
from audit.generality.record import Generality
from audit.generality.run import generality
from audit.groups import attribute, combinations_of
from audit.options import checked_options
from audit.paired_tables import paired_tables
from audit.predictions import predictions_from_frame
from audit.result import RunInfo
from audit.tables import file_hash
from hae.backbones.network import check_known
from hae.cli.comparing import check_place
from hae.cli.gains import FILES, as_dict, print_gains
from hae.cli.grid_bars import GridBars
from hae.cli.options import pairs_of
from hae.cli.progress import bars
from hae.cli.record import ENGINE, TRAINING, versions
from hae.cli.summary import print_json
from hae.cli.training import LOCK
from hae.cli.work import DONE, PARTLY
from hae.data.core import Manifest, state_hash
from hae.data.readers import read_data
from hae.generality.analysed import (
    control_of,
    matched_of,
    named,
    trained_cells,
    weak_controls,
)
from hae.generality.cells import Bench, CellRecord
from hae.generality.grid import GridConfig, cells
from hae.generality.run import CELLS, run_grid
from hae.settings import with_settings
from hae.training.run import CACHE
from hae.training.store import locked
from reports.generality import write_generality

SIGN = "grid.json"


@dataclass(frozen=True)
class Asked:
    """Config and data, as the command line names them."""

    data: str
    split: str
    val_split: str
    test_data: str | None
    test_split: str
    first_data: str | None
    first_split: str | None
    mapping: Sequence[str] | None
    config: Path
    settings: Sequence[str] | None
    out: Path
    cache: Path | None


@dataclass(frozen=True)
class GridOptions:
    """How the cells are compared; all but ``control`` go to the analysis as they are."""

    control: str | None
    by: tuple[str, ...] | None
    margins: Mapping[str, float]
    age_bands: tuple[float, ...] | None
    sources: Mapping[str, str]
    adjust: Literal["max_t", "holm", "bh"]
    estimand: Literal["image", "subject"]
    min_n: int
    max_cells: int
    n_boot: int
    seed: int


def run_generality(
    asked: Asked, options: GridOptions, command: str | None, *, as_json: bool
) -> int:
    """Run the grid or what is left of it, analyse it, write the record.

    Returns
    -------
    int
        The exit code: 0 all cells done, 3 some failed.
    """
    check_place(asked.out)
    grid = grid_of(asked)
    bench, others = parts_of(asked)
    options = settled(grid, bench.test, options)
    with locked(asked.out / LOCK, wait=False), signed(grid, bench, others, asked.out):
        records = told_run(grid, bench, others)
    result = analysed(grid, records, bench, others, options, command)
    result.write(asked.out / FILES[0])
    write_generality(result, asked.out / FILES[1])
    if as_json:
        print_json(as_dict(result, asked.out))
    else:
        print_gains(result, asked.out)
    return DONE if all(record.status == "done" for record in records) else PARTLY


def grid_of(asked: Asked) -> GridConfig:
    """Read the config; unknown keys and names are said with the nearest ones."""
    place = asked.config.name + (" and --set" if asked.settings else "")
    content = with_settings(read_toml(asked.config, "a grid"), asked.settings or ())
    grid = checked(GridConfig, content, place)
    for backbone in grid.backbones:
        check_known(backbone.name)
    return grid


def parts_of(asked: Asked) -> tuple[Bench, Manifest | None]:
    """Read the data: people to train, select and compare on, and those of the first stage."""
    mapping = pairs_of(asked.mapping, "--map", "OURS=THEIRS")
    names = (asked.split, asked.val_split, asked.test_split)
    test_data = asked.test_data or asked.data
    if len(set(names[:2])) < 2 or (test_data == asked.data and len(set(names)) < 3):
        raise InputError(
            f"--split {names[0]}, --val-split {names[1]}, --test-split {names[2]}: two are one "
            "part; give three"
        )
    others = None
    if asked.first_data is not None or asked.first_split is not None:
        others = read_data(asked.first_data or asked.data, asked.first_split, mapping)
    bench = Bench(
        train=read_data(asked.data, asked.split, mapping),
        validation=read_data(asked.data, asked.val_split, mapping),
        test=read_data(test_data, asked.test_split, mapping),
        out=asked.out,
        cache=asked.cache or asked.out / CACHE,
        versions=versions(TRAINING),
    )
    return bench, others


def settled(grid: GridConfig, test: Manifest, options: GridOptions) -> GridOptions:
    """Say which groups are compared, and refuse what cannot be before the long work.

    Without ``--by`` these are what the data set says of its people, as in ``evaluate``.
    """
    truth = predictions_from_frame(
        test.frame.drop(columns="path").assign(age_pred=None), task="age", place=test.label
    )
    usual = [name for names in combinations_of(None, truth) for name in names]
    by = options.by or tuple(dict.fromkeys([*test.sources, *usual]))
    used = {name for names in combinations_of(by, truth) for name in names}
    for name in sorted(used):
        attribute(truth, name, options.age_bands)
    rest = {f.name: getattr(options, f.name) for f in fields(options)}
    for name in ("control", "by", "sources"):
        rest.pop(name)
    how = checked_options(**rest, sources=options.sources)
    paired_tables({test.label: truth}, by or None, how)  # margins, too
    names = dict.fromkeys(named(grid, cell) for cell in cells(grid))
    control_of(names, options.control)
    known = {name: source for name, source in test.sources.items() if name in used}
    return replace(options, by=by or None, sources={**known, **options.sources})


@contextmanager
def signed(grid: GridConfig, bench: Bench, others: Manifest | None, out: Path) -> Iterator[None]:
    """Keep a folder to one grid; one that was refused before a cell began leaves it free.

    Raises
    ------
    InputError
        The folder holds another grid, or one of other faces.
    """
    path = out / SIGN
    parts = {"train": bench.train, "validation": bench.validation, "test": bench.test}
    parts |= {"first": others} if others is not None else {}
    wanted: dict[str, Any] = grid.model_dump(mode="json")
    wanted["data"] = {name: state_hash(manifest) for name, manifest in parts.items()}
    new = not path.exists()
    if new:
        write_text(path, json.dumps(wanted, indent=1) + "\n")
    else:
        _check_sign(path, wanted)
    try:
        yield
    except InputError:
        if new:
            path.unlink()
        raise


def _check_sign(path: Path, wanted: Mapping[str, Any]) -> None:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise InputError(f"{path}: does not say which grid this is; give another --out")
    changed = [key for key in wanted if found.get(key) != wanted[key]]
    if changed:
        raise InputError(
            f"{path.parent}: holds a grid that differs in {', '.join(changed)}; give another --out"
        )


def told_run(grid: GridConfig, bench: Bench, others: Manifest | None) -> list[CellRecord]:
    """Run the grid with a line for each cell; Ctrl-C says how to go on."""
    with bars(field="figures") as bar:
        report = GridBars(bar, sum(1 for _ in cells(grid)))
        try:
            return run_grid(grid, bench, others, report, report.cell)
        except KeyboardInterrupt:
            print(
                f"hae-audit: interrupted after {report.done} of {report.cells} cells; the same "
                "command goes on",
                file=sys.stderr,
            )
            raise


def analysed(
    grid: GridConfig,
    records: Sequence[CellRecord],
    bench: Bench,
    others: Manifest | None,
    options: GridOptions,
    command: str | None,
) -> Generality:
    """Compare the cells."""
    control = control_of(dict.fromkeys(named(grid, r) for r in records), options.control)
    given = {f.name: getattr(options, f.name) for f in fields(options) if f.name != "control"}
    result = generality(
        trained_cells(grid, records, bench.out),
        control,
        matched=matched_of(grid, records),
        training=described(grid, bench, others),
        run=_run_info(bench, others, options.seed, command),
        **given,
    )
    constant = json.loads((bench.out / CELLS).read_text(encoding="utf-8"))["constant"]
    weak = weak_controls(records, constant, control, grid)
    return result.model_copy(update={"warnings": [*result.warnings, *weak]})


def described(grid: GridConfig, bench: Bench, others: Manifest | None) -> str:
    """How the cells were trained, in words."""
    base, bare = grid.base, [b.name for b in grid.backbones if b.init == "random"]
    text = (
        f"frozen features: every backbone saw {grid.stored_views} views of each face once, shared "
        f"by its cells; {base.steps:,} steps of {base.batch_size} faces of {bench.train.label}, "
        f"selected on {bench.validation.label}"
    )
    if bare and others is not None:
        text += (
            f"; {', '.join(bare)} learned ages in {grid.stage_one:,} steps on other people, of "
            f"{others.label}"
        )
    return text


def _run_info(bench: Bench, others: Manifest | None, seed: int, command: str | None) -> RunInfo:
    parts = [bench.train, bench.validation, bench.test, *([others] if others else [])]
    files = {path: file_hash(path) for part in parts for path in part.files}
    return RunInfo(
        model="backbones x aggregators",
        simulated=bench.test.drawn,
        data=bench.test.label,
        files=list(files.values()),
        versions=versions((*ENGINE, *TRAINING)),
        seed=seed,
        command=command,
        terms="; ".join(dict.fromkeys(part.terms for part in parts if part.terms)) or None,
    )
