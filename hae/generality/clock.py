"""How long the steps of a training took, apart from what was looked at before them."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from hae.training.run import Report


@dataclass(eq=False)
class Clock:
    """Passes on what it is told; fulfils ``Report``."""

    report: Report
    begun: float = 0.0
    ended: float = 0.0

    @property
    def seconds(self) -> float:
        """From the end of the last stage, such as the embedding of faces, to the last step.

        Validation on the way is part of it.
        """
        return max(self.ended - self.begun, 0.0)

    def stage(self, text: str, total: int) -> Callable[[int], object]:
        """A piece of work before the steps begins."""
        tell = self.report.stage(text, total)

        def done(parts: int) -> None:
            tell(parts)
            self.begun = time.perf_counter()

        return done

    def step(self, step: int, figures: Mapping[str, float]) -> None:
        """A step is done."""
        self.ended = time.perf_counter()
        self.report.step(step, figures)

    def notice(self, text: str) -> None:
        """Something the user should know."""
        self.report.notice(text)
