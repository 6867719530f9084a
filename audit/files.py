"""Files are written whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path


def write_text(path: Path, text: str) -> None:
    """Write a text file in UTF-8, whole or not at all."""
    write_bytes(path, text.encode())


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file to a temporary name beside it, then rename: whole or not at all.

    Raises
    ------
    OSError
        It cannot be written; the error names the file that was asked for.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        temporary.write_bytes(content)
        temporary.replace(path)
    except OSError as error:
        if error.errno is not None and error.filename2 is None:
            error.filename = str(path)  # a full disk names no file, other errors the temporary one
        raise
    finally:
        temporary.unlink(missing_ok=True)
