"""Large arrays in files that several runs may share."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from audit.errors import InputError


@contextmanager
def locked(path: Path, *, wait: bool = True) -> Iterator[None]:
    """Let one process at a time inside, by a lock file that the system frees when it dies.

    Two runs that share a cache would else both fill the same file, and each cut off what the other
    had written.

    Raises
    ------
    InputError
        Another process is inside and this one is not to ``wait``.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab") as stream:
        if os.name == "posix":
            import fcntl

            try:
                fcntl.flock(stream, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise InputError(
                    f"{path.parent}: another process is at work there; wait for its end, or give "
                    "another folder"
                ) from None
        yield


def new_array(
    path: Path, dtype: npt.DTypeLike, shape: tuple[int, ...]
) -> np.memmap[Any, np.dtype[Any]]:
    """Make a memory-mapped ``.npy`` file of zeros that has its room on the disk.

    Without the room, writing into it later would kill the process without a word.

    Raises
    ------
    InputError
        The disk is full.
    """
    try:
        array: np.memmap[Any, np.dtype[Any]] = np.lib.format.open_memmap(
            path, mode="w+", dtype=dtype, shape=shape
        )
        if hasattr(os, "posix_fallocate"):
            with path.open("r+b") as stream:
                os.posix_fallocate(stream.fileno(), 0, path.stat().st_size)
    except OSError as error:
        path.unlink(missing_ok=True)
        size = int(np.prod(shape, dtype=np.int64)) * np.dtype(dtype).itemsize / 1e9
        raise InputError(
            f"{path.parent}: no room for {size:.3g} GB ({error.strerror}); make room or give "
            "another --cache"
        ) from None
    return array
