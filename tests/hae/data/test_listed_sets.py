"""Data sets with label files and an image per face, on small trees in the published form."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from audit.errors import InputError
from hae.data.core import Manifest
from hae.data.readers import read_data
from tests.hae.toys import draw

STRAYS = ("Thumbs.db", "README.txt", ".DS_Store", "._000000.jpg")


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    for name in STRAYS:
        (path.parent / name).write_bytes(b"")
    path.write_text(text, encoding="utf-8")
    return path


def face(path: Path, side: int = 20) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (side, side), (90, 60, 50)).save(path)


def columns(manifest: Manifest, *names: str) -> list[tuple[object, ...]]:
    frame = manifest.frame[list(names)].astype(object)
    return list(frame.where(frame.notna(), None).itertuples(index=False, name=None))


def test_a_missing_image_fails_where_a_good_one_loads(tmp_path: Path) -> None:
    write(tmp_path / "valid_gt.csv", "image,mean,stdv\na.jpg,20.5,3.1\nb.jpg,30.25,0\n")
    draw(tmp_path / "valid/a.jpg", (200, 10, 10))
    manifest = read_data(f"clap2016:{tmp_path}", "valid")
    good, missing = manifest.faces([0, 1], (8, 8), 1.0)
    assert not isinstance(good, str)
    assert missing == "no such file"
    assert columns(manifest, "sample_id", "path", "age", "apparent_std", "split") == [
        ("valid/a.jpg", "valid/a.jpg", "20.5", "3.1", "valid"),
        ("valid/b.jpg", "valid/b.jpg", "30.25", "0", "valid"),
    ]
    assert "gender" not in manifest.frame.columns


def test_clap2016_reads_all_splits(tmp_path: Path) -> None:
    for split, rows in (("train", "a,9,1"), ("valid", "b,120,1"), ("test", "c,,1")):
        write(tmp_path / f"{split}_gt.csv", f"image,mean,stdv\n{rows}\n")
        face(tmp_path / f"images/{rows[0]}.png")
    manifest = read_data(f"clap2016:{tmp_path}")
    assert columns(manifest, "age", "split") == [("9", "train"), (None, "valid"), (None, "test")]
    assert manifest.reasons == ("", "its age is 120, must be 0 to 100", "it has no age")
    assert [file.name for file in manifest.files] == ["train_gt.csv", "valid_gt.csv", "test_gt.csv"]


APPA = "file_name,num_ratings,apparent_age_avg,apparent_age_std,real_age\n"


def appa(folder: Path, split: str, rows: str) -> str:
    write(folder / f"gt_avg_{split}.csv", APPA + rows)
    return f"appa-real:{folder}"


def test_appa_real(tmp_path: Path) -> None:
    text = appa(tmp_path, "test", "000000.jpg,37,5.05,1.2,4\n000001.jpg,38,33.5,4.1,-1\n")
    face(tmp_path / "test/000000.jpg")
    real = read_data(text, "test")
    assert real.crop.images == "the photos of APPA-REAL and CLAP2016"
    assert columns(real, "sample_id", "path", "age", "apparent_age", "apparent_std") == [
        ("test/000000.jpg", "test/000000.jpg", "4", "5.05", "1.2"),
        ("test/000001.jpg", "test/000001.jpg", None, "33.5", "4.1"),
    ]
    assert real.reasons == ("", "its age is -1, must be 0 to 100")
    face(tmp_path / "test/000000.jpg_face.jpg")
    seen = read_data(text, "test", {"age": "apparent_age"})
    assert columns(seen, "path", "age", "real_age") == [
        ("test/000000.jpg_face.jpg", "5.05", "4"),
        ("test/000001.jpg_face.jpg", "33.5", None),
    ]
    assert seen.reasons == ("", "")
    assert seen.crop.images == "APPA-REAL's faces, margin 0.4"
    assert seen.sources == {}


def test_appa_real_gender_and_race_of_another_table(tmp_path: Path) -> None:
    text = appa(tmp_path, "valid", "1.jpg,9,5,1,4\n2.jpg,9,5,1,4\n3.jpg,9,5,1,4\n")
    table = (
        "file,gender,race,happiness\n2.jpg_face.jpg,female,asian,happy\n1.jpg,male,caucasian,x\n"
    )
    write(tmp_path / "allcategories_valid.csv", table)
    manifest = read_data(text, "valid")
    found = [("Male", "caucasian"), ("Female", "asian"), (None, None)]
    assert columns(manifest, "gender", "race") == found
    assert manifest.sources == {"gender": "perceived", "race": "perceived"}
    assert len(manifest.files) == 2


def test_appa_real_refuses(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="only age=apparent_age may be given"):
        read_data(f"appa-real:{tmp_path}", "valid", {"age": "apparent_age_avg"})
    with pytest.raises(InputError, match=r"gt_avg_valid\.csv: no such file; --data appa-real"):
        read_data(f"appa-real:{tmp_path}", "valid")
    with pytest.raises(InputError, match="--split 'val': appa-real has train, valid, test"):
        read_data(f"appa-real:{tmp_path}", "val")


MORPH = "id_num,picture_num,dob,doa,race,gender,facial_hair,age,age_diff,glasses,photo\n"


def morph_row(
    name: str, gender: str = "M", age: str = "54", race: str = "B", who: str = "9055"
) -> str:
    return f"{who},1,01/02/1950,03/04/2004,{race},{gender},,{age},,,Album2/{name}\n"


def test_morph(tmp_path: Path) -> None:
    rows = morph_row("009055_0M54.JPG") + morph_row("009055_1M55.JPG", age="55", race="X")
    rows += morph_row("009055_2F54.JPG")  # gender: the table's word stays
    rows += morph_row("009055_3M53.JPG") + morph_row("009056_4M54.JPG")  # age, person
    rows += morph_row("009055_5M78.JPG", age="78") + morph_row("009055_0M54.JPG")
    rows += morph_row("009055_6M54.JPG", race="W") + morph_row("009055_6M54.JPG", race="H")
    write(tmp_path / "morph_2008_nonCommercial.csv", MORPH + rows)
    face(tmp_path / "Album2/009055_0m54.jpg")  # another case than in the table
    manifest = read_data(f"morph:{tmp_path}")
    assert columns(manifest, "path", "subject_id", "age", "gender", "race", "conflict")[:3] == [
        ("Album2/009055_0m54.jpg", "009055", "54", "Male", "Black", None),
        ("Album2/009055_1M55.JPG", "009055", "55", "Male", None, None),
        ("Album2/009055_2F54.JPG", "009055", "54", "Male", "Black", "gender is Female in the name"),
    ]
    assert manifest.reasons == (
        "",
        "",
        "",
        "the age is 54 in the table and 53 in the name",
        "the person is 009055 in the table and 009056 in the name",
        "its age is 78, must be 16 to 77",
        "duplicate of row 1",
        "row 9 lists it with another label",
        "row 8 lists it with another label",
    )
    assert manifest.frame["sample_id"].tolist()[-3:] == [
        "Album2/009055_0M54.JPG#2",
        "Album2/009055_6M54.JPG",
        "Album2/009055_6M54.JPG#2",
    ]


def cacd(path: Path, names: list[str], ages: list[int], ranks: list[int]) -> None:
    """The published structure: columns of numbers, and a column of cells with the names."""
    cells = np.empty((len(names), 1), dtype=object)
    cells[:, 0] = names
    numbers = {"age": ages, "identity": ranks, "year": ages, "rank": ranks, "birth": ages}
    fields = {key: np.array(value, dtype=np.float64)[:, None] for key, value in numbers.items()}
    savemat(path, {"celebrityImageData": {**fields, "name": cells}})


CACD = ["53_Robin_Williams_0001.jpg", "20_Zoë_0002.jpg", "45_Peter_Mullan_0003.jpg", "9_X_1.jpg"]


def test_cacd2000_by_its_table(tmp_path: Path) -> None:
    cacd(tmp_path / "celebrity2000_meta.mat", CACD, [53, 20, 46, 9], [1, 3, 6, 5])
    face(tmp_path / "CACD2000/20_Zoe_0002.jpg")  # on disk without the accent
    whole = read_data(f"cacd2000:{tmp_path}")
    assert columns(whole, "path", "subject_id", "age", "split") == [
        (f"CACD2000/{CACD[0]}", "Robin Williams", "53", "val"),
        ("CACD2000/20_Zoe_0002.jpg", "Zoë", "20", "test"),
        (f"CACD2000/{CACD[2]}", "Peter Mullan", None, "train"),
        (f"CACD2000/{CACD[3]}", "X", "9", "test"),
    ]
    assert whole.reasons == ("", "", "the age is 46 in the .mat, 45 in the name", "")
    test = read_data(f"cacd2000:{tmp_path}", "test")
    assert columns(test, "age") == [("20",), ("9",)]
    assert test.label == "cacd2000 test"


def test_cacd2000_of_one_image(tmp_path: Path) -> None:
    cacd(tmp_path / "celebrity2000_meta.mat", CACD[:1], [53], [9])
    face(tmp_path / CACD[0])
    assert read_data(f"cacd2000:{tmp_path}", "train").paths()[0].is_file()


def test_cacd2000_refuses_other_tables(tmp_path: Path) -> None:
    table = tmp_path / "celebrity2000_meta.mat"
    header = b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(124) + b"\x00\x02IM"
    for content, message in (
        (header + bytes(512), r"version 7\.3 \(HDF5\), which is not read; save it in MATLAB with"),
        (b"not a table at all" * 20, "is no readable MATLAB file"),
        (b"", "is no readable MATLAB file"),
    ):
        table.write_bytes(content)
        with pytest.raises(InputError, match=message):
            read_data(f"cacd2000:{tmp_path}")
    savemat(table, {"other": 1})
    with pytest.raises(InputError, match="no structure 'celebrityImageData' with the fields"):
        read_data(f"cacd2000:{tmp_path}")
    savemat(table, {"celebrityImageData": {"name": ["a", "b"], "age": [1.0], "rank": [1.0]}})
    with pytest.raises(InputError, match="equally long"):
        read_data(f"cacd2000:{tmp_path}")


@pytest.mark.parametrize(("side", "margin"), [(224, "0.25"), (448, "1.25"), (100, "0.25")])
def test_fairface_margins(tmp_path: Path, side: int, margin: str) -> None:
    rows = "val/1.jpg,03-Sep,Male,White,TRUE\nval/2.jpg,Oct-19,Female,Black,FALSE\n"
    write(tmp_path / "fairface_label_val.csv", f"file,age,gender,race,service_test\n{rows}")
    (tmp_path / "val").mkdir()
    (tmp_path / "val/1.jpg").write_bytes(b"no image")  # the next one tells
    face(tmp_path / "val/2.jpg", side)
    manifest = read_data(f"fairface:{tmp_path}")
    assert manifest.crop.images == f"FairFace's crops, margin {margin}"
    assert columns(manifest, "age") == [("3-9",), ("10-19",)]


LISTED = {
    "clap2016": ("test_gt.csv", "image,age\n1.jpg,3\n", "mean"),
    "appa-real": ("gt_avg_test.csv", "file_name,real_age\n1.jpg,3\n", "apparent_age_avg"),
    "morph": ("morph_2008_nonCommercial.csv", "id_num,age\n1,3\n", "race"),
}


@pytest.mark.parametrize("name", LISTED)
def test_wrong_label_files_are_refused(tmp_path: Path, name: str) -> None:
    file, text, missing = LISTED[name]
    split = None if name == "morph" else "test"
    write(tmp_path / file, text)
    with pytest.raises(InputError, match=rf"{file}: no column '{missing}'; it has"):
        read_data(f"{name}:{tmp_path}", split)
    write(tmp_path / file, text.partition("\n")[0] + "\n")
    with pytest.raises(InputError, match="the table has no rows"):
        read_data(f"{name}:{tmp_path}", split)
    with pytest.raises(InputError, match="no such folder"):
        read_data(f"{name}:{tmp_path / 'none'}", split)
