"""The spec of a foreign model: one TOML that says what goes into the network and what comes out.

A complete one is ``hae/zoo/age_and_gender.toml``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from audit.configs import checked, read_toml
from hae.data.crop import Crop

Triple = tuple[float, float, float]
Text = Annotated[str, Field(min_length=1)]
Kind = Literal["onnx", "timm", "exported", "torchscript"]


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class WeightsSpec(_Strict):
    """Where the network comes from.

    ``onnx``, ``exported`` (``torch.export.save``, a .pt2) and ``torchscript`` are networks with
    their weights in one ``file``. ``timm`` is a network that timm builds, named by
    ``architecture``, with a ``file`` of weights (.safetensors, or .pth of plain tensors), or timm's
    own with ``pretrained = true``. The file lies beside the TOML, or inside an installed Python
    ``package``.
    """

    kind: Kind = "onnx"
    file: Text | None = None
    architecture: Text | None = None
    pretrained: bool = False
    package: Annotated[str, Field(pattern=r"^\w+$")] | None = None
    sha256: str | None = None

    @model_validator(mode="after")
    def _of_its_kind(self) -> WeightsSpec:
        if self.kind == "timm":
            if self.architecture is None:
                raise ValueError("kind 'timm' needs architecture, such as 'resnet18'")
            if (self.file is None) != self.pretrained:
                raise ValueError("kind 'timm' takes its weights from file or pretrained = true")
        elif self.file is None:
            raise ValueError(f"kind {self.kind!r} needs file")
        elif self.architecture is not None or self.pretrained:
            raise ValueError(
                f"architecture and pretrained belong to kind 'timm'; a file of kind {self.kind!r} "
                "holds its network"
            )
        if self.file is None and (self.package or self.sha256):
            raise ValueError("package and sha256 belong to a file")
        return self


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
    crop: Crop | None = None
    """How the faces it was trained on were cut before that; left out where it is not known."""

    @model_validator(mode="after")
    def _sensible(self) -> InputSpec:
        if min(self.std) <= 0:
            raise ValueError(f"std is {list(self.std)}, every entry must be above 0")
        if self.range[0] >= self.range[1]:
            raise ValueError(f"range is {list(self.range)}, must be [low, high] with low < high")
        return self


class AgeOutput(_Strict):
    """The age, in one of two forms.

    With ``centres``: probabilities over ages, whose expectation over the centres (years) is the
    estimate. With ``value = true``: a single number y, and the estimate is ``scale`` * y +
    ``offset`` in years; there is no distribution then.
    """

    name: str | None = None
    centres: Annotated[tuple[float, ...], Field(min_length=2)] = ()
    softmax: bool = False
    value: bool = False
    scale: Annotated[float, Field(allow_inf_nan=False)] = 1.0
    offset: Annotated[float, Field(allow_inf_nan=False)] = 0.0

    @model_validator(mode="after")
    def _one_form(self) -> AgeOutput:
        if self.value == bool(self.centres):
            raise ValueError(
                "must have either centres (the ages that its probabilities stand for) or "
                "value = true (a single number)"
            )
        foreign = ("softmax",) if self.value else ("scale", "offset")
        for key in foreign:
            if key in self.model_fields_set:
                form = "centres" if self.value else "value = true"
                raise ValueError(f"{key} belongs to {form}")
        if self.scale == 0:
            raise ValueError("scale is 0, which makes every age the same")
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
    """What the network gives; ``name`` may be left out where it has a single output.

    A network of torch names its outputs by the keys of its dict, or "0", "1", ... in its tuple.
    """

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
    return checked(ModelSpec, read_toml(path, "a model spec"), path.name)
