"""The cells of a grid: what was trained, what it cost, and what it predicts for the test faces."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from audit.errors import InputError
from audit.predictions import Predictions
from audit.result import FileHash

MOST_CELLS = 2000
Failure = Literal["out_of_memory", "diverged", "refused", "failed"]


class Cell(NamedTuple):
    """One training: a backbone, a way to combine views, a seed."""

    backbone: str
    aggregator: str
    seed: int

    @property
    def name(self) -> str:
        """How messages and rows call it."""
        return f"{self.backbone}/{self.aggregator}/{self.seed}"


@dataclass(frozen=True, eq=False)
class Trained:
    """What became of a cell: predictions, or the ``reason`` why there are none.

    ``status`` names the kind of failure. ``parameters`` are of the whole model,
    ``trained_parameters`` without a frozen backbone; ``train_seconds`` of the training's steps,
    ``step_ms`` and ``forward_ms`` of one batch that is the same for all, ``memory_mb`` the most
    MiB in a step on it. ``None`` is not measured.
    """

    predictions: Predictions | None = None
    reason: str | None = None
    status: Failure = "failed"
    parameters: int | None = None
    trained_parameters: int | None = None
    train_seconds: float | None = None
    step_ms: float | None = None
    forward_ms: float | None = None
    memory_mb: float | None = None
    files: tuple[FileHash, ...] = ()


@dataclass(frozen=True, eq=False)
class Grid:
    """The cells in order: names sorted, the control first; ``done`` have predictions."""

    cells: dict[Cell, Trained]
    control: str
    backbones: tuple[str, ...]
    aggregators: tuple[str, ...]
    matched: dict[str, tuple[str, ...]]

    @property
    def done(self) -> dict[Cell, Predictions]:
        """The cells that have predictions."""
        found = {cell: trained.predictions for cell, trained in self.cells.items()}
        return {cell: table for cell, table in found.items() if table is not None}

    def seeds(self, backbone: str, *aggregators: str) -> tuple[int, ...]:
        """The seeds at which all of these aggregators came out on a backbone."""
        own = [{c.seed for c in self.done if c[:2] == (backbone, name)} for name in aggregators]
        return tuple(sorted(set.intersection(*own)))

    def contrasts(self) -> list[tuple[str, str]]:
        """(aggregator, against): all against the control, then those that have own controls."""
        against = [(name, self.control) for name in self.aggregators if name != self.control]
        more = [(a, b) for a in self.aggregators for b in self.matched.get(a, ())]
        return list(dict.fromkeys([*against, *more]))


def grid_of(
    cells: Mapping[Cell, Trained],
    control: str,
    matched: Mapping[str, Sequence[str]] | None = None,
) -> Grid:
    """Check a grid.

    Raises
    ------
    InputError
        No cell of the control, an unknown name, nothing to compare, a cell with neither predictions
        nor a reason, cells of different faces.
    """
    given = {Cell(*cell): trained for cell, trained in cells.items()}
    names = {cell.aggregator for cell in given}
    if control not in names:
        raise InputError(
            f"generality: the control {control!r} is not in the grid; the aggregators are "
            f"{', '.join(sorted(names))}"
        )
    if len(names) < 2:
        raise InputError(
            f"generality: {control!r} is the only aggregator; give at least one to compare with it"
        )
    if len(given) > MOST_CELLS:
        raise InputError(f"generality: {len(given)} cells, at most {MOST_CELLS}; split the grid")
    for cell, trained in given.items():
        if (trained.predictions is None) == (trained.reason is None):
            raise InputError(
                f"generality: cell {cell.name} must have either predictions or the reason why not"
            )
    pairs = {name: tuple(found) for name, found in (matched or {}).items()}
    for name in (*pairs, *(other for found in pairs.values() for other in found)):
        if name not in names:
            raise InputError(
                f"generality: matched control: no aggregator {name!r} in the grid; choose of "
                f"{', '.join(sorted(names))}"
            )
    order = sorted(given, key=lambda cell: (cell.aggregator != control, cell))
    grid = Grid(
        cells={cell: given[cell] for cell in order},
        control=control,
        backbones=tuple(sorted({cell.backbone for cell in given})),
        aggregators=(control, *sorted(names - {control})),
        matched=pairs,
    )
    _check_faces(grid.done)
    if not any(grid.seeds(b, *pair) for b in grid.backbones for pair in grid.contrasts()):
        raise InputError(
            "generality: no backbone has an aggregator and its control at one seed, so nothing can "
            "be compared; see why the cells failed"
        )
    return grid


def _check_faces(done: Mapping[Cell, Predictions]) -> None:
    """Refuse cells whose tables hold other faces."""
    first: tuple[Cell, set[str]] | None = None
    for cell, table in done.items():
        if table.sample_id is None:
            raise InputError(
                f"generality: cell {cell.name}: no column 'sample_id'; cells are compared face by "
                "face"
            )
        ids = set(map(str, table.sample_id))
        if first is None:
            first = cell, ids
        odd = sorted(ids ^ first[1])
        if odd:
            raise InputError(
                f"generality: cells {first[0].name} and {cell.name} are of different test faces "
                f"({len(odd)} in one only, such as {odd[0]!r}); evaluate all on the same faces"
            )
