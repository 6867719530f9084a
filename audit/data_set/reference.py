"""A reference that representation is measured against: shares of groups, such as of a census."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from audit.bands import band_label, parse_band
from audit.columns import as_text
from audit.errors import InputError
from audit.groups import Cell, Grouping
from audit.reference import SHARES
from audit.rows import Concern
from audit.tables import read_table


@dataclass(frozen=True)
class Reference:
    """Shares of groups elsewhere; they sum to 1."""

    names: tuple[str, ...]
    shares: Mapping[Cell, float]

    def turned(self, names: tuple[str, ...]) -> Reference:
        """The same with its attributes in another order."""
        at = [self.names.index(name) for name in names]
        shares = {tuple(group[i] for i in at): share for group, share in self.shares.items()}
        return Reference(names, shares)


def read_shares(path: Path) -> Reference:
    """Read a table of shares: a column for each attribute, and one called share or the like.

    Shares may be counts; they are divided by their sum. Age bands are read as everywhere, so
    ``more than 70`` and ``70+`` are one.

    Raises
    ------
    InputError
        No such column, a negative or missing number, a group twice or without a name, or nothing
        above 0.
    """
    frame = read_table(path)
    numbers = [name for name in SHARES if name in frame.columns]
    names = tuple(str(name) for name in frame.columns if name not in numbers)
    if len(numbers) != 1 or not names:
        raise InputError(
            f"{path.name}: a reference needs a column for each attribute and one of "
            f"{', '.join(SHARES)}; the table has {', '.join(map(str, frame.columns))}"
        )
    share = pd.to_numeric(frame[numbers[0]], errors="coerce").to_numpy(dtype=np.float64)
    wrong = ~(np.isfinite(share) & (share >= 0))
    if wrong.any():
        row = int(wrong.argmax())
        raise InputError(
            f"{path.name} row {row + 1}: {numbers[0]} is {frame[numbers[0]].iloc[row]!r}, must be "
            "a number of at least 0"
        )
    total = share.sum()
    if total <= 0:
        raise InputError(f"{path.name}: every {numbers[0]} is 0; give one group a share above 0")
    groups = list(zip(*(_texts(frame, name, path.name) for name in names), strict=True))
    found: dict[Cell, float] = {}
    for row, (group, one) in enumerate(zip(groups, share.tolist(), strict=True), start=1):
        if group in found:
            shown = " and ".join(group)
            raise InputError(f"{path.name} row {row}: {shown} occurs twice; give it once")
        found[group] = one / total
    return Reference(names, found)


def _texts(frame: pd.DataFrame, name: str, place: str) -> list[str]:
    values = as_text(frame[name], place)
    if values.isna().any():
        row = int(values.isna().to_numpy().argmax())
        raise InputError(f"{place} row {row + 1}: {name} is empty; name the group")
    if name != "age":
        return values.tolist()
    bands = [parse_band(text) for text in values]
    return [
        text if band is None else band_label(band) for text, band in zip(values, bands, strict=True)
    ]


def reference_concerns(
    reference: Reference, item: Grouping, faces: npt.NDArray[np.float64]
) -> list[Concern]:
    """A reference that shares no group with the data, of which values are spelt otherwise."""
    here = [item.groups[g] for g in np.flatnonzero(item.known)]
    there = [group for group, share in reference.shares.items() if share > 0]
    if not faces.sum() or {*here} & {*there}:
        return []
    message = (
        f"no group of the reference by {','.join(item.names)} occurs in the data: is the same "
        f"meant by other words? the reference has {_shown(there)}; the data have {_shown(here)}"
    )
    where = ",".join(item.names)
    return [Concern(code="reference_disjoint", severity="serious", message=message, where=where)]


def _shown(groups: Sequence[Cell]) -> str:
    texts = [" x ".join(map(str, group)) for group in groups]
    return ", ".join(texts[:4]) + (f" and {len(texts) - 4} more" if len(texts) > 4 else "")
