"""The spec of a foreign model: one TOML that says what goes into the network and what comes out.

A complete one is ``hae/zoo/age_and_gender.toml``.
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import ErrorDetails

from audit.errors import InputError

Triple = tuple[float, float, float]
Text = Annotated[str, Field(min_length=1)]


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class WeightsSpec(_Strict):
    """Where the ONNX file lies: beside the TOML, or inside an installed Python package."""

    file: Text
    package: Annotated[str, Field(pattern=r"^\w+$")] | None = None
    sha256: str | None = None


class InputSpec(_Strict):
    """From pixels to the network's input: ``(range(pixel) - mean) / std`` per channel.

    ``range`` is what the bytes 0 and 255 become; ``mean`` and ``std`` are on that scale and in the
    order of ``colour``. ``keep`` is the share of the image's side that is cut out about the centre.
    """

    name: str | None = None
    size: tuple[Annotated[int, Field(gt=0)], Annotated[int, Field(gt=0)]]
    layout: Literal["NCHW", "NHWC"] = "NCHW"
    colour: Literal["RGB", "BGR"] = "RGB"
    range: tuple[float, float] = (0.0, 1.0)
    mean: Triple = (0.0, 0.0, 0.0)
    std: Triple = (1.0, 1.0, 1.0)
    keep: Annotated[float, Field(gt=0, le=1)] = 1.0

    @model_validator(mode="after")
    def _sensible(self) -> InputSpec:
        if min(self.std) <= 0:
            raise ValueError(f"std is {list(self.std)}, every entry must be above 0")
        if self.range[0] >= self.range[1]:
            raise ValueError(f"range is {list(self.range)}, must be [low, high] with low < high")
        return self


class AgeOutput(_Strict):
    """Probabilities over ages: the estimate is their expectation over ``centres``, in years."""

    name: str | None = None
    centres: Annotated[tuple[float, ...], Field(min_length=2)]
    softmax: bool = False

    @model_validator(mode="after")
    def _increasing(self) -> AgeOutput:
        if any(a >= b for a, b in zip(self.centres, self.centres[1:], strict=False)):
            raise ValueError("centres must increase")
        return self


class ClassOutput(_Strict):
    """Probabilities of the expression classes, in the network's order."""

    name: str | None = None
    classes: Annotated[tuple[Text, ...], Field(min_length=2)]
    softmax: bool = False

    @model_validator(mode="after")
    def _distinct(self) -> ClassOutput:
        if len(set(self.classes)) != len(self.classes):
            raise ValueError(f"classes must be distinct, got {', '.join(self.classes)}")
        return self


class EmbeddingOutput(_Strict):
    """A vector per face."""

    name: Text


class OutputsSpec(_Strict):
    """What the network gives; ``name`` may be left out where it has a single output."""

    age: AgeOutput | None = None
    expression: ClassOutput | None = None
    embedding: EmbeddingOutput | None = None

    @model_validator(mode="after")
    def _something(self) -> OutputsSpec:
        if self.age is None and self.expression is None:
            raise ValueError("must have [outputs.age] or [outputs.expression]")
        return self


class ModelSpec(_Strict):
    """Everything needed to run a foreign model."""

    name: Text
    terms: str | None = None
    crop: str | None = None
    """In words: how a face must be cut out before this model sees it, and how that was found."""
    weights: WeightsSpec
    input: InputSpec
    outputs: OutputsSpec


def read_spec(path: Path) -> ModelSpec:
    """Read a model spec.

    Raises
    ------
    InputError
        The file is missing, no TOML, has an unknown key (the nearest known one is named), or a
        value that breaks its rule.
    """
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read ({error}); give a model spec in TOML") from None
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{path}: is no TOML: {error}") from None
    try:
        return ModelSpec.model_validate(content)
    except ValidationError as error:
        raise InputError(f"{path.name}: {_first(error.errors()[0])}") from None


def _first(error: ErrorDetails) -> str:
    where = ".".join(map(str, error["loc"])) or "the spec"
    if error["type"] == "extra_forbidden":
        known = _keys(error["loc"][:-1])
        near = difflib.get_close_matches(str(error["loc"][-1]), known, n=1, cutoff=0.5)
        guess = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(known)}"
        return f"unknown key {where!r}; {guess}"
    if error["type"] == "missing":
        return f"the key {where!r} is missing"
    message = error["msg"].removeprefix("Value error, ")
    shown = error["input"] if isinstance(error["input"], str | int | float) else None
    return f"{where}: {message}" + (f", got {shown!r}" if shown is not None else "")


def _keys(location: Sequence[int | str]) -> list[str]:
    model: Any = ModelSpec
    for part in location:
        kinds = [model.model_fields[str(part)].annotation]
        kinds += getattr(kinds[0], "__args__", ())
        model = next(kind for kind in kinds if hasattr(kind, "model_fields"))
    return list(model.model_fields)
