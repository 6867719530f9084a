"""Tables for a spreadsheet: no cell is taken for a formula."""

from __future__ import annotations

import pandas as pd

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")


def csv_text(frame: pd.DataFrame) -> str:
    """A frame as CSV; a text that a spreadsheet would compute gets an apostrophe in front.

    Names of groups come from tables of others: ``=HYPERLINK(...)`` in one must stay a name. Numbers
    are left as they are. To read the exact names, read the record.

    Examples
    --------
    >>> print(csv_text(pd.DataFrame({"group": ["=1+1", "a"], "value": [-0.5, None]})), end="")
    group,value
    '=1+1,-0.5
    a,
    """
    safe = frame.copy()
    for place, dtype in enumerate(frame.dtypes):
        if not pd.api.types.is_numeric_dtype(dtype):
            safe.isetitem(place, [_plain(value) for value in frame.iloc[:, place]])
    safe.columns = pd.Index([_plain(name) for name in frame.columns])
    return safe.to_csv(index=False)


def _plain(value: object) -> object:
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value
