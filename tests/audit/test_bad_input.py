"""Bad input: an InputError of one line that names place, rule, value and remedy."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from audit import InputError, audit, predictions_from_frame, read_predictions

AGES = "sample_id,age,age_pred,gender\na,20,21,f\nb,30,33,m\nc,40,38,f\n"


def write(folder: Path, text: str, name: str = "p.csv") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def refusal(call: Callable[[], Any]) -> str:
    """The message of the InputError, which must be one line."""
    with pytest.raises(InputError, match=r"\S") as caught:
        call()
    message = str(caught.value)
    assert "\n" not in message
    assert len(message) < 600
    return message


def says(message: str, *parts: str) -> None:
    missing = [part for part in parts if part not in message]
    assert not missing, f"{missing} not in: {message}"


def ages(**columns: list[Any]) -> pd.DataFrame:
    return pd.DataFrame({"age": [20, 30], "age_pred": [21, 31]} | columns)


def test_unknown_column_names_the_remedy(tmp_path: Path) -> None:
    path = write(tmp_path, "id,years,guess\n1,20,21\n")
    message = refusal(lambda: read_predictions(path, task="age"))
    says(message, "p.csv", "no column 'age'", "--map age=THEIRS", "id, years, guess")
    message = refusal(lambda: read_predictions(path, task="age", mapping={"age": "yeers"}))
    says(message, "p.csv", "--map age=yeers", "no column 'yeers'", "id, years, guess")
    message = refusal(lambda: audit(ages(), task="age", by=["gendr"]))
    says(message, "--by gendr", "no such column")


def test_duplicate_columns(tmp_path: Path) -> None:
    path = write(tmp_path, "age,age_pred,age\n20,21,22\n")
    says(
        refusal(lambda: read_predictions(path, task="age")), "p.csv", "'age' occurs 2 times", "ren"
    )
    twice = pd.DataFrame([[20, 21, 22]], columns=["age", "age_pred", "age"])
    says(refusal(lambda: predictions_from_frame(twice, task="age")), "'age'", "2 times")


def test_columns_mapped_twice() -> None:
    frame = pd.DataFrame({"x": [20], "age_pred": [21]})
    mapping = {"age": "x", "sample_id": "x"}
    message = refusal(lambda: predictions_from_frame(frame, task="age", mapping=mapping))
    says(message, "'x' is mapped 2 times", "map it once")
    taken = pd.DataFrame({"age": [20], "age_pred": [21], "x": [3]})
    message = refusal(lambda: predictions_from_frame(taken, task="age", mapping={"age": "x"}))
    says(message, "--map age=x", "'age' of its own", "--map other_age=age")


def test_columns_may_be_swapped() -> None:
    frame = pd.DataFrame({"age": [20.0], "age_pred": [21.0]})
    table = predictions_from_frame(
        frame, task="age", mapping={"age": "age_pred", "age_pred": "age"}
    )
    assert table.truth is not None
    assert table.truth.low.tolist() == [21.0]


def test_duplicate_ids(tmp_path: Path) -> None:
    path = write(tmp_path, AGES + "a,50,51,m\n")
    message = refusal(lambda: read_predictions(path, task="age"))
    says(message, "p.csv rows 1, 4", "sample_id 'a'", "more than once", "unique")
    path = write(tmp_path, AGES + ",50,51,m\n")
    says(refusal(lambda: read_predictions(path, task="age")), "row 4", "sample_id is empty")
    shard = pd.read_csv(write(tmp_path, AGES), dtype=str)
    message = refusal(lambda: audit([shard, shard.tail(1)], task="age"))
    says(message, "sample_id 'c'", "two shards", "unique")


def test_one_person_in_two_sources() -> None:
    frame = ages(subject_id=["17", "17"], source=["morph", "utk"])
    message = refusal(lambda: predictions_from_frame(frame, task="age"))
    says(message, "subject_id '17'", "morph and utk", "prefix the id with its source")
    same = ages(subject_id=["17", "17"], source=["utk", "utk"])
    assert len(predictions_from_frame(same, task="age")) == 2


def test_one_person_in_two_sources_of_two_shards() -> None:
    shards = [
        ages(subject_id=["17", "18"], source=["morph"] * 2),
        ages(subject_id=["17", "19"], source=["utk"] * 2),
    ]
    says(refusal(lambda: audit(shards, task="age", by=[])), "'17'", "morph and utk")


@pytest.mark.parametrize(
    ("proba", "value"), [([0.5, 0.43], "0.93"), ([1.2, -0.2], "-0.2"), ([3.1, -2.0], "1.1")]
)
def test_probabilities_that_do_not_sum_to_1(proba: list[float], value: str) -> None:
    frame = pd.DataFrame(
        {"expression": ["a", "b"], "prob_a": [0.4, proba[0]], "prob_b": [0.6, proba[1]]}
    )
    message = refusal(lambda: predictions_from_frame(frame, task="expression", place="p.csv"))
    says(message, "p.csv row 2", value, "must be 1 +- 0.001", "--logits")


@pytest.mark.parametrize("age", [-1, 131, 1e6])
def test_impossible_true_age(age: float) -> None:
    frame = ages(age=[20, age])
    message = refusal(lambda: predictions_from_frame(frame, task="age", place="p.csv"))
    says(message, "p.csv row 2", "age", "between 0 and 130", "empty if unknown")


@pytest.mark.parametrize("age", ["adult", "twenty", "20-", "2O-29"])
def test_true_age_in_words(age: str) -> None:
    frame = ages(age=["20", age])
    message = refusal(lambda: predictions_from_frame(frame, task="age"))
    says(message, "row 2", repr(age), "20-29")


def test_predicted_age_in_words() -> None:
    frame = ages(age_pred=["20", "old"])
    says(refusal(lambda: predictions_from_frame(frame, task="age")), "row 2", "age_pred", "'old'")


def test_reversed_band() -> None:
    frame = pd.DataFrame({"age_low": [20, 30], "age_high": [30, 25], "age_pred": [21, 31]})
    message = refusal(lambda: predictions_from_frame(frame, task="age"))
    says(message, "row 2", "age_low 30", "below", "age_high 25")


def test_classes_never_seen() -> None:
    frame = pd.DataFrame({"expression": ["happy", "sad"], "expression_pred": ["happy", "joy"]})
    read = lambda: predictions_from_frame(  # noqa: E731
        frame, task="expression", classes=["happy", "sad"]
    )
    says(refusal(read), "row 2", "expression_pred", "'joy'", "happy, sad", "--classes")
    numbers = pd.DataFrame({"expression": ["0", "7"], "expression_pred": ["0", "1"]})
    read = lambda: predictions_from_frame(  # noqa: E731
        numbers, task="expression", classes=["happy", "sad"]
    )
    says(refusal(read), "row 2", "'7'", "index below 2")


@pytest.mark.parametrize("weight", ["-1", "heavy", "", "nan", "inf"])
def test_weights(weight: str) -> None:
    frame = ages(weight=["1", weight])
    message = refusal(lambda: predictions_from_frame(frame, task="age"))
    says(message, "row 2", "weight")


def test_a_grouping_column_that_is_an_id() -> None:
    n = 10_000
    frame = pd.DataFrame({"age": [20] * n, "age_pred": [21] * n, "file": range(n)})
    message = refusal(lambda: audit(frame, task="age", by=["file"], n_boot=0))
    says(message, "--by file", "10000 different values", "at most", "fewer")


def test_too_many_cells() -> None:
    n = 600
    frame = pd.DataFrame({"age": [20] * n, "age_pred": [21] * n})
    frame["a"], frame["b"] = frame.index % 24, frame.index % 25
    message = refusal(lambda: audit(frame, task="age", by=["a,b"], n_boot=0, max_cells=500))
    says(message, "a 24 x b 25", "600", "at most 500", "--max-cells")
    shards = [frame[:300], frame[300:]]
    message = refusal(lambda: audit(shards, task="age", by=["a,b"], n_boot=0, max_cells=500))
    says(message, "600", "--max-cells")


def test_empty_tables(tmp_path: Path) -> None:
    says(refusal(lambda: audit(pd.DataFrame({"age": [], "age_pred": []}), task="age")), "no rows")
    path = write(tmp_path, "age,age_pred\n")
    says(refusal(lambda: read_predictions(path, task="age")), "p.csv", "no rows")
    path = write(tmp_path, "")
    says(refusal(lambda: read_predictions(path, task="age")), "p.csv")
    refusal(lambda: audit([], task="age"))


def test_missing_and_unreadable_files(tmp_path: Path) -> None:
    says(refusal(lambda: read_predictions(tmp_path / "no.csv", task="age")), "no.csv", "no such")
    refusal(lambda: read_predictions(tmp_path, task="age"))
    bad = tmp_path / "p.parquet"
    bad.write_bytes(b"no parquet at all")
    says(refusal(lambda: read_predictions(bad, task="age")), "p.parquet", "Parquet")
    latin = tmp_path / "p.csv"
    latin.write_bytes("age,age_pred,name\n20,21,Zo\u00eb\n".encode("latin-1"))
    says(refusal(lambda: read_predictions(latin, task="age")), "p.csv", "UTF-8")
    ragged = write(tmp_path, "age,age_pred\n20,21\n30,31,7,8\n")
    says(refusal(lambda: read_predictions(ragged, task="age")), "p.csv")
    quoted = write(tmp_path, 'age,age_pred,note\n20,21,"open\n')
    says(refusal(lambda: read_predictions(quoted, task="age")), "p.csv")


@pytest.mark.parametrize(
    ("options", "part"),
    [
        ({"n_boot": -1}, "--n-boot -1"),
        ({"min_n": 1}, "--min-n 1"),
        ({"estimand": "photo"}, "image or subject"),
        ({"pairs": "some"}, "auto or all"),
        ({"age_bands": [18, 13]}, "--age-bands 18,13"),
        ({"age_bands": []}, "--age-bands"),
        ({"age_bands": [-5, 13]}, "--age-bands -5,13"),
        ({"age_bands": [0, float("nan"), 30]}, "--age-bands"),
        ({"by": ["gender,gender"]}, "--by gender,gender"),
        ({"by": ["gender,"]}, "--by gender,"),
        ({"by": [""]}, "--by"),
        ({"sources": {"race": "perceived"}}, "--label-source race"),
        ({"sources": {"gender": "guessed"}}, "guessed"),
        ({"seed": 2**64}, "--seed"),
        ({"task": "height"}, "age, expression"),
        ({"task": None}, "task"),
    ],
)
def test_options(options: dict[str, Any], part: str) -> None:
    given = {"task": "age", "by": ["gender"], "n_boot": 0} | options
    says(refusal(lambda: audit(ages(gender=["f", "m"]), **given)), part)


def test_join_needs_one_row_per_face(tmp_path: Path) -> None:
    path = write(tmp_path, "image,age\n1,21\n2,31\n")
    truth = write(tmp_path, "image,age\n1,20\n1,30\n", "truth.csv")
    read = {"task": "age", "join": truth}
    message = refusal(lambda: read_predictions(path, **read, on="image"))
    says(message, "image '1'", "more than once", "one row per face")
    says(refusal(lambda: read_predictions(path, **read, on="id")), "p.csv", "'id'")
    says(refusal(lambda: read_predictions(path, **read)), "--join and --on")


@pytest.mark.parametrize(
    ("condition", "part"),
    [
        ("age_pred", "one comparison"),
        ("conf == 0", "no column 'conf'"),
        ("gender < f", "numbers"),
        ("age_pred = 3", "one comparison"),
    ],
)
def test_failed_when(condition: str, part: str) -> None:
    frame = ages(gender=["f", "m"])
    says(refusal(lambda: predictions_from_frame(frame, task="age", failed_when=condition)), part)


def test_shards_of_different_kinds() -> None:
    faces = pd.DataFrame({"expression": ["a"], "expression_pred": ["a"]})
    tables = [
        predictions_from_frame(ages(), task="age"),
        predictions_from_frame(faces, task="expression"),
    ]
    says(refusal(lambda: audit(tables)), "different tasks")
    refusal(lambda: audit([ages(gender=["f", "m"]), ages()], task="age", by=["gender"]))


def test_shards_with_and_without_probabilities() -> None:
    scores = pd.DataFrame({"expression": list("ab"), "prob_a": [0.5, 0.5], "prob_b": [0.5, 0.5]})
    plain = pd.DataFrame({"expression": list("ab"), "expression_pred": list("ab")})
    says(refusal(lambda: audit([scores, plain], task="expression", by=[])), "probabilities")


def test_messages_show_plain_numbers() -> None:
    frame = pd.DataFrame({"age_low": [-5], "age_high": [3], "age_pred": [2]})
    message = refusal(lambda: predictions_from_frame(frame, task="age"))
    says(message, "age_low is -5,")
    assert "np." not in message


def test_no_class_at_all() -> None:
    frame = pd.DataFrame({"expression": [None, None], "expression_pred": [None, None]})
    message = refusal(lambda: predictions_from_frame(frame, task="expression"))
    says(message, "--classes")
    assert "distinct" not in message


def test_absurd_prediction() -> None:
    """Squares of 1e300 are no numbers: refused, not a warning of numpy and a null."""
    frame = ages(age_pred=[21.0, 1e300])
    says(refusal(lambda: audit(frame, task="age", by=[])), "row 2", "age_pred")
