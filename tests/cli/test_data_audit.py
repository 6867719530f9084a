"""``data audit`` as a person runs it, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from audit.result import AuditResult
from tests.cli.running import Command, names_in, refused
from tests.hae.data.drawn import drawn_faces, with_copies, written

FACES = "manifest:faces/faces.csv"
FAST = ("--n-boot", 50)


@pytest.fixture
def faces(tmp_path: Path) -> pd.DataFrame:
    """20 people, 3 photos each, in ``faces``."""
    return drawn_faces(tmp_path / "faces", people=20, photos=3)


def record(folder: Path) -> AuditResult:
    return AuditResult.read(folder / "audit.json")


def rows(result: AuditResult, metric: str) -> list[tuple[dict[str, str | None], float | None]]:
    return [(row.group, row.value) for row in result.metrics if row.metric == metric]


def test_audit(hae_audit: Command, tmp_path: Path, faces: pd.DataFrame) -> None:
    command = ("data", "audit", FACES, "--by", "gender", "--out", "a", *FAST)
    done = hae_audit(*command)
    assert done.returncode == 0, done.stderr
    assert names_in(tmp_path / "a") == ["audit.json", "report.html"]
    assert done.stdout.startswith("faces: 60 faces of 20 people\n")
    assert "age and gender: Cramer's V " in done.stdout
    assert "report: a/report.html" in done.stdout
    assert done.stderr == ""
    result = record(tmp_path / "a")
    assert result.task == "data"
    assert result.run.files[0].name == "faces.csv"
    shares = {group["gender"]: v for group, v in rows(result, "share") if "gender" in group}
    want = faces["gender"].value_counts(normalize=True)
    assert shares == pytest.approx(want.to_dict())
    assert rows(result, "unread_images") == [({}, 0)]
    before = (tmp_path / "a/audit.json").read_bytes()
    assert hae_audit(*command).stdout == done.stdout
    assert (tmp_path / "a/audit.json").read_bytes() == before


def test_short_answer_as_json(hae_audit: Command, faces: pd.DataFrame) -> None:
    done = hae_audit("data", "audit", FACES, "--no-images", "--out", "a", "--json", *FAST)
    told = json.loads(done.stdout)
    assert (told["data"], told["task"]) == ("faces", "data")
    assert told["files"] == {"audit.json": "a/audit.json", "report.html": "a/report.html"}
    assert {row["metric"] for row in told["metrics"]} == {"share"}
    assert "cramers_v_corrected_age" in {row["metric"] for row in told["fairness"]}
    assert [w["code"] for w in told["warnings"]] == ["images_unread"]


def test_copies_and_people_across_splits(hae_audit: Command, tmp_path: Path) -> None:
    frame = with_copies(tmp_path / "faces", drawn_faces(tmp_path / "faces", 20), of=5, copies=1)
    frame["split"] = ["train"] * 20 + ["test"] * 5
    written(tmp_path / "faces", frame)
    done = hae_audit("data", "audit", FACES, "--out", "a", *FAST)
    assert done.returncode == 0, done.stderr
    result = record(tmp_path / "a")
    assert rows(result, "near_duplicates")[0] == ({}, 10 / 25)
    assert rows(result, "shared_photos") == [({"split": "test"}, 1)]
    said = " ".join(done.stdout.split())
    assert "serious: 5 of 5 test faces (100.0 %) share a photo with train: a model" in said
    assert "mirrored): 10;" in said


def test_missing_and_damaged_images(
    hae_audit: Command, tmp_path: Path, faces: pd.DataFrame
) -> None:
    first, second = (tmp_path / "faces" / path for path in faces["path"][:2])
    first.unlink()
    second.write_bytes(b"not an image")
    done = hae_audit("data", "audit", FACES, "--out", "a", *FAST)
    assert done.returncode == 0, done.stderr
    assert "2 of 60 images are missing or cannot be read" in done.stdout
    result = record(tmp_path / "a")
    assert rows(result, "unread_images") == [({}, 2 / 60)]
    assert next(row.n for row in result.metrics if row.metric == "near_duplicates") == 58
    for path in faces["path"][2:]:
        (tmp_path / "faces" / path).unlink()
    done = hae_audit("data", "audit", FACES, "--out", "b", *FAST)
    assert done.returncode == 0, done.stderr
    assert "60 of 60 images are missing" in done.stdout
    assert rows(record(tmp_path / "b"), "near_duplicates")[0] == ({}, None)


def test_a_table_of_labels(hae_audit: Command, tmp_path: Path) -> None:
    frame = pd.DataFrame({"id": range(6), "sex": list("ffmmmm"), "mood": ["sad", "happy"] * 3,
                          "split": ["a"] * 4 + ["b"] * 2})  # fmt: skip
    frame.to_csv(tmp_path / "labels.csv", index=False)
    mapped = ("--map", "sample_id=id", "--map", "expression=mood", *FAST)
    done = hae_audit("data", "audit", "labels.csv", *mapped)
    assert done.returncode == 0, done.stderr
    assert names_in(tmp_path / "runs/labels") == ["audit.json", "report.html"]
    assert "images were not read" in done.stdout
    found = record(tmp_path / "runs/labels")
    assert found.spec.combinations == [["sex"], ["expression"]]
    two = hae_audit("data", "audit", "labels.csv", *mapped, "--split", "a",
                    "--against", "labels.csv", "--against-split", "b")  # fmt: skip
    assert two.returncode == 0, two.stderr
    drifted = record(tmp_path / "runs/labels-a")
    assert ({"sex": "f"}, -0.5) in rows(drifted, "share_change")
    assert drifted.run.data == "a table of labels, without images; beside labels b"


def test_people_across_the_splits_of_a_table(hae_audit: Command, tmp_path: Path) -> None:
    frame = pd.DataFrame({"subject_id": list("abcad"), "gender": list("ffmff"),
                          "split": ["train"] * 3 + ["test"] * 2})  # fmt: skip
    frame.to_csv(tmp_path / "labels.csv", index=False)
    done = hae_audit("data", "audit", "labels.csv", *FAST)
    assert done.returncode == 0, done.stderr
    assert "1 of 2 test faces (50.0 %) share a person with train" in done.stdout
    found = record(tmp_path / "runs/labels")
    assert rows(found, "shared_people") == [({"split": "test"}, 0.5)]


def test_reference(hae_audit: Command, tmp_path: Path, faces: pd.DataFrame) -> None:
    shares = "gender,share\nfemale,1\nmale,1\n"
    (tmp_path / "ref.csv").write_text(shares, encoding="utf-8")
    command = ("data", "audit", FACES, "--no-images", *FAST, "--out", "a")
    done = hae_audit(*command, "--reference", "ref.csv")
    assert done.returncode == 0, done.stderr
    result = record(tmp_path / "a")
    ratios = {group["gender"]: value for group, value in rows(result, "representation_ratio")}
    share = (faces["gender"] == "female").mean()
    assert ratios["female"] == pytest.approx(2 * share)
    assert "ref.csv" in [file.name for file in result.run.files]
    assert "reference by gender: total variation" in done.stdout
    (tmp_path / "ref.csv").write_text(shares.upper().replace("GENDER,SHARE", "gender,share"))
    done = hae_audit(*command, "--reference", "ref.csv")
    assert done.returncode == 0, done.stderr
    assert "serious: no group of the reference by gender occurs" in done.stdout


def test_left_out_faces_are_told(hae_audit: Command, faces: pd.DataFrame) -> None:
    reasons = [""] * 57 + ["no such label"] * 3
    written(Path("faces"), faces.assign(label_error=reasons))
    done = hae_audit("data", "audit", FACES, "--out", "a", *FAST)
    assert done.returncode == 0, done.stderr
    said = " ".join(done.stdout.split())
    assert said.startswith("faces: 57 faces of 19 people")
    assert "3 of 60 faces cannot be used and are left out, such as: no such label" in said


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--by", "moustache"), "faces: --by moustache: no such column 'moustache'; the data"),
        (("--by", "path"), "path names faces and makes no groups"),
        (("--age-bands", "30,20"), "edges must rise"),
        (("--near", "3", "--no-images"), "--near: compares images"),
        (("--against-split", "val"), "--against-split val: goes with --against"),
        (("--against", "nowhere.csv"), "nowhere.csv"),
        (("--reference", "nowhere.csv"), "nowhere.csv"),
        (("--label-source", "gender=guessed"), "the source must be one of"),
        (("--split", "val"), "the table has no column 'split'"),
    ],
)
def test_refused(
    hae_audit: Command, tmp_path: Path, faces: pd.DataFrame, arguments: tuple[str, ...],
    message: str,
) -> None:  # fmt: skip
    text = refused(hae_audit("data", "audit", FACES, "--out", "a", *arguments))
    assert message in text
    assert not (tmp_path / "a").exists()


def test_what_the_other_commands_make_of_it(
    hae_audit: Command, tmp_path: Path, faces: pd.DataFrame
) -> None:
    hae_audit("data", "audit", FACES, "--out", "a", *FAST)
    again = hae_audit("report", "a/audit.json", "--out", "again.html")
    assert again.returncode == 0, again.stderr
    page = (tmp_path / "a/report.html").read_bytes()
    assert (tmp_path / "again.html").read_bytes() == page
    text = refused(hae_audit("report", "a/audit.json", "--publish-min", "5", "--out", "p.html"))
    assert "the record of a data set cannot be made fit for publication" in text
    assert hae_audit("diff", "a/audit.json", "a/audit.json").returncode == 0
    rule = '[[rules]]\nmetric = "unread_images"\nlimit = 0.5\n'
    (tmp_path / "p.toml").write_text(f'name = "x"\n{rule}', encoding="utf-8")
    gated = hae_audit("gate", "a/audit.json", "--policy", "p.toml")
    assert gated.returncode == 1  # without an interval nothing is settled
    assert "no interval is made" in gated.stdout
