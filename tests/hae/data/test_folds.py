from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from audit.errors import InputError
from hae.data.core import Manifest
from hae.data.splits import folds as module
from hae.data.splits.divide import Units, strata_of, units_of
from hae.data.splits.folds import bench5, lopo, pool_folds
from hae.data.splits.leaks import leaks


def people(n: int, photos: int = 2) -> Units:
    """n people whose images nobody opens."""
    names = [f"p{k:02}" for k in range(n) for _ in range(photos)]
    frame = pd.DataFrame(
        {
            "sample_id": [f"s{k}" for k in range(len(names))],
            "path": [f"{k}.png" for k in range(len(names))],
            "subject_id": names,
            "gender": ["F" if k % 3 else "M" for k in range(len(names))],
        }
    )
    return units_of(Manifest("toy", Path(), frame, ()))


def test_bench5_is_the_published_scheme() -> None:
    units = people(60)
    tables = bench5(units, strata_of(units.manifest.frame), 0)
    found = []
    for table in tables:
        frame = table.manifest.frame
        parts = {split: sorted(set(rows["folder"])) for split, rows in frame.groupby("split")}
        found.append((parts["train"], parts["val"], parts["test"]))
    assert found == [
        ([0, 1, 2, 3, 4, 5], [6, 7], [8, 9]),
        ([2, 3, 4, 5, 6, 7], [8, 9], [0, 1]),
        ([4, 5, 6, 7, 8, 9], [0, 1], [2, 3]),
        ([0, 5, 6, 7, 8, 9], [1, 2], [3, 4]),
        ([0, 1, 6, 7, 8, 9], [2, 3], [4, 5]),
    ]
    times = sum((table.manifest.frame["split"] == "test").astype(int) for table in tables)
    folder = tables[0].manifest.frame["folder"]
    assert isinstance(times, pd.Series)
    assert set(folder[times == 2]) == {3, 4}
    assert set(folder[times == 0]) == {6, 7}
    assert [table.fold for table in tables] == [0, 1, 2, 3, 4]
    assert tables[3].made == "bench5 by person, seed 0, fold 3 of 5"


def test_bench5_keeps_people_together_and_folders_even() -> None:
    units = people(100, photos=3)
    strata = strata_of(units.manifest.frame)
    for table in bench5(units, strata, 0):
        frame = table.manifest.frame
        assert (frame.groupby("subject_id")["folder"].nunique() == 1).all()
        assert all(leak.shared == 0 for leak in leaks(frame))
        assert len(leaks(frame)) == 3
    sizes = np.bincount(frame["folder"])
    assert sizes.min() >= 24  # 30 faces a folder, up to one person of 3 in each of two strata
    assert sizes.max() <= 36
    order = np.random.default_rng(0).permutation(300)
    mixed = units.manifest.frame.iloc[order].reset_index(drop=True)
    again = units_of(replace(units.manifest, frame=mixed))
    first = bench5(again, strata_of(mixed), 0)[0].manifest.frame
    assert (first["folder"].to_numpy() == frame["folder"].to_numpy()[order]).all()


def test_bench5_needs_people() -> None:
    with pytest.raises(InputError, match=r"6 faces leave . of 10 folders empty; give more people"):
        bench5(people(3), [""] * 6, 0)


def test_lopo_leaves_each_person_out_once() -> None:
    units = people(82)
    tables = lopo(units)
    assert len(tables) == 82
    for number, table in enumerate(tables):
        frame = table.manifest.frame
        assert set(frame.loc[frame["split"] == "test", "subject_id"]) == {f"p{number:02}"}
        assert (frame["split"] == "train").sum() == 162
        assert set(frame["fold"]) == {number}
        assert leaks(frame)[0].shared == 0


def test_lopo_refuses() -> None:
    with pytest.raises(InputError, match="a fold for each of 1 people, must be 2 to 1,000"):
        lopo(people(1))
    units = people(3)
    nameless = units.manifest.frame.assign(subject_id=["", *units.manifest.frame["subject_id"][1:]])
    with pytest.raises(InputError, match="--protocol lopo: subject-exclusive impossible: 1 of 6"):
        lopo(replace(units, manifest=replace(units.manifest, frame=nameless)))


def test_a_leak_planted_in_folds_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    units = people(40)
    forgets = replace(units, person=np.arange(80).astype(np.uint64))
    with pytest.raises(InputError, match=r"lopo, fold 0: 1 of 1 test faces .*such as 'p00'"):
        lopo(forgets)
    # neighbours are one person; in fold 3 folders 1 and 2 are validation, 3 and 4 test
    monkeypatch.setattr(module, "parts_by_person", lambda person, *_: np.arange(80) % 10)
    with pytest.raises(InputError, match=r"bench5, fold 3: .* share a person with"):
        bench5(units, [""] * 80, 0)


def predicted(*names: str, **columns: object) -> pd.DataFrame:
    return pd.DataFrame({"sample_id": list(names), "age_pred": 30.0, **columns})


def test_pooled_in_order_with_their_fold() -> None:
    pooled = pool_folds([predicted("a", "b"), predicted("c")], ["x", "y"])
    assert pooled["sample_id"].tolist() == ["a", "b", "c"]
    assert pooled["fold"].tolist() == ["0", "0", "1"]
    own = [predicted("a", fold="7"), predicted("b", fold="2")]
    assert pool_folds(own, ["x", "y"])["fold"].tolist() == ["7", "2"]


def test_faces_tested_twice_stay_one_person() -> None:
    tables = [
        predicted("a", "b", fold="2", protocol="bench5", subject_id=["p", None]),
        predicted("a", "b", "c", fold="3", protocol="bench5", subject_id=["p", None, None]),
    ]
    pooled = pool_folds(tables, ["x", "y"])
    assert pooled["sample_id"].tolist() == ["a@fold2", "b@fold2", "a@fold3", "b@fold3", "c"]
    assert pooled["subject_id"].tolist()[:4] == ["p", "photo:b", "p", "photo:b"]
    assert pooled["subject_id"].isna().tolist() == [False] * 4 + [True]


def test_repeats_are_refused_where_the_protocol_has_none() -> None:
    tables = [predicted("a", "b"), predicted("b")]
    with pytest.raises(
        InputError, match="1 faces are tested more than once, such as sample_id 'b'"
    ):
        pool_folds(tables, ["x", "y"])
    assert pool_folds(tables, ["x", "y"], repeats=True)["sample_id"].tolist() == [
        "a",
        "b@fold0",
        "b@fold1",
    ]
    with pytest.raises(InputError, match="tested more than once"):
        pool_folds([predicted("a", "a")], ["x"], repeats=True)  # twice in one fold


@pytest.mark.parametrize(
    ("tables", "message"),
    [
        ([predicted("a"), predicted("b", age_std=1.0)], "y: has the column 'age_std', unlike x"),
        ([predicted("a", age_std=1.0), predicted("b")], "y: lacks the column 'age_std', unlike x"),
        ([predicted("a", fold="1"), predicted("b", fold="1")], "fold 1 is there twice"),
        ([predicted("a", "b", fold=["1", "2"])], "column 'fold' must hold one value"),
        ([predicted("a", "b", split=["test", "train"])], "holds faces of the split train"),
        ([predicted("a", split=None)], r"holds faces of the split \(empty\)"),
        ([predicted("a").drop(columns="sample_id")], "no column 'sample_id'"),
    ],
)
def test_pool_refuses(tables: list[pd.DataFrame], message: str) -> None:
    with pytest.raises(InputError, match=message):
        pool_folds(tables, ["x", "y"][: len(tables)])


def test_people_on_one_image_are_left_out_together() -> None:
    units = people(6)
    frame = units.manifest.frame
    frame.loc[3, "path"] = "./10.png"  # of p01, and row 10 is of p05
    tables = lopo(units_of(replace(units.manifest, frame=frame)))
    tested = [
        sorted(set(t.manifest.frame.loc[t.manifest.frame["split"] == "test", "subject_id"]))
        for t in tables
    ]
    assert tested == [["p00"], ["p01", "p05"], ["p02"], ["p03"], ["p04"]]
    mixed = frame.iloc[::-1].reset_index(drop=True)
    again = lopo(units_of(replace(units.manifest, frame=mixed)))
    for table, other in zip(tables, again, strict=True):
        assert (
            table.manifest.frame["split"].tolist() == other.manifest.frame["split"].tolist()[::-1]
        )


def test_folds_of_a_drawn_protocol_keep_images_whole() -> None:
    units = people(60)
    frame = units.manifest.frame.assign(path=[f"{k // 2}.png" for k in np.arange(120) - 1])
    units = units_of(replace(units.manifest, frame=frame))  # every image shows two people
    with pytest.raises(InputError, match="9 of 10 folders empty"):
        bench5(units, [""] * 120, 0)  # all are one chain
    frame = frame.assign(path=[f"{k // 4}-{k % 2}.png" for k in range(120)])
    for table in bench5(units_of(replace(units.manifest, frame=frame)), [""] * 120, 0):
        assert (table.manifest.frame.groupby("path")["split"].nunique() == 1).all()


def test_lopo_counts_usable_faces() -> None:
    units = people(4)
    frame = units.manifest.frame
    frame.loc[[0, 6, 7], "subject_id"] = ["", "p03", "p03"]
    reasons = tuple("no age" if row in (0, 6, 7) else "" for row in range(8))
    units = units_of(replace(units.manifest, frame=frame, reasons=reasons))
    assert (units.named, units.nameless, units.word) == (5, 0, "person")
    tables = lopo(units)  # p03 has no usable face, so no fold
    sizes = [(t.manifest.frame["split"] == "test").sum() for t in tables]
    assert sizes == [1, 2, 2]


def test_people_tested_in_two_folds_are_refused() -> None:
    tables = [
        predicted("a", "b", "c", subject_id=["p", "q", None]),
        predicted("d", "e", "f", subject_id=["r", "q", None]),
    ]
    with pytest.raises(
        InputError, match=r"x and others: 1 people are tested in more than one .* subject_id 'q'"
    ):
        pool_folds(tables, ["x", "y"])
    assert len(pool_folds(tables, ["x", "y"], repeats=True)) == 6
    assert len(pool_folds([t.assign(protocol="bench5") for t in tables], ["x", "y"])) == 6
