from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from audit.data_set.copies import Shared
from audit.errors import InputError
from hae.data.splits.leaks import (
    contradictions,
    image_leaks,
    images_of,
    leaks,
    refuse_leaks,
)


def table(*rows: tuple[str | None, str | None]) -> pd.DataFrame:
    """Faces of (person, split)."""
    frame = pd.DataFrame(rows, columns=["subject_id", "split"])
    return frame.assign(sample_id=[f"s{k}" for k in range(len(frame))])


def test_counts_by_hand() -> None:
    frame = table(
        ("a", "train"), ("a", "test"), ("a", "test"), ("b", "train"), ("b", "test"), ("c", "test")
    )
    # 3 of the 4 test faces are of a and b, who are in train too
    assert leaks(frame) == (Shared("test", "train", 4, 3, 2, "a"),)
    assert str(leaks(frame)[0]) == "3 of 4 test faces (75.0 %) share a person with train"


def test_faces_without_person_or_split_leak_nothing() -> None:
    frame = table((None, "train"), ("", "test"), (" ", "test"), ("a", "train"), ("a", None))
    assert leaks(frame) == (Shared("test", "train", 2, 0, 0),)
    assert leaks(table(("a", None))) == ()
    assert leaks(table(("a", "train")).drop(columns="split")) == ()


def test_the_judged_part_comes_first() -> None:
    frame = table(("a", "train"), ("b", "valid"), ("c", "test"), ("d", "extra"))
    pairs = [(leak.part, leak.other) for leak in leaks(frame)]
    assert pairs == [
        ("test", "valid"),
        ("test", "extra"),
        ("test", "train"),
        ("valid", "extra"),
        ("valid", "train"),
        ("extra", "train"),
    ]


def test_a_name_is_the_same_in_any_unicode_form() -> None:
    frame = table(("Jose\u0301", "train"), ("Jos\u00e9", "test"))
    assert leaks(frame)[0].shared == 1


def test_refused_with_a_name() -> None:
    found = leaks(table(("a", "train"), ("b", "test"), ("a", "val")))
    with pytest.raises(InputError, match=r"here: 1 of 1 val faces .* with train, such as 'a'"):
        refuse_leaks(found, "here")
    refuse_leaks(found[:1], "here")


def test_contradictions() -> None:
    frame = pd.DataFrame(
        {
            "subject_id": ["a", "a", "b", "b", "c", "c", "", "", "photo:x", "photo:x"],
            "gender": ["F", "M", "F", "F", "F", None, "F", "M", "F", "M"],
            "race": ["x", "y", "x", "y", "z", "z", "x", "y", "x", "y"],
        }
    )
    assert contradictions(frame, ["gender", "race", "none"]) == {"gender": (1, 2), "race": (2, 4)}


def test_many_parts_tell_of_those_that_share() -> None:
    rows = [(f"p{k}", f"s{k:03}") for k in range(300)]
    found = leaks(table(*rows, ("p7", "s250"), ("p7", "s250"), ("p9", "test")))
    assert found == (
        Shared("test", "s009", 1, 1, 1, "p9"),
        Shared("s007", "s250", 1, 1, 1, "p7"),
    )


def test_images_in_several_parts() -> None:
    frame = table(("a", "test"), ("b", "train"), ("c", "train"), ("d", "val"))
    frame = frame.assign(path=["1.jpg", "./x/../1.jpg", "2.jpg", "3.jpg"])
    found = image_leaks(frame, images_of([Path("root", name) for name in frame["path"]]))
    assert found == (Shared("test", "train", 1, 1, 1, "1.jpg", "image"),)
    assert str(found[0]) == "1 of 1 test faces (100.0 %) share an image with train"
    assert image_leaks(frame, images_of([Path(name) for name in "abcd"])) == ()
