"""What a data set is audited by: read and checked, before any long work."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import get_args

import pandas as pd

from audit.data_set.faces import NO_GROUPS, Faces, faces_of, labels_in, with_ages
from audit.data_set.reference import Reference
from audit.errors import InputError
from audit.groups import DEFAULT_ATTRIBUTES
from audit.options import check_edges
from audit.rows import LabelSource

Combination = tuple[str, ...]


@dataclass(frozen=True)
class DataOptions:
    """How a data set is audited.

    ``by`` are attribute combinations such as ``gender,race`` (by default the usual ones that
    exist, each alone), ``sources`` say who assigned an attribute, ``age_bands`` are edges in years
    (by default the bands of the data, or decades).
    """

    by: Sequence[str] | None = None
    sources: Mapping[str, str] | None = None
    age_bands: Sequence[float] | None = None
    max_cells: int = 20_000
    n_boot: int = 1000
    seed: int = 0


@dataclass(frozen=True, eq=False)
class Prepared:
    """A data set that was read and checked, and the other one beside it."""

    place: str
    faces: Faces
    other: Faces | None
    reference: Reference | None
    labels: tuple[str, ...]
    combinations: tuple[Combination, ...]
    sources: Mapping[str, LabelSource]
    options: DataOptions

    @property
    def every(self) -> tuple[Combination, ...]:
        """The combinations, and each label alone."""
        return tuple(dict.fromkeys([*self.combinations, *((name,) for name in self.labels)]))


def prepare(
    frame: pd.DataFrame,
    options: DataOptions,
    *,
    reference: Reference | None = None,
    against: pd.DataFrame | None = None,
    place: str = "data set",
) -> Prepared:
    """Read and check everything, before any long work.

    Raises
    ------
    InputError
        With place, rule, value and remedy.
    """
    check_edges(options.age_bands)
    frame = with_ages(frame, place)
    labels = labels_in(frame)
    combinations = _combinations(frame, options.by, reference, place)
    names = tuple(dict.fromkeys([*(n for c in combinations for n in c), *labels]))
    faces = faces_of(frame, names, place, options.age_bands, options.max_cells)
    return Prepared(
        place=place,
        faces=faces,
        other=None if against is None else _other(against, names, options),
        reference=reference,
        labels=labels,
        combinations=combinations,
        sources=_sources(options.sources or {}, names),
        options=options,
    )


def _other(against: pd.DataFrame, names: Sequence[str], options: DataOptions) -> Faces:
    """The other data set, by the attributes that both have."""
    against = with_ages(against, "--against")
    read = [name for name in names if name in against.columns]
    if not read:
        raise InputError(
            f"--against: has none of the columns {', '.join(names)}, so nothing can be compared"
        )
    return faces_of(against, read, "--against", options.age_bands, options.max_cells)


def _combinations(
    frame: pd.DataFrame, by: Sequence[str] | None, reference: Reference | None, place: str
) -> tuple[Combination, ...]:
    usual = [name for name in DEFAULT_ATTRIBUTES if name in frame.columns]
    wanted = [
        tuple(part.strip() for part in text.split(",")) for text in (usual if by is None else by)
    ]
    for names in wanted:
        _check_names(frame, names, "--by", place)
    if reference is not None and {*reference.names} not in [{*names} for names in wanted]:
        _check_names(frame, reference.names, "--reference", place)
        wanted.append(reference.names)
    return tuple(dict.fromkeys(wanted))


def _check_names(frame: pd.DataFrame, names: Combination, option: str, place: str) -> None:
    given = f"{option} {','.join(names)}"
    if len({*names}) != len(names) or not all(names):
        raise InputError(f"{given}: must name different attributes, separated by commas")
    for name in names:
        if name in NO_GROUPS:
            raise InputError(f"{given}: {name} names faces and makes no groups; leave it out")
        if name not in frame.columns:
            have = [str(column) for column in frame.columns if column not in NO_GROUPS]
            raise InputError(
                f"{place}: {given}: no such column {name!r}; the data set has "
                f"{', '.join(have) or 'no attribute'}"
            )


def _sources(sources: Mapping[str, str], names: Sequence[str]) -> dict[str, LabelSource]:
    found: dict[str, LabelSource] = {}
    known = get_args(LabelSource)
    for name, source in sources.items():
        if name not in names:
            raise InputError(
                f"--label-source {name}: is not audited; choose of {', '.join(names) or 'none'}"
            )
        if source not in known:
            raise InputError(f"--label-source {name}={source}: must be one of {', '.join(known)}")
        found[name] = source  # type: ignore[assignment]
    return found
