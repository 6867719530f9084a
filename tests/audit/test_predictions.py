"""The table written and read back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from audit import audit, predictions_from_frame, read_predictions
from audit.predictions import write_predictions
from tests.audit.frames import age_table, expression_table


@pytest.mark.parametrize("task", ["age", "expression"])
def test_round_trip_through_parquet(tmp_path: Path, task: str) -> None:
    make = age_table if task == "age" else expression_table
    table = predictions_from_frame(make(1, 40), task=task)
    path = tmp_path / "new" / "predictions.parquet"
    write_predictions(table, path)
    again = read_predictions(path, task=task)
    first, second = (audit(t, by=["gender", "race"], n_boot=40) for t in (table, again))
    assert first.metrics == second.metrics
    assert first.gaps == second.gaps
    assert list(path.parent.iterdir()) == [path]


def test_writing_is_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "p.parquet"
    path.write_text("the old file")

    def broken(self: pd.DataFrame, target: Path, **options: Any) -> None:
        Path(target).write_text("half a fi")
        raise OSError("no space left on device")

    monkeypatch.setattr(pd.DataFrame, "to_parquet", broken)
    table = predictions_from_frame(age_table(0, 5), task="age")
    with pytest.raises(OSError, match="no space"):
        write_predictions(table, path)
    assert path.read_text() == "the old file"
    assert list(tmp_path.iterdir()) == [path]
