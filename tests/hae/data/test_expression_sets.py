"""RAF-DB, AffectNet and ExpW on small trees in the published form."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from audit.errors import InputError
from hae.data.crop import MARGIN
from hae.data.expressions import EXPRESSIONS, class_order
from hae.data.readers import READERS, read_data
from hae.data.splits.divide import units_of
from tests.hae.data.test_listed_sets import columns, face, write

SETS = ("raf-db", "ferplus", "fer2013", "affectnet", "expw")
LIST = "EmoLabel/list_patition_label.txt"
LANDMARKS = "".join(f"{x}.5\t{x + 3}.25 \n" for x in range(5))


def manual(folder: Path, name: str, text: str) -> None:
    write(folder / f"{name}_manu_attri.txt", text)


def raf(root: Path, folder: str = "Annotation/manual") -> Path:
    # as published: two paddings, no newline at the end
    write(root / LIST, "train_00001.jpg 5\ntrain_00002.jpg 1\ntest_0001.jpg\t7 \ntest_0002.jpg 8")
    manual(root / folder, "train_00001", LANDMARKS + "0\n2\n4\n")
    manual(root / folder, "train_00002", LANDMARKS.replace("\t", " ") + "2\n\n0 \n1")
    manual(root / folder, "test_0001", LANDMARKS + "1\n1\n2\n")
    face(root / "Image/aligned/train_00001_aligned.jpg", 100)
    return root


def test_raf_db(tmp_path: Path) -> None:
    manifest = read_data(f"raf-db:{raf(tmp_path)}")
    cells = columns(
        manifest, "sample_id", "path", "expression", "gender", "race", "age_group", "split"
    )
    aligned = "Image/aligned"
    assert cells == [
        (
            "train_00001.jpg",
            f"{aligned}/train_00001_aligned.jpg",
            "sadness",
            "Male",
            "Asian",
            "70+",
            "train",
        ),
        (
            "train_00002.jpg",
            f"{aligned}/train_00002_aligned.jpg",
            "surprise",
            "unsure",
            "Caucasian",
            "4-19",
            "train",
        ),
        (
            "test_0001.jpg",
            f"{aligned}/test_0001_aligned.jpg",
            "neutral",
            "Female",
            "African-American",
            "20-39",
            "test",
        ),
        ("test_0002.jpg", f"{aligned}/test_0002_aligned.jpg", None, None, None, None, "test"),
    ]
    assert manifest.reasons == ("", "", "", "its expression is '8', must be 1 to 7")
    assert manifest.made == "1 of 4 faces have no manual file"
    assert manifest.sources == dict.fromkeys(("gender", "race", "age_group"), "perceived")
    assert not {"age", "subject_id"} & set(manifest.frame.columns)
    good, missing = manifest.faces([0, 1], (8, 8), 1.0)
    assert not isinstance(good, str)
    assert missing == "no such file"


def test_raf_db_splits_and_folders_as_downloaded(tmp_path: Path) -> None:
    raf(tmp_path / "basic", "Annotation/manual (1)")
    test = read_data(f"raf-db:{tmp_path}", "test")
    assert columns(test, "expression", "gender") == [("neutral", "Female"), (None, None)]
    train = read_data(f"raf-db:{tmp_path / 'basic'}", "train")
    assert columns(train, "gender") == [("Male",), ("unsure",)]
    assert train.made is None


def test_raf_db_without_attributes_has_no_such_columns(tmp_path: Path) -> None:
    write(tmp_path / LIST, "train_00001.jpg 5\nval_1.jpg 3\n")
    manifest = read_data(f"raf-db:{tmp_path}")
    assert "gender" not in manifest.frame.columns
    assert manifest.sources == {}
    assert manifest.made is None
    assert manifest.reasons == ("", "its name is not train_00001.jpg or test_0001.jpg")
    assert len(read_data(f"raf-db:{tmp_path}", "train")) == 2  # nobody knows where it belongs


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (LANDMARKS + "0\n1\n", r"train_00001_manu_attri\.txt: has 7 records, must have 8"),
        (LANDMARKS + "0\n1\n2\n3\n", "has 9 records, must have 8"),
        (LANDMARKS + "3\n1\n2\n", "line 6: gender is '3', must be 0 to 2"),
        (LANDMARKS + "0\n1\n5\n", "line 8: age_group is '5', must be 0 to 4"),
        (LANDMARKS + "0\n1 1\n4\n", "line 7: race is '1 1', must be 0 to 2"),
        ("\n", "has no rows"),
    ],
)
def test_raf_db_refuses_manual_files(tmp_path: Path, text: str, words: str) -> None:
    manual(raf(tmp_path) / "Annotation/manual", "train_00001", text)
    with pytest.raises(InputError, match=words):
        read_data(f"raf-db:{tmp_path}")


def test_raf_db_refuses_lists(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"list_patition_label\.txt: no such file"):
        read_data(f"raf-db:{tmp_path}")
    write(tmp_path / LIST, "train_00001.jpg 5\ntrain_00002.jpg\n")
    with pytest.raises(InputError, match=r"line 2: has 1 cells, must have 2 \(name, label\)"):
        read_data(f"raf-db:{tmp_path}")
    (tmp_path / LIST).write_bytes(b"train_00001.jpg 5\n\xff")
    with pytest.raises(InputError, match="byte 18 is not UTF-8"):
        read_data(f"raf-db:{tmp_path}")


HEADER = (
    "subDirectory_filePath,face_x,face_y,face_width,face_height,facial_landmarks,expression,"
    "valence,arousal\n"
)
LISTS = "Manually_Annotated_file_lists"
POINTS = ";".join(["12.5"] * 136)


def test_affectnet_lists(tmp_path: Path) -> None:
    rows = [
        f"689/a.jpg,10,20,60,50,{POINTS},1,0.7,0.1",
        f"689/b.JPG,-1,-1,-1,-1,{POINTS},6,0,0",
        *(f"69/{number}.jpg,1,1,5,5,{POINTS},{number},-2,-2" for number in (8, 9, 10, 11)),
    ]
    write(tmp_path / LISTS / "training.csv", HEADER + "\n".join(rows) + "\n")
    write(tmp_path / LISTS / "validation.csv", f"7/c.jpg,1,2,30,40,{POINTS},7,0,0\n")
    images = "Manually_Annotated/Manually_Annotated_Images"
    face(tmp_path / images / "689/a.JPG", 100)  # the case varies
    manifest = read_data(f"affectnet:{tmp_path}")
    assert columns(manifest, "sample_id", "path", "expression", "split")[:2] == [
        ("689/a.jpg", f"{images}/689/a.JPG", "happiness", "train"),
        ("689/b.JPG", f"{images}/689/b.JPG", "anger", "train"),
    ]
    assert columns(manifest, "expression", "split")[-1] == ("contempt", "val")
    assert manifest.boxes is not None
    assert manifest.boxes[0].tolist() == [10, 20, 70, 70]
    assert [manifest.failure(row) for row in range(len(manifest))] == [
        "",
        "no box of the face",
        "its expression is None: none of the eight",
        "its expression is Uncertain",
        "it is a Non-Face",
        "its expression is '11', must be 0 to 7",
        "",
    ]
    assert (manifest.crop.region, manifest.crop.margin) == ("box", MARGIN)
    assert not isinstance(manifest.faces([0], (8, 8), 1.0)[0], str)
    assert len(read_data(f"affectnet:{tmp_path}", "val")) == 1


def test_affectnet_refuses_lists(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"training\.csv: no such file"):
        read_data(f"affectnet:{tmp_path}")
    table = write(tmp_path / "validation.csv", "7/c.jpg,1,2,30,40,7,0,0\n")
    with pytest.raises(InputError, match=r"validation\.csv line 1: has 8 cells, must have 9"):
        read_data(f"affectnet:{tmp_path}", "val")
    write(table, HEADER.replace("valence,arousal", "arousal,valence"))
    with pytest.raises(InputError, match="line 1: its columns are"):
        read_data(f"affectnet:{tmp_path}", "val")
    write(table, HEADER)
    with pytest.raises(InputError, match="has no rows"):
        read_data(f"affectnet:{tmp_path}", "val")


def test_affectnet_of_2021(tmp_path: Path) -> None:
    annotations = tmp_path / "val_set/annotations"
    arrays = {"0": np.array("3"), "2": np.array(5), "10": np.array(b"0"), "11": np.array(["1.0"])}
    broken = {"20": np.array([1, 2]), "21": np.array("x"), "22": np.array([{}], dtype=object)}
    annotations.mkdir(parents=True)
    for name, array in (arrays | broken).items():
        np.save(annotations / f"{name}_exp.npy", array)
        face(tmp_path / f"val_set/images/{name}.jpg", 24)
    (annotations / "23_exp.npy").write_bytes(b"\x93NUMPY")
    face(tmp_path / "val_set/images/30.jpg", 24)
    (tmp_path / "val_set/images/2.jpg").unlink()
    manifest = read_data(f"affectnet:{tmp_path}", "val")
    assert columns(manifest, "sample_id", "expression")[:4] == [
        ("val/0", "surprise"),
        ("val/2", "disgust"),
        ("val/10", "neutral"),
        ("val/11", "happiness"),
    ]
    assert manifest.reasons[4:] == (
        "its annotation is not one number",
        "its expression is 'x', must be 0 to 7",
        "its annotation is no readable array",  # objects would have to be unpickled
        "its annotation is no readable array",
        "it has no annotation of an expression",
    )
    assert manifest.faces([1], (8, 8), 1.0) == ["no such file"]
    assert not isinstance(manifest.faces([0], (8, 8), 1.0)[0], str)
    with pytest.raises(InputError, match="no such folder; unpack the whole archive of train_set"):
        read_data(f"affectnet:{tmp_path}")


def test_expw(tmp_path: Path) -> None:
    # image, face, top, left, right, bottom, confidence, label
    lines = [
        "a.jpg 0 10 50 90 40 67.1 3",
        "a.jpg 1 60 5 35 95 9.5 0",
        "a.jpg 0 10 50 90 40 67.1 3",
        "b.jpg 0 1 2 30 40 50 6",
        "b.jpg 0 1 2 30 40 50 4",
        "b.jpg 3 1 2 30 40 50 7",
    ]
    write(tmp_path / "label/label.lst", "\n".join(lines))
    face(tmp_path / "image/origin/a.jpg", 100)
    manifest = read_data(f"expw:{tmp_path}")
    assert columns(manifest, "sample_id", "path", "expression")[:2] == [
        ("a.jpg:0", "image/origin/a.jpg", "happiness"),
        ("a.jpg:1", "image/origin/a.jpg", "anger"),
    ]
    assert manifest.made == "1 duplicate line left out"
    assert manifest.boxes is not None
    assert manifest.boxes[:2].tolist() == [[50, 10, 90, 40], [5, 60, 35, 95]]
    assert manifest.reasons == (
        "",
        "",
        "row 4 lists it with another label",
        "row 3 lists it with another label",
        "its expression is '7', must be 0 to 6",
    )
    assert not any(isinstance(found, str) for found in manifest.faces([0, 1], (8, 8), 1.0))
    units = units_of(manifest)
    assert units.person[0] == units.person[1]  # a photo stays together


def test_expw_refuses(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"label\.lst: no such file"):
        read_data(f"expw:{tmp_path}")
    write(tmp_path / "label.lst", "a.jpg 0 10 50 90 40 3\n")
    with pytest.raises(InputError, match="line 1: has 7 cells, must have 8"):
        read_data(f"expw:{tmp_path}")
    with pytest.raises(InputError, match="comes without splits"):
        read_data(f"expw:{tmp_path}", "test")


@pytest.mark.parametrize("name", SETS)
def test_mappings_and_wrong_splits_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match="leave --map out"):
        read_data(f"{name}:{tmp_path}", None, {"expression": "x"})
    with pytest.raises(InputError, match="--split 'dev'"):
        read_data(f"{name}:{tmp_path}", "dev")
    with pytest.raises(InputError, match="no such folder"):
        read_data(f"{name}:{tmp_path / 'none'}")


@pytest.mark.parametrize("name", SETS)
def test_published_counts_are_whole_and_of_known_names(name: str) -> None:
    for found in READERS[name].counts.values():
        sizes = {key[11:]: n for key, n in found.items() if key.startswith("expression=")}
        assert set(sizes) <= set(EXPRESSIONS)
        assert not sizes or sum(sizes.values()) == found["usable"]


def test_class_order_does_not_depend_on_the_order_given() -> None:
    assert class_order(reversed(EXPRESSIONS)) == EXPRESSIONS
    assert class_order(["zeal", "contempt", "awe", "fear"]) == ("fear", "contempt", "awe", "zeal")
