"""What is trained and how: one checked, frozen value; a file of it and ``--set`` say the same.

No torch here: a config is read, shown and compared without it.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator


Share = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[int, Field(gt=0)]
Amount = Annotated[float, Field(ge=0)]

AggregatorName = Literal["sae", "mean", "max", "single", "mean_predictions"]
HeadName = Literal["hierarchical", "regression", "expectation", "dldl_v2", "mean_variance", "corn"]
OptimizerName = Literal["ranger", "adamw"]


class Strict(BaseModel):
    """A frozen value that knows all its keys."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class ViewsConfig(Strict):
    """K random views of one face; the defaults are those of the paper's code for MORPH.

    ``crop_*``: a box of that share of the area and aspect ratio, scaled to the input. ``flip``:
    probability. ``brightness`` ... ``hue``: half-widths about 1 (hue: about 0, in turns), applied
    together with probability ``colour_p``. ``degrees`` ... ``shear`` (degrees): applied together
    with probability ``affine_p``. ``erase_*``: probability, share of the area and aspect ratio of
    a box that is set to the mean colour.
    """

    k: Annotated[int, Field(ge=1, le=256)] = 10
    crop_scale: tuple[Share, Share] = (0.9, 1.0)
    crop_ratio: tuple[float, float] = (0.75, 4 / 3)
    flip: Share = 0.5
    brightness: Share = 0.1
    contrast: Share = 0.1
    saturation: Share = 0.1
    hue: Annotated[float, Field(ge=0, le=0.5)] = 0.1
    colour_p: Share = 0.5
    degrees: Annotated[float, Field(ge=0, le=180)] = 10.0
    translate: Share = 0.1
    scale: tuple[float, float] = (0.9, 1.1)
    shear: Annotated[float, Field(ge=0, lt=90)] = 5.0
    affine_p: Share = 0.5
    erase_p: Share = 0.5
    erase_area: tuple[Share, Share] = (0.02, 0.33)
    erase_ratio: tuple[float, float] = (0.3, 3.3)

    @model_validator(mode="after")
    def _ordered(self) -> ViewsConfig:
        for name in ("crop_scale", "crop_ratio", "scale", "erase_area", "erase_ratio"):
            low, high = getattr(self, name)
            if not 0 < low <= high:
                raise ValueError(f"{name} is [{low:g}, {high:g}], must be 0 < low <= high")
        return self


class BackboneConfig(Strict):
    """Any timm network, and where its weights come from.

    ``init``: ``random``, ``timm`` (its published weights), ``package:efficientnet-lite0``, or a
    file (.safetensors, or .pth of plain tensors). A file that does not fit key by key is refused
    unless ``partial``. ``frozen``: not trained, BatchNorm in evaluation mode.
    """

    name: str = "resnet50"
    init: str = "random"
    partial: bool = False
    frozen: bool = False


class AggregatorConfig(Strict):
    """How K embeddings become one; all but ``name`` belong to ``sae``.

    ``token_scale`` multiplies the learned CLS token at its birth: N(0, 1) in 1024 dimensions has
    norm 32 beside embeddings of norm 1.
    """

    name: AggregatorName = "sae"
    layers: Positive = 4
    heads: Positive = 4
    feedforward: Positive = 1024
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.3
    token_scale: Annotated[float, Field(gt=0)] = 1.0


class HeadConfig(Strict):
    """From the embedding to an age.

    C = floor((age_max - age_min) / bin_width) + 1 bins of ``bin_width`` years from ``age_min``;
    with ``open_top`` the last holds every higher age too. ``hidden``: width of the two branches.
    ``mean_weight``, ``variance_weight``: of the mean-variance terms, in bin-index units or in years
    (``mean_units``); ``pan_half``: the mean term with Pan et al.'s factor 1/2. ``sigma``: SD in
    years of DLDL-v2's label distribution. Keys that a head does not use have no effect.
    """

    name: HeadName = "hierarchical"
    age_min: float = 0.0
    age_max: float = 100.0
    bin_width: Annotated[float, Field(gt=0)] = 1.0
    open_top: bool = True
    hidden: Positive = 1024
    mean_weight: Amount = 0.2
    variance_weight: Amount = 0.05
    mean_units: Literal["index", "years"] = "index"
    pan_half: bool = False
    sigma: Annotated[float, Field(gt=0)] = 2.0

    @model_validator(mode="after")
    def _range(self) -> HeadConfig:
        if self.age_min >= self.age_max:
            raise ValueError(
                f"age_min is {self.age_min:g} and age_max {self.age_max:g}, must be min < max"
            )
        if self.n_bins < 2:
            raise ValueError(f"bin_width {self.bin_width:g} leaves one bin; make it smaller")
        return self

    @property
    def n_bins(self) -> int:
        """C = floor((age_max - age_min) / bin_width) + 1.

        Examples
        --------
        >>> HeadConfig(age_min=15, age_max=80, bin_width=5).n_bins
        14
        """
        return int((self.age_max - self.age_min) / self.bin_width + 1)

    @property
    def centres(self) -> tuple[float, ...]:
        """c_i = age_min + bin_width / 2 + i bin_width, in years.

        Examples
        --------
        >>> HeadConfig(age_min=12, age_max=43, bin_width=8).centres
        (16.0, 24.0, 32.0, 40.0)
        """
        first = self.age_min + self.bin_width / 2
        return tuple(first + i * self.bin_width for i in range(self.n_bins))


class AgeModelConfig(Strict):
    """The network: backbone, projection to ``embedding`` dimensions, aggregator, head.

    ``size``: side of the square input in pixels; ``keep``: share of the image's side that is cut
    out about its centre before scaling; ``mean``, ``std``: normalisation of RGB in [0, 1].
    """

    size: Annotated[int, Field(ge=16, le=1024)] = 224
    keep: Annotated[float, Field(gt=0, le=1)] = 1.0
    mean: tuple[float, float, float] = (0.485, 0.456, 0.406)
    std: tuple[float, float, float] = (0.229, 0.224, 0.225)
    embedding: Positive = 1024
    backbone: BackboneConfig = BackboneConfig()
    aggregator: AggregatorConfig = AggregatorConfig()
    head: HeadConfig = HeadConfig()
    views: ViewsConfig = ViewsConfig()

    @model_validator(mode="after")
    def _fits(self) -> AgeModelConfig:
        if self.aggregator.name == "single" and self.views.k != 1:
            raise ValueError(f"aggregator 'single' takes one view, views.k is {self.views.k}")
        if self.aggregator.name == "sae" and self.embedding % self.aggregator.heads:
            raise ValueError(
                f"embedding {self.embedding} must be a multiple of the {self.aggregator.heads} heads"
            )
        return self
