"""The data sets that ``--data NAME:ROOT`` knows: a new one is one file and one line here."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from audit.errors import InputError
from hae.data.core import NO_SOURCES, Manifest
from hae.data.manifest import read_manifest
from hae.data.packs.read import read_pack
from hae.data.rendered.reader import TERMS as RENDERED_TERMS
from hae.data.rendered.reader import read_rendered
from hae.data.sets import (
    adience,
    afad,
    affectnet,
    agedb,
    all_age_faces,
    appa_real,
    cacd2000,
    clap2016,
    expw,
    fairface,
    fer2013,
    ferplus,
    fgnet,
    imdb_clean,
    lagenda,
    mivolo,
    morph,
    raf_db,
    utkface,
)
from hae.data.sets.names import DataSet

READERS: dict[str, DataSet] = {
    "adience": adience.DATA,
    "afad": afad.DATA,
    "affectnet": affectnet.DATA,
    "agedb": agedb.DATA,
    "all-age-faces": all_age_faces.DATA,
    "appa-real": appa_real.DATA,
    "cacd2000": cacd2000.DATA,
    "clap2016": clap2016.DATA,
    "expw": expw.DATA,
    "fairface": fairface.DATA,
    "fer2013": fer2013.DATA,
    "ferplus": ferplus.DATA,
    "fgnet": fgnet.DATA,
    "imdb-clean": imdb_clean.DATA,
    "lagenda": lagenda.DATA,
    "manifest": DataSet(
        read_manifest,
        root="a CSV or Parquet table with a column path",
        splits="the values of its column split",
        about="your own images; every other column is truth or attribute",
        terms="yours, or those of the card beside the table",
    ),
    "mivolo": mivolo.DATA,
    "morph": morph.DATA,
    "pack": DataSet(
        read_pack,
        root="a folder that data pack wrote",
        splits="the values of its column split, or the split that was packed",
        about="the decoded faces of another data set, mapped into memory",
        terms="those of the data set that was packed",
    ),
    "raf-db": raf_db.DATA,
    "rendered": DataSet(
        read_rendered,
        root="default, a TOML file, or key=value,key=value such as people=500,blur=1.5",
        splits="train, val, test (by person)",
        about="faces drawn by this program, every attribute known; biases can be planted",
        terms=RENDERED_TERMS,
    ),
    "utkface": utkface.DATA,
}


def read_data(
    text: str, split: str | None = None, mapping: Mapping[str, str] = NO_SOURCES
) -> Manifest:
    """Read the data set that ``NAME:ROOT`` names.

    Raises
    ------
    InputError
        No such data set, no such place, or a label file that breaks its rules.
    """
    name, colon, root = text.partition(":")
    if not colon or not root:
        raise InputError(f"--data {text!r}: must be NAME:ROOT; NAME is one of {', '.join(READERS)}")
    if name not in READERS:
        raise InputError(f"--data {text!r}: no data set {name!r}; known are {', '.join(READERS)}")
    return READERS[name].read(Path(root).expanduser(), split, mapping)
