"""Data sets whose labels are in the names of their files, on small trees in the published form."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import pytest
from PIL import Image

from audit.errors import InputError
from hae.data.core import Manifest, content_hash
from hae.data.readers import READERS, read_data
from hae.data.sets.names import on_disk
from tests.hae.toys import draw


def tree(folder: Path, *names: str) -> Path:
    """Empty files: readers of names do not open images."""
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"")
    return folder


STRAYS = ("Thumbs.db", "README.md", ".DS_Store", "._1.jpg", "15/111/Thumbs.db")


def usable(manifest: Manifest) -> dict[str, dict[str, str]]:
    """The labels of the faces that do not fail, by sample_id."""
    rows = manifest.frame.drop(columns="path").to_dict("records")
    assert len(manifest.reasons) == len(rows)
    return {
        row.pop("sample_id"): row
        for row, why in zip(rows, manifest.reasons, strict=True)
        if not why
    }


def failed(manifest: Manifest) -> dict[str, str]:
    names = manifest.frame["sample_id"].tolist()
    return {name: why for name, why in zip(names, manifest.reasons, strict=True) if why}


def test_utkface_reads_the_eight_malformed_names(tmp_path: Path) -> None:
    # of the eight, five have a bad date and time only; three lack the race
    fine = {
        "14_0_0_2017011022340900": ("14", "Male", "White"),
        "28_1_2_201701161846515488": ("28", "Female", "Asian"),
        "38_0_1_201701162330572788": ("38", "Male", "Black"),
        "24_0_1_20170116220224657 ": ("24", "Male", "Black"),
        "55_0_0_20170116232725357jpg": ("55", "Male", "White"),
    }
    lacking = ["39_1_20170116174525125", "61_1_20170109142408075", "61_1_20170109150557335"]
    names = [f"{name}.jpg.chip.jpg" for name in fine if not name.endswith("jpg")]
    names += ["55_0_0_20170116232725357jpg.chip.jpg"]
    bad = [f"{name}.jpg.chip.jpg" for name in lacking]
    manifest = read_data(f"utkface:{tree(tmp_path, *names, *bad, *STRAYS)}")
    found = usable(manifest)
    assert sorted(tuple(row.values()) for row in found.values()) == sorted(fine.values())
    assert sorted(failed(manifest)) == sorted(bad)
    assert "gender or race is missing" in failed(manifest)[bad[0]]
    assert manifest.frame["race"].isna().sum() == 3  # unknown, not a default
    assert manifest.crop.images == "UTKFace's aligned faces"


def test_utkface_in_the_wild(tmp_path: Path) -> None:
    names = ["part1/1_0_0_20161219140623097.jpg", "part2/53__0_20170116184028385.jpg"]
    names += ["part3/116_1_4_20170120134921760.JPG", "part3/117_1_4_20170120134921760.jpg"]
    manifest = read_data(f"utkface:{tree(tmp_path, *names)}")
    assert list(usable(manifest)) == [names[0], names[2]]
    assert failed(manifest)[names[3]] == "the age in its name is 117, must be 1 to 116"
    assert manifest.crop.images == "UTKFace in the wild"


def test_fgnet(tmp_path: Path) -> None:
    names = ["001A05.JPG", "010A07a.jpg", "009a16b.png", "082A69.jpg", "082A70.jpg", "7A05.jpg"]
    manifest = read_data(f"fgnet:{tree(tmp_path / 'images', *names, *STRAYS)}")
    assert usable(manifest) == {
        "001A05.JPG": {"subject_id": "001", "age": "5"},
        "010A07a.jpg": {"subject_id": "010", "age": "7"},
        "009a16b.png": {"subject_id": "009", "age": "16"},
        "082A69.jpg": {"subject_id": "082", "age": "69"},
    }
    assert failed(manifest)["082A70.jpg"] == "its age is 70, must be 0 to 69"
    assert failed(manifest)["7A05.jpg"].startswith("its name is not person, A, age")


def test_agedb(tmp_path: Path) -> None:
    names = ["12083_ElsaMartinelli_74_f.jpg", "1_Jean_Luc_Godard_101_m.JPG"]
    names += ["2_MariaCallas_0_f.jpg", "3_MariaCallas_33_x.jpg"]
    manifest = read_data(f"agedb:{tree(tmp_path, *names, *STRAYS)}")
    assert usable(manifest) == {
        names[0]: {"subject_id": "ElsaMartinelli", "age": "74", "gender": "Female"},
        names[1]: {"subject_id": "Jean_Luc_Godard", "age": "101", "gender": "Male"},
    }
    assert sorted(failed(manifest)) == names[2:]


def test_names_in_other_scripts_are_one_text_everywhere(tmp_path: Path) -> None:
    composed = "1_Zoë北野_33_f.jpg"
    apart = unicodedata.normalize("NFD", composed)  # as a Mac stores it
    manifest = read_data(f"agedb:{tree(tmp_path, apart)}")
    assert manifest.frame["sample_id"].tolist() == [composed]
    assert manifest.frame["subject_id"].tolist() == ["Zoë北野"]
    assert manifest.paths()[0].is_file()
    again = read_data(f"agedb:{tree(tmp_path, composed)}")  # Linux keeps both
    assert again.reasons.count("duplicate of row 1") == 1
    assert again.frame["sample_id"].tolist() == [composed, f"{composed}#2"]


def test_a_name_that_is_no_text_is_refused(tmp_path: Path) -> None:
    tree(tmp_path, "1_Zo\udceb_33_f.jpg")
    with pytest.raises(InputError, match=r"agedb:.*is not UTF-8; rename the file"):
        read_data(f"agedb:{tmp_path}")


AFAD = ("15/111/638660-0.jpg", "75/112/1-3.JPG", "15/113/1-0.jpg", "14/111/2-0.jpg")


def test_afad_by_names(tmp_path: Path) -> None:
    manifest = read_data(f"afad:{tree(tmp_path, *AFAD, *STRAYS)}")
    assert usable(manifest) == {
        AFAD[0]: {"subject_id": "638660", "age": "15", "gender": "Male"},
        AFAD[1]: {"subject_id": "1", "age": "75", "gender": "Female"},
    }
    assert failed(manifest)[AFAD[3]] == "its age is 14, must be 15 to 75"
    assert "gender 111 or 112" in failed(manifest)[AFAD[2]]


def test_afad_by_its_list(tmp_path: Path) -> None:
    lines = ["./15/111/638660-0.jpg", "./20/112/7-1.jpg", "", "./15/111/638660-0.jpg", "./x.jpg"]
    tree(tmp_path, AFAD[0], "30/111/5-0.jpg", *STRAYS)  # 20/112 is missing, 30/111 not listed
    (tmp_path / "AFAD-Full.txt").write_text("\r\n".join(lines), encoding="utf-8")
    manifest = read_data(f"afad:{tmp_path}")
    assert list(usable(manifest)) == [AFAD[0], "20/112/7-1.jpg"]
    assert failed(manifest)[f"{AFAD[0]}#2"] == "duplicate of row 1"
    assert manifest.files == (tmp_path / "AFAD-Full.txt",)
    assert manifest.faces([1], (8, 8), 1.0) == ["no such file"]
    (tmp_path / "AFAD-Full.txt").write_text("\n", encoding="utf-8")
    with pytest.raises(InputError, match="lists no image"):
        read_data(f"afad:{tmp_path}")


def test_all_age_faces(tmp_path: Path) -> None:
    names = ["00000A02.jpg", "07380A80.jpg", "07381A30.jpg", "13321A30.jpg"]
    folder = tree(tmp_path / "aglined faces", *names, "13322A30.jpg", "00001A01.jpg", "Thumbs.db")
    manifest = read_data(f"all-age-faces:{folder}")
    assert [row["gender"] for row in usable(manifest).values()] == ["Female"] * 2 + ["Male"] * 2
    assert failed(manifest) == {
        "00001A01.jpg": "its age is 01, must be 2 to 80",
        "13322A30.jpg": "the person in its name is 13322, must be 00000 to 13321",
    }
    assert manifest.crop.images == "All-Age-Faces' aligned faces"
    tree(tmp_path / "original images", *names)
    with pytest.raises(InputError, match="lies in both 'aglined faces' and 'original images'"):
        read_data(f"all-age-faces:{tmp_path}")


def test_all_age_faces_splits(tmp_path: Path) -> None:
    folder = tree(tmp_path / "original images", "00000A02.jpg", "07381A30.jpg")
    with pytest.raises(InputError, match=r"--split val: no image sets/val\.txt"):
        read_data(f"all-age-faces:{folder}", "val")
    (tmp_path / "image sets").mkdir()
    (tmp_path / "image sets/val.txt").write_text("07381A30 1\n00009A44.jpg 0\n")
    manifest = read_data(f"all-age-faces:{folder}", "val")
    assert manifest.label == "all-age-faces val"
    assert manifest.frame["sample_id"].tolist() == ["07381A30.jpg", "00009A44.jpg"]
    assert [path.is_file() for path in manifest.paths()] == [True, False]


def test_cacd2000_by_names(tmp_path: Path) -> None:
    names = ["45_Peter_Mullan_0001.jpg", "14_Ai_0012.jpg", "x_Peter_Mullan_0001.jpg"]
    manifest = read_data(f"cacd2000:{tree(tmp_path / 'CACD2000', *names, *STRAYS)}")
    assert usable(manifest) == {
        "14_Ai_0012.jpg": {"subject_id": "Ai", "age": "14"},
        "45_Peter_Mullan_0001.jpg": {"subject_id": "Peter Mullan", "age": "45"},
    }
    with pytest.raises(InputError, match=r"by the ranks in .*celebrity2000_meta\.mat: no such"):
        read_data(f"cacd2000:{tmp_path}", "test")


def test_morph_by_names(tmp_path: Path) -> None:
    names = ["Album2/009055_1M54.JPG", "Album2/009055_12F16.jpg", "Album2/009056_1M15.JPG"]
    manifest = read_data(f"morph:{tree(tmp_path, *names)}")
    assert usable(manifest) == {
        names[1]: {"subject_id": "009055", "age": "16", "gender": "Female"},
        names[0]: {"subject_id": "009055", "age": "54", "gender": "Male"},
    }
    assert failed(manifest) == {names[2]: "its age is 15, must be 16 to 77"}
    assert "race" not in manifest.frame.columns


NAMED = ("utkface", "fgnet", "agedb", "afad", "all-age-faces", "cacd2000", "morph")


@pytest.mark.parametrize("name", NAMED)
def test_wrong_places_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match=rf"--data {name}:.*no such folder"):
        read_data(f"{name}:{tmp_path / 'none'}")
    with pytest.raises(InputError, match=rf"--data {name}:.*no image in this folder"):
        read_data(f"{name}:{tree(tmp_path, *STRAYS)}")
    tree(tmp_path, "holiday.jpg", "portrait.png")
    with pytest.raises(InputError, match=r"none of its 2 labels can be used; the first, holiday"):
        read_data(f"{name}:{tmp_path}")
    with pytest.raises(InputError, match="leave --map out"):
        read_data(f"{name}:{tmp_path}", None, {"age": "x"})
    with pytest.raises(InputError, match="--split 'dev'"):
        read_data(f"{name}:{tmp_path}", "dev")


def test_a_listed_name_finds_its_file(tmp_path: Path) -> None:
    tree(
        tmp_path, "a/René.JPG", "a/x.jpg", "a/X.jpg", unicodedata.normalize("NFD", "a/Ångström.jpg")
    )
    listed = ["a/rene.jpg", "a/x.JPG", "a/Ångström.jpg", "b/none.jpg", "a/none.jpg"]
    found = on_disk(tmp_path, listed)
    assert found[0] == "a/René.JPG"
    assert found[1] == "a/x.JPG"  # two files may be meant
    assert (tmp_path / found[2]).is_file()
    assert found[3:] == listed[3:]


def test_every_data_set_tells_terms_and_whole_counts() -> None:
    for entry in READERS.values():
        assert entry.terms
        for found in entry.counts.values():
            for column in ("gender", "race", "age"):
                parts = [n for key, n in found.items() if key.startswith(f"{column}=")]
                assert not parts or sum(parts) == found["usable"]


def test_failed_rows_are_in_the_hash_and_load_as_reasons(tmp_path: Path) -> None:
    draw(tmp_path / "001A05.png", (200, 10, 10))
    draw(tmp_path / "001A70.png", (200, 10, 10))
    manifest = read_data(f"fgnet:{tmp_path}")
    good, bad = manifest.faces([0, 1], (8, 8), 1.0)
    assert not isinstance(good, str)
    assert bad == "its age is 70, must be 0 to 69"
    assert len(content_hash(manifest)) == 64


def test_linked_folders_are_not_passed_over(tmp_path: Path) -> None:
    for part in ("utk/part1", "elsewhere"):
        (tmp_path / part).mkdir(parents=True)
        Image.new("RGB", (4, 4)).save(tmp_path / part / "20_0_1_20170109205039597.jpg")
    (tmp_path / "utk" / "part2").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(InputError, match="part2 is a link to a folder"):
        read_data(f"utkface:{tmp_path / 'utk'}")


def test_photos_in_the_wild_and_aligned_are_not_mixed(tmp_path: Path) -> None:
    for name in ("20_0_1_20170109205039597.jpg", "20_0_1_20170109205039597.jpg.chip.jpg"):
        Image.new("RGB", (4, 4)).save(tmp_path / name)
    with pytest.raises(InputError, match="the same photos cut in two ways"):
        read_data(f"utkface:{tmp_path}")
