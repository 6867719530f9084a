"""The predictions of a streamed table beside its record, in the contract's columns."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from audit.predictions import Predictions
from audit.tables import is_parquet


def copy_predictions(
    path: Path, out: Path, batches: Callable[[], Iterator[Predictions]], *, as_it_is: bool
) -> None:
    """Write the table as Parquet, whole or not at all, without holding it.

    Parameters
    ----------
    batches : callable
        Gives the checked batches of the table in common form.
    as_it_is : bool
        Whether the table has the contract's columns already; a Parquet file is then copied.
    """
    out.parent.mkdir(parents=True, exist_ok=True)
    temporary = out.with_name(f".{out.name}.{os.getpid()}.tmp")
    try:
        if is_parquet(path) and as_it_is:
            shutil.copyfile(path, temporary)
        else:
            _rewritten(temporary, batches())
        temporary.replace(out)
    finally:
        temporary.unlink(missing_ok=True)


def _rewritten(out: Path, batches: Iterator[Predictions]) -> None:
    schema: pa.Schema | None = None
    with ExitStack() as stack:
        writer = None
        for shard in batches:
            frame = shard.to_frame()
            schema = schema or _schema(frame)
            table = pa.Table.from_pandas(frame, schema=schema, preserve_index=False)
            writer = writer or stack.enter_context(pq.ParquetWriter(out, schema))
            writer.write_table(table)


def _schema(frame: pd.DataFrame) -> pa.Schema:
    """Types of the first batch; text where it has none, so that later batches fit."""
    found = pa.Schema.from_pandas(frame, preserve_index=False)
    return pa.schema(
        [
            field.with_type(pa.string()) if _is_text(field.type) else field
            for field in found.remove_metadata()
        ]
    )


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_null(kind) or pa.types.is_large_string(kind))
