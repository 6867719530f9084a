"""Prediction with a progress bar on stderr; quiet where that is no terminal."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd
    from rich.progress import Progress

    from hae.adapters.predictor import Predictor
    from hae.data.core import Manifest


def run_with_bar(
    manifest: Manifest, predictor: Predictor, parts: Path, *, keep_probabilities: bool = False
) -> pd.DataFrame:
    """Predict a manifest, resuming from ``parts``, with a bar; Ctrl-C says how to go on."""
    from hae.predict import predict

    with bars(transient=True) as bar:
        task = bar.add_task(predictor.name, total=len(manifest))
        try:
            return predict(
                manifest,
                predictor,
                keep_probabilities=keep_probabilities,
                parts=parts,
                progress=lambda done: bar.advance(task, done),
                notice=lambda text: print(f"hae-audit: {text}", file=sys.stderr),
            )
        except KeyboardInterrupt:
            print(
                "hae-audit: interrupted; finished parts are kept, the same command goes on",
                file=sys.stderr,
            )
            raise


def bars(*, transient: bool = False, quiet: bool = False, field: str | None = None) -> Progress:
    """Progress bars on stderr; nothing where that is no terminal, or ``quiet``.

    ``field`` is a field of the tasks that is shown behind the time.
    """
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    console = Console(stderr=True)
    columns = [
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        *([TextColumn(f"{{task.fields[{field}]}}")] if field else []),
    ]
    shown = console.is_terminal and not quiet
    return Progress(*columns, console=console, transient=transient, disable=not shown)
