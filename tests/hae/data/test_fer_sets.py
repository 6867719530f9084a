"""FER2013 and FERPlus: pixels in a table, votes, and copies as files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from audit.errors import InputError
from hae.data.core import content_hash
from hae.data.readers import read_data
from hae.data.sets.fer_pixels import BAD_PIXELS
from hae.data.sets.fer_votes import COLUMNS, majority
from tests.hae.data.test_listed_sets import columns, face, write

SIDE = 48
USAGES = ("Training", "Training", "PublicTest", "PrivateTest")


def grey(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (SIDE, SIDE), dtype=np.uint8)


def text(seed: int) -> str:
    return " ".join(map(str, grey(seed).ravel()))


def fer(root: Path, *rows: str, header: str = "emotion,pixels,Usage") -> Path:
    return write(root / "fer2013.csv", "\n".join([header, *rows]) + "\n")


def four(root: Path) -> Path:
    return fer(root, *(f"{n},{text(n)},{usage}" for n, usage in enumerate(USAGES)))


def test_fer2013_table(tmp_path: Path) -> None:
    four(tmp_path)
    manifest = read_data(f"fer2013:{tmp_path}")
    assert columns(manifest, "sample_id", "expression", "split") == [
        ("row00000", "anger", "train"),
        ("row00001", "disgust", "train"),
        ("row00002", "fear", "valid"),
        ("row00003", "happiness", "test"),
    ]
    faces = manifest.faces([2, 0], (SIDE, SIDE), 1.0)
    np.testing.assert_array_equal(faces[0], np.repeat(grey(2)[..., None], 3, axis=2))
    alone = manifest.faces([2], (20, 20), 0.8)[0]
    np.testing.assert_array_equal(alone, manifest.faces([0, 3, 2], (20, 20), 0.8)[2])
    test = read_data(f"fer2013:{tmp_path}", "test")
    np.testing.assert_array_equal(
        test.faces([0], (20, 20), 1.0)[0], manifest.faces([3], (20, 20), 1.0)[0]
    )
    assert not manifest.drawn


def test_fer2013_pixels_are_as_from_a_file(tmp_path: Path) -> None:
    four(tmp_path / "table")
    path = tmp_path / "files/train/fear/im0.png"
    path.parent.mkdir(parents=True)
    Image.fromarray(grey(2)).save(path)
    table, files = (read_data(f"fer2013:{tmp_path / name}") for name in ("table", "files"))
    for size, keep in (((SIDE, SIDE), 1.0), ((30, 24), 0.9), ((100, 100), 1.0)):
        np.testing.assert_array_equal(
            table.faces([2], size, keep)[0], files.faces([0], size, keep)[0]
        )


def test_fer2013_bad_cells_fail_alone(tmp_path: Path) -> None:
    high, short = text(1).replace(" ", " 256 ", 1), text(1).rpartition(" ")[0]
    rows = [f"7,{text(0)},Training", f"0,{high},Training", f"0,{short},Training"]
    fer(tmp_path, *rows, f"0,{text(1).replace(' ', ' x ', 1)},Training", f"6,{text(5)},Training")
    manifest = read_data(f"fer2013:{tmp_path}")
    assert manifest.reasons == (
        "its expression is '7', must be 0 to 6",
        BAD_PIXELS,
        BAD_PIXELS,
        BAD_PIXELS,
        "",
    )
    found = manifest.faces(range(5), (8, 8), 1.0)
    assert found[:4] == list(manifest.reasons[:4])
    assert not isinstance(found[4], str)


def test_fer2013_hash_sees_the_pixels(tmp_path: Path) -> None:
    four(tmp_path)
    before = content_hash(read_data(f"fer2013:{tmp_path}"))
    assert before == content_hash(read_data(f"fer2013:{tmp_path}"))
    fer(tmp_path, *(f"{n},{text(n + (n == 3))},{usage}" for n, usage in enumerate(USAGES)))
    assert before != content_hash(read_data(f"fer2013:{tmp_path}"))


def test_fer2013_refuses(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no image in this folder"):
        read_data(f"fer2013:{tmp_path}")
    fer(tmp_path, f"0,{text(0)},Holdout")
    with pytest.raises(InputError, match=r"line 2: Usage is 'Holdout', must be one of Training"):
        read_data(f"fer2013:{tmp_path}")
    fer(tmp_path, f"0,{text(0)}")
    with pytest.raises(InputError, match=r"line 2: has 2 cells, must have 3"):
        read_data(f"fer2013:{tmp_path}")
    fer(tmp_path)
    with pytest.raises(InputError, match="has no rows"):
        read_data(f"fer2013:{tmp_path}")
    fer(tmp_path, f"{text(0)},Training", header="pixels,Usage")
    with pytest.raises(InputError, match="no column 'emotion'; it has pixels, Usage"):
        read_data(f"fer2013:{tmp_path}")
    fer(tmp_path, f"0,{text(0)},Training", header="emotion, pixels, Usage")  # as re-hosted
    with pytest.raises(InputError, match="no face of the split 'test'"):
        read_data(f"fer2013:{tmp_path}", "test")


def test_fer2013_files(tmp_path: Path) -> None:
    for path in (
        "train/angry/Training_1.jpg",
        "test/happy/PrivateTest_3.jpg",
        "test/sad/PublicTest_2.jpg",
        "test/smug/PublicTest_4.jpg",
        "other/fear/im0.png",
    ):
        face(tmp_path / path, SIDE)
    manifest = read_data(f"fer2013:{tmp_path}")
    assert columns(manifest, "path", "expression", "split") == [
        ("other/fear/im0.png", "fear", None),
        ("test/happy/PrivateTest_3.jpg", "happiness", "test"),
        ("test/sad/PublicTest_2.jpg", "sadness", "valid"),
        ("test/smug/PublicTest_4.jpg", None, "valid"),
        ("train/angry/Training_1.jpg", "anger", "train"),
    ]
    assert manifest.reasons[0] == "it lies in no train/<emotion>/ or test/<emotion>/"
    assert manifest.reasons[3] == "its folder 'smug' is no expression"
    assert manifest.made is None
    face(tmp_path / "test/neutral/im7.png", SIDE)
    mixed = read_data(f"fer2013:{tmp_path}", "test")
    assert mixed.made is not None
    assert "the public and the private test" in mixed.made


HEADER = f"Usage,Image name,{','.join(COLUMNS)}"
VOTES = {  # neutral happiness surprise sadness anger disgust fear contempt unknown NF
    "fer0000000.png": "0,1,6,0,0,0,3,0,0,0",
    "": "0,0,0,0,0,0,0,0,0,10",
    "fer0000001.png": "0,0,0,0,0,2,0,6,1,1",
    "fer0000002.png": "5,5,0,0,0,0,0,0,0,0",
}


def ferplus(root: Path) -> Path:
    rows = [f"{u},{name},{votes}" for u, (name, votes) in zip(USAGES, VOTES.items(), strict=True)]
    return write(root / "fer2013new.csv", "\n".join([HEADER, *rows]) + "\n")


def test_ferplus_with_the_table_of_pixels(tmp_path: Path) -> None:
    four(tmp_path)
    ferplus(tmp_path)
    manifest = read_data(f"ferplus:{tmp_path}")
    assert columns(manifest, "sample_id", "expression", "votes_surprise", "votes_contempt") == [
        ("fer0000000.png", "surprise", 6, 0),
        ("fer0000001.png", "contempt", 0, 6),
        ("fer0000002.png", None, 0, 0),
    ]
    assert manifest.reasons == ("", "", "its votes have no majority")
    assert manifest.made == "1 nameless row left out"
    found = manifest.faces([1, 2], (SIDE, SIDE), 1.0)
    # the row without a name stands for row 1 of the pixels, whatever the names say
    np.testing.assert_array_equal(found[0], np.repeat(grey(2)[..., None], 3, axis=2))
    assert found[1] == "its votes have no majority"
    valid = read_data(f"ferplus:{tmp_path}", "valid")
    np.testing.assert_array_equal(valid.faces([0], (SIDE, SIDE), 1.0)[0], found[0])
    assert valid.made is None


def test_ferplus_with_files(tmp_path: Path) -> None:
    ferplus(tmp_path)
    face(tmp_path / "data/FER2013Train/fer0000000.png", SIDE)
    manifest = read_data(f"ferplus:{tmp_path}")
    assert [path for (path,) in columns(manifest, "path")] == [
        "data/FER2013Train/fer0000000.png",
        "data/FER2013Valid/fer0000001.png",
        "data/FER2013Test/fer0000002.png",
    ]
    good, missing = manifest.faces([0, 1], (8, 8), 1.0)
    assert not isinstance(good, str)
    assert missing == "no such file"


def test_ferplus_with_a_list_in_each_folder(tmp_path: Path) -> None:
    for split, votes in (("Train", "4,0,0,1,3,2,0,0,0,0"), ("Test", "9,0,0,0,0,0,1,0,0,0")):
        line = f'fer0000003.png,"(0, 0, 48, 48)",{votes}\n'
        write(tmp_path / f"FER2013{split}/label.csv", line)
    test = read_data(f"ferplus:{tmp_path}", "test")
    assert columns(test, "path", "expression", "votes_neutral", "split") == [
        ("FER2013Test/fer0000003.png", "neutral", 9, "test")
    ]
    with pytest.raises(InputError, match=r"neither fer2013new\.csv nor FER2013Valid/label\.csv"):
        read_data(f"ferplus:{tmp_path}")
    write(tmp_path / "FER2013Test/label.csv", "fer0000003.png,4,0,0,1,3,2,0,0,0,0\n")
    with pytest.raises(InputError, match=r"line 1: has 11 cells, must have 12"):
        read_data(f"ferplus:{tmp_path}", "test")


def test_ferplus_names_that_stand_twice(tmp_path: Path) -> None:
    rows = [f"{usage},fer0000000.png,9,0,0,0,0,0,1,0,0,0" for usage in ("Training", "Training")]
    write(tmp_path / "fer2013new.csv", "\n".join([HEADER, *rows]) + "\n")
    # one file cannot be two faces; two rows of pixels can
    assert read_data(f"ferplus:{tmp_path}").reasons == ("", "duplicate of row 1")
    fer(tmp_path, *(f"0,{text(n)},Training" for n in range(2)))
    manifest = read_data(f"ferplus:{tmp_path}")
    assert manifest.reasons == ("", "")
    assert columns(manifest, "sample_id") == [("fer0000000.png",), ("fer0000000.png#2",)]


def test_ferplus_refuses_tables_that_do_not_belong_together(tmp_path: Path) -> None:
    ferplus(tmp_path)
    fer(tmp_path, f"0,{text(0)},Training")
    with pytest.raises(InputError, match=r"has 1 rows, fer2013new\.csv 4; row must belong to row"):
        read_data(f"ferplus:{tmp_path}")
    fer(tmp_path, *(f"0,{text(0)},{usage}" for usage in ("Training", *USAGES[:3])))
    with pytest.raises(InputError, match=r"row 3: is of train, in fer2013new\.csv of valid"):
        read_data(f"ferplus:{tmp_path}")
    write(tmp_path / "fer2013new.csv", f"{HEADER}\nHoldout,a.png,{VOTES['']}\n")
    with pytest.raises(InputError, match="row 1: Usage is 'Holdout'"):
        read_data(f"ferplus:{tmp_path}")


@pytest.mark.parametrize(
    ("votes", "found"),
    [
        ("5 0 0 1 4 0 0 0 0 0", ("neutral", "")),  # the single vote is dropped: 5 of 9
        (
            "5 0 0 2 3 0 0 0 0 0",
            ("", "its votes have no majority"),
        ),  # 5 of 10
        ("0 2 1 1 1 1 1 1 1 1", ("happiness", "")),  # 2 of 2
        ("1 1 1 1 1 1 1 1 1 1", ("", "its votes have no majority")),
        ("0 0 0 0 0 0 0 0 0 0", ("", "it has no votes")),
        ("0 3 0 0 0 0 0 0 7 0", ("", "the majority cannot tell it")),
        ("0 0 0 0 0 0 0 0 0 10", ("", "the majority sees no face")),
        ("9 0 0 x 0 0 0 0 0 0", ("", "its votes for sadness are 'x', must be a whole number")),
        ("-9 9 0 0 0 0 0 0 0 0", ("", "its votes for neutral are '-9', must be a whole number")),
    ],
)
def test_majority(votes: str, found: tuple[str, str]) -> None:
    assert majority(votes.split()) == found


def test_ferplus_votes_that_are_no_numbers_are_missing(tmp_path: Path) -> None:
    rows = "Training,a.png,9,x,0,0,0,0,0,0,0,0\nTraining,b.png,9,1,0,0,0,0,0,0,0,0\n"
    write(tmp_path / "fer2013new.csv", f"{HEADER}\n{rows}")
    manifest = read_data(f"ferplus:{tmp_path}")
    np.testing.assert_array_equal(manifest.frame["votes_happiness"], [np.nan, 1])
    assert manifest.reasons[1] == ""
