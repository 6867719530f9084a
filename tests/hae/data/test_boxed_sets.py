"""Data sets with boxes in whole photos, and Adience, on small trees in the published form."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from audit.errors import InputError
from hae.data.crop import MARGIN, Crop
from hae.data.readers import read_data
from tests.hae.data.test_listed_sets import columns, face, write

IMDB = "filename,age,gender,x_min,y_min,x_max,y_max,head_roll,head_yaw,head_pitch\n"
DEPP = "36/nm0000136_rm1_1963-6-9_2003.jpg"


def imdb(folder: Path, split: str, rows: str, kind: str = "") -> None:
    write(folder / f"imdb_{split}_new{kind}.csv", IMDB + rows)


def test_imdb_clean(tmp_path: Path) -> None:
    rows = f"{DEPP},40,M,31,39,61.5,77,7.79,1.8,2.2\n38/x.jpg,101,F,a,39,61,77,,1,1\n"
    imdb(tmp_path, "test", rows)
    face(tmp_path / "imdb" / DEPP, 200)
    manifest = read_data(f"imdb-clean:{tmp_path}", "test")
    assert columns(manifest, "sample_id", "path", "subject_id", "age", "gender", "split") == [
        (DEPP, f"imdb/{DEPP}", "nm0000136", "40", "Male", "test"),
        ("38/x.jpg", "imdb/38/x.jpg", None, None, "Female", "test"),
    ]
    assert manifest.reasons == ("", "its age is 101, must be 0 to 100")
    assert manifest.boxes is not None
    assert manifest.rolls is not None
    np.testing.assert_array_equal(manifest.boxes, [[31, 39, 61.5, 77], [np.nan, 39, 61, 77]])
    np.testing.assert_array_equal(manifest.rolls, [7.79, np.nan])
    assert manifest.crop == Crop(images="scenes", region="box", margin=MARGIN)
    assert not isinstance(manifest.faces([0], (8, 8), 1.0)[0], str)


def test_imdb_clean_tells_that_train_and_valid_share_people(tmp_path: Path) -> None:
    for split in ("train", "valid", "test"):
        imdb(tmp_path / "csvs", split, f"{split}/{DEPP[3:]},40,M,1,2,3,4,0,0,0\n")
    leaky = {name: read_data(f"imdb-clean:{tmp_path}", name).leaky for name in ("train", "test")}
    assert leaky == {"train": None, "test": None}
    assert "share people" in str(read_data(f"imdb-clean:{tmp_path}", "valid").leaky)
    whole = read_data(f"imdb-clean:{tmp_path}")
    assert columns(whole, "split", "subject_id") == [
        (split, "nm0000136") for split in ("train", "valid", "test")
    ]


def test_imdb_clean_cut_photos_are_another_crop(tmp_path: Path) -> None:
    imdb(tmp_path, "valid", f"{DEPP},40,M,1,2,3,4,0,0,0\n", "_1024")
    face(tmp_path / DEPP)
    manifest = read_data(f"imdb-clean:{tmp_path}", "valid")
    assert manifest.crop.images == "IMDB-clean's photos cut to margin 1"
    assert manifest.paths() == [tmp_path / DEPP]
    with pytest.raises(InputError, match=r"no imdb_test_new\.csv in it or its csvs/"):
        read_data(f"imdb-clean:{tmp_path}", "test")
    with pytest.raises(InputError, match=r"imdb_train_new_1024\.csv: no such file"):
        read_data(f"imdb-clean:{tmp_path}")
    with pytest.raises(InputError, match="leave --map out"):
        read_data(f"imdb-clean:{tmp_path}", "valid", {"age": "x"})


MIVOLO = "img_name,age,gender,face_x0,face_y0,face_x1,face_y1"
BODY = ",person_x0,person_y0,person_x1,person_y1\n"
ROWS = (
    "lag_benchmark/a.jpg,31,F,10,12,40,52,0,0,90,90\n"
    "lag_benchmark/a.jpg,25;32,M,50,12,80,52,40,0,90,90\n"
    "lag_benchmark/a.jpg,-1,-1,60,60,70,70,50,50,90,90\n"  # another person in the picture
    "lag_benchmark/a.jpg,-1,M,1,1,9,9,-1,-1,-1,-1\n"
    "lag_benchmark/b.jpg,7;7,-1,-1,-1,-1,-1,5,5,50,80\n"
    "lag_benchmark/b.jpg,32;25,F,3,3,9,9,-1,-1,-1,-1\n"
    "lag_benchmark/a.jpg,31,F,10,12,40,52,0,0,90,90\n"
)


def test_lagenda(tmp_path: Path) -> None:
    write(tmp_path / "lagenda_annotation.csv", MIVOLO + BODY + ROWS)
    face(tmp_path / "lag_benchmark/a.jpg", 100)
    manifest = read_data(f"lagenda:{tmp_path}")
    assert columns(manifest, "sample_id", "age", "gender") == [
        ("lag_benchmark/a.jpg:10,12,40,52", "31", "Female"),
        ("lag_benchmark/a.jpg:50,12,80,52", "25-32", "Male"),
        ("lag_benchmark/a.jpg:1,1,9,9", None, "Male"),
        ("lag_benchmark/b.jpg:5,5,50,80", "7", None),
        ("lag_benchmark/b.jpg:3,3,9,9", None, "Female"),
        ("lag_benchmark/a.jpg:10,12,40,52#2", "31", "Female"),
    ]
    assert manifest.reasons == (
        "",
        "",
        "it has no age",
        "",
        "its age is 32;25, must be a range from 0 to 120",
        "duplicate of row 1",
    )
    assert manifest.boxes is not None
    assert manifest.boxes[1].tolist() == [50, 12, 80, 52]
    assert manifest.failure(3) == "no box of the face"
    assert manifest.sources == {"gender": "perceived"}
    assert not isinstance(manifest.faces([0], (8, 8), 1.0)[0], str)


def test_mivolo_without_bodies_and_with_images_beside(tmp_path: Path) -> None:
    table = write(tmp_path / "annotations/x_train.csv", f"{MIVOLO}\na.jpg,44,M,1,2,30,40\n")
    face(tmp_path / "images/a.jpg", 60)
    manifest = read_data(f"mivolo:{table}")
    assert manifest.paths()[0].is_file()
    assert columns(manifest, "sample_id", "age") == [("a.jpg:1,2,30,40", "44")]
    assert manifest.files == (table,)


def test_mivolo_refuses(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is a folder; give the CSV in MiVOLO's format"):
        read_data(f"mivolo:{tmp_path}")
    with pytest.raises(InputError, match=r"lagenda_annotation\.csv: no such file"):
        read_data(f"lagenda:{tmp_path}")
    table = write(tmp_path / "t.csv", f"{MIVOLO}\na.jpg,-1,-1,1,2,30,40\n")
    with pytest.raises(InputError, match="no face with an age or a gender"):
        read_data(f"mivolo:{table}")
    write(table, "img_name,age\na.jpg,4\n")
    with pytest.raises(InputError, match="no column 'gender'; it has img_name, age"):
        read_data(f"mivolo:{table}")
    with pytest.raises(InputError, match="comes without splits"):
        read_data(f"mivolo:{table}", "test")


FOLD = (
    "user_id original_image face_id age gender x y dx dy tilt_ang fiducial_yaw_angle fiducial_score"
).replace(" ", "\t")


def fold(folder: Path, number: int, *rows: str) -> None:
    """Rows as ``user image face_id gender age``: only the age has a blank in it."""
    cells = [row.split(" ", 4) for row in rows]
    lines = ["\t".join([*c[:3], c[4], c[3], *"1234567"]) for c in cells]
    write(folder / f"fold_{number}_data.txt", "\n".join([FOLD, *lines]) + "\n")


ADIENCE = {  # by the rule: inside one of the eight ranges, or nothing
    "(0, 2)": "0-2",
    "(8, 12)": "8-12",
    "(8, 13)": "8-12",
    "(60, 100)": "60-100",
    "(38, 42)": "38-43",
    "(27, 32)": "25-32",
    "2": "0-2",
    "29": "25-32",
    "42": "38-43",
    "(38, 48)": None,
    "(8, 23)": None,
    "35": None,
    "13": None,
    "57": None,
    "None": None,
}


def test_adience_ages(tmp_path: Path) -> None:
    fold(tmp_path, 0, *(f"7@N04 {i}_o.jpg 5 m {age}" for i, age in enumerate(ADIENCE)))
    manifest = read_data(f"adience:{tmp_path}", "fold0")
    assert [age for (age,) in columns(manifest, "age")] == list(ADIENCE.values())
    assert [bool(why) for why in manifest.reasons] == [age is None for age in ADIENCE.values()]
    assert manifest.reasons[9] == "its age (38, 48) lies in none of the eight ranges"
    assert manifest.reasons[-1] == "its age is None"


def test_adience_folds(tmp_path: Path) -> None:
    for number in range(5):
        fold(tmp_path, number, f"{number}@N04 9_o.jpg 11 {'fmumf'[number]} (4, 6)")
    path = "0@N04/coarse_tilt_aligned_face.11.9_o.jpg"
    face(tmp_path / "faces" / path)
    manifest = read_data(f"adience:{tmp_path}")
    assert columns(manifest, "sample_id", "path", "subject_id", "gender", "split")[0] == (
        "0@N04/11.9_o.jpg",
        f"faces/{path}",
        "0@N04/11",
        "Female",
        "fold0",
    )
    genders = ["Female", "Male", None, "Male", "Female"]
    assert [gender for (gender,) in columns(manifest, "gender")] == genders
    assert not isinstance(manifest.faces([0], (8, 8), 1.0)[0], str)
    assert manifest.faces([1], (8, 8), 1.0) == ["no such file"]
    assert read_data(f"adience:{tmp_path}", "fold3").frame["split"].tolist() == ["fold3"]
    (tmp_path / "faces").rename(tmp_path / "aligned")
    aligned = read_data(f"adience:{tmp_path}", "fold0")
    assert aligned.crop.images == "Adience's aligned faces"
    assert aligned.frame["path"][0] == "aligned/0@N04/landmark_aligned_face.11.9_o.jpg"


def test_adience_refuses(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"fold_0_data\.txt: no such file"):
        read_data(f"adience:{tmp_path}")
    with pytest.raises(InputError, match="--split 'fold5': adience has fold0, fold1"):
        read_data(f"adience:{tmp_path}", "fold5")
    table = write(tmp_path / "fold_1_data.txt", f"{FOLD}\n")
    with pytest.raises(InputError, match="has no rows"):
        read_data(f"adience:{tmp_path}", "fold1")
    write(table, f"{FOLD}\n7@N04\tx.jpg\n")
    with pytest.raises(InputError, match="row 1: has 2 cells, the header 12"):
        read_data(f"adience:{tmp_path}", "fold1")
    write(table, "user_id,age\n7@N04,3\n")
    with pytest.raises(InputError, match="no column 'user_id'; it has user_id,age"):
        read_data(f"adience:{tmp_path}", "fold1")
    table.write_bytes(FOLD.encode() + b"\n\xff")
    with pytest.raises(InputError, match=r"byte \d+ is not UTF-8"):
        read_data(f"adience:{tmp_path}", "fold1")
