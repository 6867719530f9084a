"""``data split``, ``data check`` and ``data pool`` as a person runs them."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from audit.result import AuditResult
from tests.cli.running import FEW, Command, names_in, process, refused
from tests.hae.data.drawn import drawn_faces, with_copies
from tests.hae.toys import toy_model

FACES = "manifest:faces/faces.csv"


@pytest.fixture
def faces(tmp_path: Path) -> pd.DataFrame:
    """20 people, 3 photos each, in ``faces``."""
    return drawn_faces(tmp_path / "faces", people=20, photos=3)


@pytest.fixture
def nameless(tmp_path: Path) -> pd.DataFrame:
    """20 faces and 5 copies of them, in ``faces``; nobody is known."""
    return with_copies(tmp_path / "faces", drawn_faces(tmp_path / "faces", 20), of=5, copies=1)


def read(path: Path) -> pd.DataFrame:
    return pd.read_csv(path, dtype=str, keep_default_na=False)


def test_split_by_person(hae_audit: Command, tmp_path: Path, faces: pd.DataFrame) -> None:
    done = hae_audit("data", "split", FACES, "--out", "s/t.csv", "--shares", "0.6,0.2,0.2")
    assert done.returncode == 0, done.stderr
    frame = read(tmp_path / "s/t.csv")
    sizes = frame["split"].value_counts()
    assert sizes.sum() == 60
    assert (frame.groupby("subject_id")["split"].nunique() == 1).all()
    assert f"0 of {sizes['test']} test faces share a person with train" in done.stdout
    assert f"0 of {sizes['test']} test faces share a person with val" in done.stdout
    assert "ratio 0.6:0.2:0.2 by person, seed 0, stratified by gender, race, age" in done.stdout
    assert done.stderr == ""
    before = (tmp_path / "s/t.csv").read_bytes()
    again = hae_audit("data", "split", FACES, "--out", "s/t.csv", "--shares", "0.6,0.2,0.2")
    assert again.stdout == done.stdout
    assert (tmp_path / "s/t.csv").read_bytes() == before
    assert names_in(tmp_path / "s") == ["t.csv", "t.csv.card.json"]


def test_split_of_a_split(hae_audit: Command, tmp_path: Path, faces: pd.DataFrame) -> None:
    hae_audit("data", "split", FACES, "--out", "a.csv")
    again = ("manifest:a.csv", "--split", "train", "--strata", "none")
    done = hae_audit("data", "split", *again, "--out", "b.csv")
    assert done.returncode == 0, done.stderr
    frame = read(tmp_path / "b.csv")
    assert set(frame["source_split"]) == {"train"}
    made = json.loads((tmp_path / "b.csv.card.json").read_text(encoding="utf-8"))["made"]
    assert made.startswith(
        "ratio 0.8:0.2 by person, seed 0, not stratified; of faces train; before"
    )
    assert set(frame["split"]) == {"train", "test"}


def test_split_of_nameless_faces(
    hae_audit: Command, tmp_path: Path, nameless: pd.DataFrame
) -> None:
    done = hae_audit("data", "split", FACES, "--out", "t.csv", "--strata", "none")
    assert done.returncode == 0, done.stderr
    assert "25 faces have no person: subject-exclusive impossible; 10 of them" in done.stdout
    assert "share a photo with train" in done.stdout
    assert "not stratified" in done.stdout
    frame = read(tmp_path / "t.csv")
    assert (frame["subject_id"] != "").sum() == 10
    assert frame["subject_id"].str.removeprefix("photo:").nunique() == 6  # and the empty ones
    apart = hae_audit("data", "split", FACES, "--out", "u.csv", "--near", 0, "--protocol", "rs")
    assert "leaky: every audit of this table will say so" in apart.stdout
    text = refused(hae_audit("data", "split", FACES, "--out", "v.csv", "--protocol", "se"))
    assert "subject-exclusive impossible: 25 of 25 faces have no subject_id" in text


def test_an_audit_of_a_random_split_says_that_it_leaks(
    hae_audit: Command, tmp_path: Path, faces: pd.DataFrame
) -> None:
    model = toy_model(tmp_path / "model")
    for protocol in ("rs", "ratio"):
        hae_audit("data", "split", FACES, "--out", f"{protocol}.csv", "--protocol", protocol)
        done = hae_audit(
            *("evaluate", model, "--data", f"manifest:{protocol}.csv", "--split", "test"),
            *("--out", protocol, *FEW),
        )
        assert done.returncode == 0, done.stderr
        result = AuditResult.read(tmp_path / protocol / "audit.json")
        leaky = [w for w in result.warnings if w.code == "leaky_split"]
        assert len(leaky) == (protocol == "rs")
        if leaky:
            assert leaky[0].severity == "serious"
            assert "test faces" in leaky[0].message
            assert "share a person with train" in " ".join(done.stdout.split())


def test_bench5_to_one_table_of_predictions(
    hae_audit: Command, tmp_path: Path, faces: pd.DataFrame
) -> None:
    model = toy_model(tmp_path / "model")
    done = hae_audit("data", "split", FACES, "--out", "s/t.csv", "--protocol", "bench5")
    assert done.returncode == 0, done.stderr
    assert "share a person with train" in done.stdout
    tables = [f"s/t-fold{k}.csv" for k in range(5)]
    assert [name for name in names_in(tmp_path / "s") if name.endswith("csv")] == [
        Path(name).name for name in tables
    ]
    parts = []
    for k, table in enumerate(tables):
        parts.append(f"p{k}.parquet")
        data = ("--data", f"manifest:{table}", "--split", "test")
        assert hae_audit("predict", model, *data, "--out", parts[-1]).returncode == 0
    done = hae_audit("data", "pool", *parts, "--out", "all.parquet", "--data", FACES)
    assert done.returncode == 0, done.stderr
    pooled = pd.read_parquet(tmp_path / "all.parquet")
    folder = read(tmp_path / tables[0])["folder"].value_counts()
    twice, never = folder[["3", "4"]].sum(), folder[["6", "7"]].sum()
    assert len(pooled) == 60 + twice - never
    assert f"{twice} faces were tested more than once, {never} of 60 never" in done.stdout
    assert pooled["sample_id"].str.contains("@fold").sum() == 2 * twice
    assert (
        pooled["subject_id"].nunique()
        == read(tmp_path / tables[0])["subject_id"][
            ~read(tmp_path / tables[0])["folder"].isin(["6", "7"])
        ].nunique()
    )
    done = hae_audit("evaluate", "--predictions", "all.parquet", "--by", "fold", *FEW)
    assert done.returncode == 0, done.stderr


def test_lopo_tests_every_face_once(
    hae_audit: Command, tmp_path: Path, faces: pd.DataFrame
) -> None:
    done = hae_audit("data", "split", FACES, "--out", "s/t.csv", "--protocol", "lopo")
    assert done.returncode == 0, done.stderr
    assert "0 of 60 test faces share a person with train" in done.stdout
    assert "faces tested: 60 once" in done.stdout
    tables = sorted((tmp_path / "s").glob("*.csv"))
    assert [tables[0].name, tables[-1].name, len(tables)] == ["t-fold00.csv", "t-fold19.csv", 20]
    model, parts = toy_model(tmp_path / "model"), []
    for table in tables[:3]:
        parts.append(table.with_suffix(".parquet"))
        data = ("--data", f"manifest:{table}", "--split", "test")
        assert hae_audit("predict", model, *data, "--out", parts[-1]).returncode == 0
    done = hae_audit("data", "pool", *parts, "--out", "all.parquet")
    assert "9 rows of 3 folds; each face in it was tested once" in done.stdout
    assert set(pd.read_parquet(tmp_path / "all.parquet")["fold"]) == {"0", "1", "2"}


def test_official_split_with_people_on_both_sides(
    hae_audit: Command, tmp_path: Path, faces: pd.DataFrame
) -> None:
    split = ["test" if k < 4 else "train" for k in range(60)]
    faces.assign(split=split).to_csv(tmp_path / "faces/faces.csv", index=False)
    done = hae_audit("data", "split", FACES, "--out", "t.csv", "--protocol", "official")
    assert done.returncode == 0, done.stderr
    # the second person has one photo in test and two in train
    assert "1 of 4 test faces (25.0 %) share a person with train" in done.stdout
    assert "leaky: every audit of this table will say so" in done.stdout
    card = json.loads((tmp_path / "t.csv.card.json").read_text(encoding="utf-8"))
    assert set(card["leaky"]) == {"test", "train"}


def test_a_leaky_table_stays_leaky(hae_audit: Command, tmp_path: Path, faces: pd.DataFrame) -> None:
    hae_audit("data", "split", FACES, "--out", "rs.csv", "--protocol", "rs")
    done = hae_audit(
        *("data", "split", "manifest:rs.csv", "--out", "t.csv", "--protocol", "official")
    )
    assert done.returncode == 0, done.stderr
    assert "already before: test: split at random over images: " in done.stdout
    assert "leaky: every audit of this table will say so" in done.stdout
    card = json.loads((tmp_path / "t.csv.card.json").read_text(encoding="utf-8"))
    assert "split at random over images" in card["leaky"][""]


def test_faces_of_one_image_are_said_to_stay_together(
    hae_audit: Command, tmp_path: Path, faces: pd.DataFrame
) -> None:
    faces["path"] = ["f059.png", *faces["path"][1:]]
    faces.to_csv(tmp_path / "faces/faces.csv", index=False)
    done = hae_audit("data", "split", FACES, "--out", "t.csv")
    assert "6 faces share an image file with another's, and so their part" in done.stdout


def test_check_as_a_page(hae_audit: Command, tmp_path: Path, faces: pd.DataFrame) -> None:
    (tmp_path / "faces/f007.png").write_bytes(b"no image")
    done = hae_audit("data", "check", FACES)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert "faces: 60 faces of 20 people" in done.stdout
    assert "images: 59 read, 1 unreadable" in done.stdout
    assert "warning: 1 unreadable image: not an image in a known format" in done.stdout
    assert done.stdout.splitlines()[-1] == (
        "0 serious, 1 warning, 0 notes; these are findings, no errors"
    )
    assert max(map(len, done.stdout.splitlines())) <= 100


def test_check_as_a_record(hae_audit: Command, tmp_path: Path, nameless: pd.DataFrame) -> None:
    done = hae_audit("data", "check", FACES, "--json")
    found = json.loads(done.stdout)
    assert found["format"] == "hae-audit/data-check/1"
    assert (found["faces"], found["images"]["groups"]) == (25, 5)
    assert [finding["code"] for finding in found["findings"]] == ["near_duplicates", "nameless"]
    done = hae_audit("data", "check", FACES, "--json", "--no-images")
    assert json.loads(done.stdout)["images"] is None


def test_check_says_what_the_reader_left_out(hae_audit: Command, tmp_path: Path) -> None:
    lines = ["a.jpg 0 10 50 90 40 67.1 3", "a.jpg 1 60 5 35 95 9.5 0"]
    (tmp_path / "label.lst").write_text("\n".join([*lines, lines[0]]), encoding="utf-8")
    done = hae_audit("data", "check", "expw:.", "--no-images")
    assert done.returncode == 0, done.stderr
    assert "made: 1 duplicate line left out" in done.stdout.splitlines()
    record = json.loads(hae_audit("data", "check", "expw:.", "--no-images", "--json").stdout)
    assert record["made"] == "1 duplicate line left out"


def test_check_of_drawn_faces(hae_audit: Command) -> None:
    done = hae_audit("data", "check", "rendered:people=12,photos=1,seed=1", "--split", "train")
    assert done.returncode == 0, done.stderr
    assert "unreadable" in done.stdout


SPLIT = ["data", "split", FACES, "--out", "t.csv"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([*SPLIT, "--shares", "0.8,0.1"], "--shares 0.8,0.1: sum to 0.9, must be 1"),
        ([*SPLIT, "--shares", "0.5"], "must be two or three shares above 0"),
        ([*SPLIT, "--shares", "1.2,-0.2"], "must be two or three shares above 0"),
        ([*SPLIT, "--shares", "a,b"], "must be numbers with commas between"),
        ([*SPLIT, "--shares", "0.8,0.2", "--protocol", "se"], "goes with --protocol ratio"),
        ([*SPLIT, "--strata", "shoe"], "--strata: no column 'shoe'"),
        ([*SPLIT, "--strata", "age", "--protocol", "lopo"], "draws nothing; leave it out"),
        ([*SPLIT, "--protocol", "official"], "has no column 'split'"),
        ([*SPLIT, "--map", "path"], "must be OURS=THEIRS"),
        (["data", "split", FACES, "--out", "faces"], "faces: is a folder"),
        (["data", "split", FACES, "--out", "t.parquet"], "must end in .csv"),
        (["data", "split", FACES, "--out", "faces/faces.csv"], "exists with other content"),
        (["data", "split", "rendered:default", "--out", "t.csv"], "lie in no files"),
        (["data", "split", "nothing:x", "--out", "t.csv"], "no data set 'nothing'"),
        (["data", "split", "manifest:gone.csv", "--out", "t.csv"], "none of its 1 images exists"),
        (["data", "check", "manifest:none.csv"], "none.csv: no such file"),
        (["data", "check", "faces"], "must be NAME:ROOT"),
        (["data", "check", FACES, "--near", 3, "--no-images"], "--near: compares images"),
        (["data", "pool", "none.parquet", "--out", "o.parquet"], "none.parquet: no such file"),
        (["data", "pool", "gone.csv", "--out", "o.csv"], "must end in .parquet"),
        (["data", "pool", "gone.csv", "--out", "o.parquet"], "no column 'sample_id'"),
        (["data", "pool", "p.parquet", "--out", "p.parquet"], "is one of the tables to pool"),
    ],
)
def test_bad_input_is_one_line(
    hae_audit: Command,
    tmp_path: Path,
    faces: pd.DataFrame,
    arguments: list[object],
    message: str,
) -> None:
    (tmp_path / "gone.csv").write_text("path\ngone.png\n", encoding="utf-8")
    before = names_in(tmp_path), names_in(tmp_path / "faces")
    content = (tmp_path / "faces/faces.csv").read_bytes()
    assert message in refused(hae_audit(*arguments))
    assert (names_in(tmp_path), names_in(tmp_path / "faces")) == before
    assert (tmp_path / "faces/faces.csv").read_bytes() == content


def test_all_folds_or_none_are_written(
    hae_audit: Command, tmp_path: Path, faces: pd.DataFrame
) -> None:
    (tmp_path / "t-fold3.csv").write_text("mine\n", encoding="utf-8")
    before = names_in(tmp_path)
    text = refused(hae_audit(*SPLIT, "--protocol", "bench5"))
    assert "t-fold3.csv exists with other content" in text
    assert names_in(tmp_path) == before


@pytest.mark.parametrize(
    "arguments",
    [
        [*SPLIT, "--protocol", "half"],
        ["data", "split", FACES],
        [*SPLIT, "--seed", "-1"],
        [*SPLIT, "--seed", "99999999999999999999"],
    ],
)
def test_wrong_usage(hae_audit: Command, arguments: list[str]) -> None:
    done = hae_audit(*arguments)
    assert done.returncode == 2
    assert "Usage: hae-audit data split" in done.stderr


def test_a_changed_table_is_refused(
    hae_audit: Command, tmp_path: Path, faces: pd.DataFrame
) -> None:
    """Somebody moves a person from train to test by hand: the card no longer vouches for it."""
    hae_audit(*SPLIT)
    frame = read(tmp_path / "t.csv")
    row = frame.index[frame["split"] == "train"][0]
    frame.loc[row, "split"] = "test"
    frame.to_csv(tmp_path / "t.csv", index=False)
    text = refused(hae_audit("data", "check", "manifest:t.csv"))
    assert "was changed after t.csv.card.json was written" in text
    (tmp_path / "t.csv.card.json").unlink()
    done = hae_audit("data", "check", "manifest:t.csv", "--no-images")
    assert "serious: 1 of " in done.stdout


def test_help_in_a_process_of_its_own(tmp_path: Path) -> None:
    done = process("data", "--help", cwd=tmp_path)
    assert done.returncode == 0
    assert all(name in done.stdout for name in ("split", "check", "pool"))
