"""Doing what ``generality`` was asked: read, run the grid, analyse, write, tell."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import fields

from audit.generality.record import Generality
from audit.generality.run import generality
from audit.result import RunInfo
from audit.tables import file_hash
from hae.cli.gains import Files, as_dict, print_gains
from hae.cli.grid_asked import Asked, GridOptions, grid_of, names_of, parts_of, settled
from hae.cli.grid_bars import GridBars
from hae.cli.jobs import check_place
from hae.cli.progress import bars
from hae.cli.record import ENGINE, TRAINING, versions
from hae.cli.summary import print_json
from hae.cli.training import LOCK
from hae.cli.work import DONE, PARTLY
from hae.data.core import Manifest
from hae.generality.analysed import (
    attention_rows,
    control_of,
    matched_of,
    trained_cells,
    weak_controls,
)
from hae.generality.attention import mean_face
from hae.generality.cells import Bench, CellRecord
from hae.generality.folder import signed
from hae.generality.grid import GridConfig, cells
from hae.generality.run import CELLS, run_grid
from hae.training.faces import load_faces
from hae.training.store import locked
from reports.generality import write_generality


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
    asks = settled(grid, bench.test, options)
    with locked(asked.out / LOCK, wait=False), signed(grid, bench, others, asked.out):
        records = told_run(grid, bench, others)
        (asked.out / LOCK).unlink()
    told = []
    for task, own in asks.items():
        mine = [record for record in records if record.task == task]
        result = analysed(grid, mine, bench, others, own, command)
        files = Files.of(asked.out, task if len(asks) > 1 else None)
        result.write(files.record)
        write_generality(result, files.page)
        told.append((result, files))
    if as_json:
        found = [as_dict(result, files) for result, files in told]
        print_json(found[0] if len(found) == 1 else {"tasks": found})
    else:
        for result, files in told:
            print_gains(result, files)
    return DONE if all(record.status == "done" for record in records) else PARTLY


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
    control = control_of(names_of(grid, records[0].task), options.control)
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
    looked = attention_rows(grid, records)
    more = {"attention": looked, "warnings": [*result.warnings, *weak]}
    if looked and bench.test.drawn:
        model = grid.base.model
        faces = load_faces(bench.test, model.size, model.keep, bench.cache).faces
        more["drawn_face"] = [list(row) for row in mean_face(faces)]
    return result.model_copy(update=more)


def described(grid: GridConfig, bench: Bench, others: Manifest | None) -> str:
    """How the cells were trained, in words."""
    base, bare = grid.base, [b.label for b in grid.backbones if b.init == "random"]
    frozen = (
        f"frozen features: every backbone saw {grid.stored_views} views of each face once, shared "
        "by its cells"
    )
    whole = "end to end: every cell trained the whole network from its backbone's first weights"
    text = (
        f"{frozen if grid.mode == 'frozen' else whole}; {base.steps:,} steps of "
        f"{base.batch_size * base.accumulate} faces of {bench.train.label}, selected on "
        f"{bench.validation.label}"
    )
    begun = [f"{b.label} {b.init}" for b in grid.backbones if b.init != "random"]
    if begun:
        text += f"; first weights: {', '.join(begun)}"
    if bare and others is not None:
        text += (
            f"; {', '.join(bare)} learned {grid.tasks[0]}s in {grid.stage_one:,} steps on other "
            f"people, of {others.label}"
        )
    elif bare:
        text += f"; {', '.join(bare)} began at random weights, the same for all cells of a seed"
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
