"""The log of a training beside a table of its faces: what it adds, and when it is another's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from audit import InputError, Predictions, read_predictions
from audit.relabels import LOG, read_relabels

FACES: dict[str, Any] = {
    "sample_id": ["01", "2", "NA", "4,5"],
    "expression": ["sad", "sad", "happy", "angry"],
    "expression_pred": ["sad", "happy", "happy", "angry"],
}
CHANGES = [
    ("2", 10, "sad", "angry", 0.2, "r1"),
    ("NA", 10, "happy", "sad", 0.3, "r1"),
    ("2", 12, "angry", "happy", 0.1, "r1"),
    ("NA", 14, "sad", "happy", 0.2, "r1"),
]


def files(tmp_path: Path, rows: list[Any] = CHANGES, **columns: Any) -> tuple[Path, Path]:
    table, log = tmp_path / "t.csv", tmp_path / "relabels.csv"
    pd.DataFrame(FACES | columns).to_csv(table, index=False)
    pd.DataFrame(rows, columns=list(LOG)).to_csv(log, index=False)
    return table, log


def read(tmp_path: Path, rows: list[Any] = CHANGES, **columns: Any) -> Predictions:
    table, log = files(tmp_path, rows, **columns)
    return read_predictions(table, task="expression", relabels=log)


def labels(table: Predictions) -> list[list[Any]]:
    names = ["expression_given", "expression_final", "relabelled"]
    return table.to_frame()[names].to_numpy().tolist()


def test_the_first_and_the_last_label_of_every_face(tmp_path: Path) -> None:
    found = read(tmp_path)
    assert labels(found) == [
        ["sad", "sad", 0],
        ["sad", "happy", 1],
        ["happy", "happy", 0],  # there and back
        ["angry", "angry", 0],
    ]
    assert [file.name for file in found.files] == ["t.csv", "relabels.csv"]


def test_given_labels_of_the_table_are_those_of_the_faces_that_kept_theirs(tmp_path: Path) -> None:
    given = ["happy", "sad", "happy", "angry"]  # the first was flipped on purpose
    assert labels(read(tmp_path, expression_given=given))[0] == ["happy", "happy", 0]


def test_a_log_without_a_row_says_that_nothing_changed(tmp_path: Path) -> None:
    assert [row[2] for row in labels(read(tmp_path, rows=[]))] == [0, 0, 0, 0]


def test_the_log_agrees_with_a_table_of_its_own_run(tmp_path: Path) -> None:
    own = {"expression_final": ["sad", "happy", "happy", "angry"], "run": "r1"}
    assert labels(read(tmp_path, relabelled=[0, 1, 0, 0], **own))[1][1] == "happy"


@pytest.mark.parametrize(
    ("rows", "columns", "message"),
    [
        (CHANGES, {"run": "r2"}, "is the log of run r1, t.csv is of run r2; give the log that"),
        ([("7", *CHANGES[0][1:])], {}, "1 of its 1 faces are not in t.csv, such as '7'"),
        (
            CHANGES,
            {"expression_final": ["sad", "sad", "happy", "angry"]},
            "the expression_final of sample_id '2' is 'happy', in t.csv it is 'sad'",
        ),
        ([*CHANGES, (*CHANGES[0][:5], "r9")], {}, "is of the runs r1 and r9"),
        (CHANGES, {"relabelled": [0, 0, 0, 0]}, "row 2: relabelled is 0 but"),
    ],
)
def test_the_log_of_another_run_is_refused(
    rows: list[Any], columns: dict[str, Any], message: str, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=message):
        read(tmp_path, rows, **columns)


def test_what_is_no_log_is_refused(tmp_path: Path) -> None:
    table, log = files(tmp_path)
    with pytest.raises(InputError, match=r"t.csv: has no column 'epoch'; give the relabels.csv"):
        read_relabels(table)
    with pytest.raises(InputError, match="labels of ages are never changed"):
        read_predictions(table, task="age", relabels=log)
    bare = pd.read_csv(table, dtype=str, keep_default_na=False).drop(columns="sample_id")
    bare.to_csv(table, index=False)
    with pytest.raises(InputError, match="has no column 'sample_id', which --relabels needs"):
        read_predictions(table, task="expression", relabels=log)
