"""What ``generality`` is asked: config, data and options, checked before the long work."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Literal

from audit.block import possible
from audit.configs import checked, read_toml
from audit.errors import InputError
from audit.groups import attribute, combinations_of
from audit.names import check_name
from audit.options import Options, checked_options
from audit.paired_tables import paired_tables
from audit.predictions import Predictions, predictions_from_frame
from hae.backbones.network import check_known
from hae.backbones.weights import PACKAGE, package_file
from hae.cli.options import pairs_of
from hae.cli.record import TRAINING, versions
from hae.data.core import Manifest
from hae.data.readers import read_data
from hae.generality.analysed import control_of, named
from hae.generality.cells import Bench
from hae.generality.grid import GridConfig, TaskName, cells
from hae.generality.presets import PRESETS, Preset, preset
from hae.settings import with_settings
from hae.training.run import CACHE
from hae.zoo import model_path


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


def with_preset(
    name: str | None, config: Path | None, data: str | None, test_data: str | None
) -> tuple[Path, str, str | None]:
    """The grid and the faces that are meant: config, data, and test data of their own.

    Raises
    ------
    InputError
        Both a preset and a config, or neither; no such preset; or nobody names faces.
    """
    if (name is None) == (config is None):
        wrong = "--preset and --config" if name else "generality"
        raise InputError(f"{wrong}: give --preset {' or '.join(PRESETS)}, or --config FILE")
    if config is not None:
        chosen = Preset(config)
    else:
        assert name is not None
        chosen = preset(name)
    if data is not None:  # the preset's test faces are of its own
        return chosen.config, data, test_data
    if chosen.data is None:
        what = "this grid" if name is None else f"preset {name!r}"
        raise InputError(f"--data: {what} brings no faces; name some, as NAME:ROOT")
    return chosen.config, chosen.data, test_data or chosen.test_data


def grid_of(asked: Asked) -> GridConfig:
    """Read the config; unknown keys and names are said with the nearest ones.

    Weights of a package that is missing, or of another network, are said here too.
    """
    place = asked.config.name + (" and --set" if asked.settings else "")
    content = with_settings(read_toml(asked.config, "a grid"), asked.settings or ())
    grid = checked(GridConfig, content, place)
    for backbone in grid.backbones:
        check_known(backbone)
        model_path(backbone.init)  # of a name that the zoo does not know
        if backbone.init.startswith(PACKAGE):
            package_file(backbone.init, backbone.of or backbone.name)
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


def settled(grid: GridConfig, test: Manifest, options: GridOptions) -> dict[TaskName, GridOptions]:
    """Say which groups each task compares, and refuse what cannot be before the long work.

    Without ``--by`` these are what the data set says of its people, as in ``evaluate``. Of several
    tasks each takes the margins of its own metrics, and the control where it has it.
    """
    several = len(grid.tasks) > 1
    bare = replace(options, control=None, margins={}) if several else options
    found = {task: _settled(grid, task, test, bare) for task in grid.tasks}
    if several:
        metrics = {task: _metrics(task, test, own) for task, own in found.items()}
        ways = {task: names_of(grid, task) for task in grid.tasks}
        for name in options.margins:
            check_name(name, sorted(set().union(*metrics.values())), "--margin", "metric")
        if options.control is not None:
            control_of([name for own in ways.values() for name in own], options.control)
        for task, own in found.items():
            margins = {k: v for k, v in options.margins.items() if k in metrics[task]}
            control = options.control if options.control in ways[task] else None
            found[task] = _settled(grid, task, test, replace(own, margins=margins, control=control))
    return found


def names_of(grid: GridConfig, task: TaskName) -> list[str]:
    """What the aggregators of a task are called."""
    return list(dict.fromkeys(named(grid, cell) for cell in cells(grid) if cell.task == task))


def _truth(task: TaskName, test: Manifest) -> Predictions:
    frame = test.frame.drop(columns="path").assign(**{f"{task}_pred": None})
    return predictions_from_frame(frame, task=task, place=test.label)


def _metrics(task: TaskName, test: Manifest, options: GridOptions) -> set[str]:
    tables = paired_tables({test.label: _truth(task, test)}, options.by, _checked(options))
    return {metric.name for metric in possible(tables.setting)}


def _checked(options: GridOptions) -> Options:
    rest = {f.name: getattr(options, f.name) for f in fields(options)}
    for name in ("control", "by"):
        rest.pop(name)
    return checked_options(**rest)


def _settled(grid: GridConfig, task: TaskName, test: Manifest, options: GridOptions) -> GridOptions:
    truth = _truth(task, test)
    usual = [name for names in combinations_of(None, truth) for name in names]
    by = options.by or tuple(dict.fromkeys([*test.sources, *usual]))
    used = {name for names in combinations_of(by, truth) for name in names}
    for name in sorted(used):
        attribute(truth, name, options.age_bands)
    paired_tables({test.label: truth}, by or None, _checked(options))  # margins, too
    control_of(names_of(grid, task), options.control)
    known = {name: source for name, source in test.sources.items() if name in used}
    return replace(options, by=by or None, sources={**known, **options.sources})
