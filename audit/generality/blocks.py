"""From cells to pairs: every aggregator beside its control on one backbone, seed by seed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from audit.generality.cells import Cell, Grid
from audit.groups import Grouping
from audit.paired_block import PairedBlock
from audit.paired_sums import RunSums, on_faces_of_all, pair_of
from audit.paired_tables import PairedTables


@dataclass(frozen=True, eq=False)
class GridSums:
    """The sums of all cells: of their own faces, and of those that every cell processed."""

    grid: Grid
    tables: PairedTables
    every: Mapping[Cell, RunSums]
    common: Mapping[Cell, RunSums]

    def groupings(self) -> list[Grouping]:
        """Everyone, then the combinations."""
        return self.tables.first.groupings(self.tables.reading)


def grid_sums(grid: Grid, tables: PairedTables) -> GridSums:
    """Put the sums of all cells on the same faces."""
    every = {cell: tables.sums[cell.name] for cell in grid.done}
    common = on_faces_of_all(list(every.values()), tables.reading)
    return GridSums(grid, tables, every, dict(zip(every, common, strict=True)))


@dataclass(frozen=True, eq=False)
class Blocks:
    """The pairs of one combination; made when asked for, and kept for the metrics to come."""

    sums: GridSums
    grouping: Grouping
    made: dict[tuple[str, str, str], list[PairedBlock]] = field(default_factory=dict, repr=False)

    def of(self, backbone: str, aggregator: str, against: str) -> list[PairedBlock]:
        """A block for every seed that both have; the aggregator is the second run."""
        key = (backbone, aggregator, against)
        if key not in self.made:
            seeds = self.sums.grid.seeds(backbone, aggregator, against)
            self.made[key] = [
                self._block(Cell(backbone, against, s), Cell(backbone, aggregator, s))
                for s in seeds
            ]
        return self.made[key]

    def _block(self, first: Cell, second: Cell) -> PairedBlock:
        sums = self.sums
        return PairedBlock(
            sums.tables.setting,
            (f"{first.backbone}/{first.aggregator}", f"{second.backbone}/{second.aggregator}"),
            both=pair_of(sums.common[first], sums.common[second], self.grouping),
            every=pair_of(sums.every[first], sums.every[second], self.grouping),
            quantiles=({}, {}),
            weights=sums.tables.weights,
        )
