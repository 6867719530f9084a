"""A data set divided by a protocol, with who must stay together and a count of who did not.

The unit is the person. A face without one is taken with its near-duplicates
(:mod:`hae.data.splits.duplicates`), as the copies of a photo show one person; who else may be shown
on two photos is unknown then, and subject-exclusive in the strict sense is impossible. The faces of
one image file stay together too, whoever they show.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from audit.data_set.copies import Shared
from audit.errors import InputError
from audit.hashing import Keys, text_keys
from hae.data.core import Manifest
from hae.data.splits.duplicates import NEAR, groups_of, hashes_of, pairs_among
from hae.data.splits.leaks import (
    PHOTO,
    SPLIT,
    SUBJECT,
    image_leaks,
    images_of,
    leaks,
    person_keys,
    refuse_leaks,
    texts,
)
from hae.data.splits.parting import parts_by_person

PARTS = {2: ("train", "test"), 3: ("train", "val", "test")}
PUBLISHED = (0.8, 0.2)
"""Of train and test, as in the subject-exclusive and the random split of MORPH."""
STRATA = ("gender", "race", "age")
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]
Told = Callable[[int], object]


@dataclass(frozen=True, eq=False)
class Units:
    """A manifest whose ``subject_id`` says who is shown, and a key for what must stay together.

    ``named``: how many usable faces had a person; ``copies``: how many of the others got one since
    they are copies of another face; ``unread``: how many images cannot be read, and so are alone;
    ``joined``: how many usable faces are in a unit of several, as these lie in one image file.
    """

    manifest: Manifest
    person: Keys
    named: int
    copies: int
    unread: int
    joined: int = 0

    @cached_property
    def usable(self) -> BoolArray:
        """Whose label can be used, (n,); the others belong to no part."""
        return _usable(self.manifest)

    @property
    def nameless(self) -> int:
        """How many usable faces had no person."""
        return int(self.usable.sum()) - self.named

    @property
    def word(self) -> str:
        """What the units are: ``person``, ``photo`` or, where some faces have none, both."""
        if not self.nameless:
            return "person"
        return "person or photo" if self.named else "photo"

    def leaks(self, frame: pd.DataFrame) -> tuple[Shared, ...]:
        """Who, and which images, are in several parts of a table of these faces."""
        people = leaks(frame, self._people, self.word)
        return (*people, *image_leaks(frame, self._images))

    @cached_property
    def _people(self) -> Keys:
        return person_keys(self.manifest.frame)

    @cached_property
    def _images(self) -> IntArray:
        return images_of(self.manifest.paths())


@dataclass(frozen=True, eq=False)
class Divided:
    """One table to write: its manifest with the column ``split``, and what its card says."""

    manifest: Manifest
    made: str
    leaks: tuple[Shared, ...]
    leaky: Mapping[str, str] = field(default_factory=dict)
    fold: int | None = None


def units_of(
    manifest: Manifest,
    near: int = NEAR,
    read: Told = lambda done: None,
    compared: Told = lambda done: None,
) -> Units:
    """Say who or what stays together.

    Every person does; where some usable face has none, all images are read once, and such a face
    joins its near-duplicates: it gets the ``subject_id`` of the first (in text order of
    ``sample_id``) that has one, else ``photo:`` and the ``sample_id`` of the first. A face like no
    other keeps its empty cell. The order of the rows makes no difference.

    Units with faces in one image file become one, but their people keep their own ``subject_id``.
    """
    found = _people_or_copies(manifest, near, read, compared)
    unit, index = np.unique(found.person, return_inverse=True)
    rows = np.flatnonzero(found.usable)
    image = images_of(manifest.paths())[rows]
    if len(np.unique(image)) == len(image):
        return found
    shown = np.stack([index[rows], len(unit) + image], axis=1)
    group = groups_of(shown, len(unit) + len(manifest))[: len(unit)]  # its first is a unit
    several = np.bincount(group)[group] > 1
    joined = int(several[index[rows]].sum())
    return replace(found, person=unit[group][index], joined=joined)


def _people_or_copies(manifest: Manifest, near: int, read: Told, compared: Told) -> Units:
    frame, usable = manifest.frame, _usable(manifest)
    own, ids = texts(frame, SUBJECT), frame["sample_id"]
    named = (own != "").to_numpy()
    n_named = int((named & usable).sum())
    if (named | ~usable).all():
        keys = text_keys(own.where(named, ids).tolist(), "subject")
        return Units(manifest, keys, n_named, 0, 0)
    hashes, reasons = hashes_of(manifest, read)
    pairs = pairs_among(hashes, reasons, near, compared)
    group = pd.Series(groups_of(pairs, len(frame)), index=frame.index)
    order = ids.sort_values().index
    first = ids[order].groupby(group[order]).first()
    person = own[order][own[order] != ""].groupby(group[order]).first()
    several = group.map(group.value_counts()).to_numpy() > 1
    photo = group.map(first).astype("str")
    given = group.map(person).astype(object).where(group.isin(person.index), PHOTO + photo)
    subject = own.astype(object).where(named, given.where(several, ""))
    known = named | group.isin(person.index).to_numpy()
    keys = text_keys(subject.where(known, photo).astype("str").tolist(), "subject")
    copies = int((several & ~named).sum())
    frame = frame.assign(**{SUBJECT: subject.astype("str")})
    unread = sum(bool(why) and not manifest.failure(row) for row, why in enumerate(reasons))
    return Units(replace(manifest, frame=frame), keys, n_named, copies, unread)


def _usable(manifest: Manifest) -> BoolArray:
    return np.array([not manifest.failure(row) for row in range(len(manifest))], dtype=np.bool_)


def strata_of(frame: pd.DataFrame, names: Sequence[str] | None = None) -> list[str]:
    """The stratum of each face, such as ``Female|White|2.0``: ages count by decades, bands as such.

    Parameters
    ----------
    frame : DataFrame
        Of a manifest.
    names : sequence of str, optional
        Columns; default: those of gender, race and age that exist.

    Raises
    ------
    InputError
        There is no such column.
    """
    names = strata_names(frame, names)
    columns = [_decades(frame) if name == "age" else texts(frame, name) for name in names]
    return ["|".join(cells) for cells in zip(*columns, strict=True)] or [""] * len(frame)


def strata_names(frame: pd.DataFrame, names: Sequence[str] | None = None) -> tuple[str, ...]:
    """The columns of :func:`strata_of`."""
    there = {*frame.columns, *(["age"] if "age_low" in frame.columns else [])}
    if names is None:
        return tuple(name for name in STRATA if name in there)
    unknown = [name for name in names if name not in there]
    if unknown:
        raise InputError(
            f"--strata: no column {unknown[0]!r}; the data set has {', '.join(frame.columns)}"
        )
    return tuple(names)


def _decades(frame: pd.DataFrame) -> pd.Series:
    if "age" not in frame.columns:
        return texts(frame, "age_low") + "-" + texts(frame, "age_high")
    text = texts(frame, "age")
    years = pd.to_numeric(text.where(text != "", "-1"), errors="coerce")
    return (years.astype("float64") // 10).astype("str").where(years.notna(), text)


def divided(
    units: Units, protocol: str, shares: Sequence[float], strata: Sequence[str], seed: int
) -> Divided:
    """Divide by ``ratio``, ``se`` or ``rs``: the shares of train, (val,) and test.

    ``rs`` draws images, not people: its card says so, and how many test faces it concerns. The same
    faces give the same parts in any order of rows.

    Raises
    ------
    InputError
        A part is empty, ``se`` lacks a person, or, which must not be, a person is in two parts.
    """
    frame = units.manifest.frame
    if protocol == "se":
        need_people(units, protocol)
    images = protocol == "rs"
    keys = text_keys(frame["sample_id"].tolist(), "sample") if images else units.person
    part = parts_by_person(keys, strata, shares, seed)
    names = np.array(PARTS[len(shares)], dtype=object)
    found = with_columns(units, {SPLIT: names[part]})
    place = f"--protocol {protocol}"
    for name in names:
        if not (found.frame[SPLIT] == name).any():
            raise InputError(
                f"{place}: {len(frame):,} faces leave no {name} face; give more, or fewer --strata"
            )
    shared = units.leaks(found.frame)
    if not images:
        refuse_leaks(shared, place)
    ratio = ":".join(f"{share:g}" for share in shares)
    by = "image, not by person" if images else units.word
    made = f"{protocol} {ratio} by {by}, seed {seed}"
    return Divided(found, made, shared, _random(shared, units) if images else {})


def official(units: Units) -> Divided:
    """The data set's own column ``split``, with a count of the people who are on several sides.

    What its card says already goes on to hold, for all parts.

    Raises
    ------
    InputError
        There is no such column.
    """
    frame = units.manifest.frame
    if not (texts(frame, SPLIT) != "").any():
        raise InputError(
            f"--protocol official: {units.manifest.name} has no column 'split'; where data list "
            "names splits, --split reads them as they are"
        )
    shared = units.leaks(frame)
    said: dict[str, list[str]] = {}
    for leak in shared:
        for part in (leak.part, leak.other) if leak.shared else ():
            said.setdefault(part, []).append(str(leak))
    leaky = {part: f"official split: {'; '.join(found)}" for part, found in said.items()}
    before = units.manifest.leaky
    if before:
        new = dict.fromkeys(why for why in leaky.values() if why not in before)
        leaky = {"": "; ".join([before, *new])}
    return Divided(units.manifest, "official", shared, leaky)


def need_people(units: Units, protocol: str) -> None:
    """Refuse a usable face without a person."""
    names = texts(units.manifest.frame, SUBJECT)[units.usable]
    missing = int(((names == "") | names.str.startswith(PHOTO)).sum())
    if missing:
        raise InputError(
            f"--protocol {protocol}: subject-exclusive impossible: {missing:,} of {len(names):,} "
            "faces have no subject_id; --protocol ratio keeps the copies of a photo together"
        )


def with_columns(units: Units, columns: Mapping[str, Any]) -> Manifest:
    """The manifest with columns added; its own of these names are kept as ``source_<name>``.

    A face whose label cannot be used belongs to no part: its ``split`` is empty.
    """
    frame = units.manifest.frame
    for name in columns:
        if name in frame.columns:
            kept = f"source_{name}"
            while kept in frame.columns:
                kept = f"source_{kept}"
            frame = frame.rename(columns={name: kept})
    frame = frame.assign(**columns)
    if SPLIT in columns:
        frame[SPLIT] = frame[SPLIT].astype("str").where(units.usable, "")
    return replace(units.manifest, frame=frame, split=None, leaky=None)


def _random(shared: Sequence[Shared], units: Units) -> dict[str, str]:
    parts = dict.fromkeys(part for leak in shared for part in (leak.part, leak.other))
    said = "; ".join(str(leak) for leak in shared)
    unknown = "" if units.word == "person" else "; who else is on both sides is unknown"
    return dict.fromkeys(parts, f"split at random over images: {said}{unknown}")
