"""How the work on a grid goes: a line for each cell, bars where there is a terminal."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping

from rich.progress import Progress, TaskID

from hae.cli.training import figures
from hae.generality.cells import CellRecord


class GridBars:
    """Told of cells and of what happens inside them; fulfils ``Report``."""

    def __init__(self, bar: Progress, cells: int) -> None:
        self.bar, self.cells, self.done = bar, cells, 0
        self.all: TaskID = bar.add_task("cells", total=cells, figures="")
        self.inner: TaskID | None = None
        self.said: set[str] = set()

    def stage(self, text: str, total: int) -> Callable[[int], object]:
        """Open a bar for a piece of work in place of the last one."""
        task = self._inside(text, total)
        return lambda done: self.bar.advance(task, done)

    def step(self, step: int, figures: Mapping[str, float]) -> None:
        """Show the last figures behind the bar of the cells."""
        text = ", ".join(f"{name} {value:.3f}" for name, value in figures.items())
        self.bar.update(self.all, figures=f"step {step:,}: {text}")

    def notice(self, text: str) -> None:
        """Print a line; what cells share is said once."""
        if text not in self.said:
            self.said.add(text)
            print(f"hae-audit: {text}", file=sys.stderr)

    def cell(self, record: CellRecord) -> None:
        """A cell is finished, or failed."""
        self.done += 1
        self.bar.update(self.all, completed=self.done, figures="")
        if record.status == "done":
            text = figures(record.metrics)
        else:
            text = f"{record.status.replace('_', ' ')}: {record.reason}"
        print(f"cell {self.done} of {self.cells}: {record.key}: {text}", file=sys.stderr)

    def _inside(self, text: str, total: int) -> TaskID:
        if self.inner is not None:
            self.bar.remove_task(self.inner)
        self.inner = self.bar.add_task(text, total=total, figures="")
        return self.inner
