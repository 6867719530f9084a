"""The parts of a model: views, backbone, aggregator, head."""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)

Share = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[int, Field(gt=0)]
Amount = Annotated[float, Field(ge=0)]

AggregatorName = Literal[
    "sae", "mean", "max", "single", "mean_predictions", "concat", "scale", "tnet", "han",
    "sat_soft", "sat_hard", "dvan", "san", "mlb", "mcb", "hiecoatt", "ban", "mcan", "second_order",
    "views_mlp", "regions_mlp",
]  # fmt: skip
FACE_REGIONS = frozenset({"san", "mlb", "mcb", "hiecoatt", "ban", "mcan", "regions_mlp"})
VIEW_REGIONS = frozenset({"han", "dvan"})
"""Aggregators that use regions of the plain face, and of each view."""
CONTROLS = frozenset({"views_mlp", "regions_mlp"})
WITH_HEADS = frozenset({"sae", "mcan"})
VIEW_LOSS = {"scale": 1.0, "tnet": 0.7 / 0.3}
"""Weight of the views' own losses where the method has them."""
HeadName = Literal[
    "hierarchical", "regression", "expectation", "dldl_v2", "mean_variance", "corn", "decoupled",
    "partition",
]  # fmt: skip
OptimizerName = Literal["ranger", "adamw"]
AROUND = ("bcnn", "cbam", "dasnet", "racnn", "stn", "tnet", "two_level")
ZOOMING = frozenset({"tnet", "two_level"})
"""Backbones that work around another one, and those of them that show it parts of the image."""

TRAINED = frozenset({"dasnet"})
"""Those whose network inside must have learned before, because here it does not."""


CHECKPOINT = "model.safetensors"
"""What a finished run calls its checkpoint; people know it by the folder."""


class Strict(BaseModel):
    """A frozen value that knows all its keys; its numbers are finite."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


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
    """Any timm network, or one that attends, and where its weights come from.

    ``init``: ``random``, ``timm`` (its published weights), ``package:efficientnet-lite0``,
    ``zoo:NAME`` (a model that comes with this one), or a file (.safetensors, or .pth of plain
    tensors). A file that does not fit key by key is refused
    unless ``partial``. ``frozen``: not trained, BatchNorm in evaluation mode.

    Families that attend around a network name it: ``name = "stn"``, ``of = "resnet18"``; its
    weights are then those that ``init`` names, unless a file holds the whole. Keys that a family
    does not use have no effect. ``transformers``: of ``stn``. ``width``: channels whose products
    ``bcnn`` pools (64); hidden layer that scores the places of ``tnet`` and that proposes the
    squares of ``racnn`` (128). ``sketch``: size of ``bcnn``'s compact form; 0 is the full one.
    ``base``: side in pixels of all that the network inside ``tnet`` sees, and of ``racnn``'s
    squares (half the input). Of ``tnet``: ``grid`` x ``grid`` places, windows of ``overlap`` of
    the side; how many ``locations`` are looked at, at each level; ``policy`` of training.
    ``proposal_steps``: batches in which ``racnn`` learns to propose the squares of highest response
    before it learns where to look from the answers. Of ``ram`` and ``dram``: ``glimpses`` of
    ``patches`` patches each, the finest of ``glimpse`` pixels (a quarter of the input's side);
    ``sigma``, SD of the drawn locations, where the image is [-1, 1].
    ``hourglass`` is a network of its own: ``stacks``, ``parts`` (8), ``width`` (128). ``dasnet``
    looks ``passes`` times and learns its gains by ``optim``: ``snes`` in ``generations`` after the
    rest has learned, or ``backprop`` with it; ``width`` is that of their policy (64).
    ``two_level`` has ``base``, ``grid`` and ``overlap`` as ``tnet`` has; the first of its
    ``locations`` says how many patches are kept, ``parts`` (3) are groups of filters.
    """

    name: str = "resnet50"
    init: str = "random"
    partial: bool = False
    frozen: bool = False
    of: str | None = None
    transformers: Positive = 1
    width: Positive | None = None
    sketch: Annotated[int, Field(ge=0)] = 0
    base: Annotated[int, Field(ge=16)] | None = None
    grid: Annotated[int, Field(ge=2, le=32)] = 5
    overlap: Annotated[float, Field(gt=0, le=1)] = 0.34
    locations: Annotated[tuple[Positive, ...], Field(min_length=1, max_length=3)] = (3,)
    policy: Literal["gumbel_topk", "topk"] = "gumbel_topk"
    stacks: Annotated[int, Field(ge=1, le=8)] = 2
    parts: Annotated[int, Field(ge=2, le=64)] | None = None
    proposal_steps: Positive = 200
    glimpses: Annotated[int, Field(ge=2, le=64)] = 6
    patches: Annotated[int, Field(ge=1, le=6)] = 3
    glimpse: Annotated[int, Field(ge=8)] | None = None
    sigma: Annotated[float, Field(gt=0, le=1)] = 0.05
    passes: Annotated[int, Field(ge=2, le=16)] = 3
    optim: Literal["snes", "backprop"] = "snes"
    generations: Annotated[int, Field(ge=0)] = 30

    @model_validator(mode="after")
    def _placed(self) -> BackboneConfig:
        if max(self.locations) > self.grid**2:
            raise ValueError(
                f"locations {max(self.locations)} of {self.grid} x {self.grid} places; ask for at "
                f"most {self.grid**2}, or raise grid"
            )
        return self

    @model_validator(mode="after")
    def _wrapped(self) -> BackboneConfig:
        if self.name in AROUND and self.of is None:
            raise ValueError(
                f"{self.name!r} works around another network; name it with of, such as "
                "of = 'resnet18'"
            )
        if self.of is not None and self.name not in AROUND:
            raise ValueError(
                f"{self.name!r} is no family that works around another network (those are "
                f"{', '.join(AROUND)}); leave out of"
            )
        return self

    @model_serializer(mode="wrap")
    def _bare(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Without the keys of families where none is set: a plain network is written as ever."""
        told: dict[str, Any] = handler(self)
        shared = {"name", "init", "partial", "frozen"}
        if self.of is None:
            fields = type(self).model_fields
            for key in {*told} - shared:
                if getattr(self, key) == fields[key].default:
                    del told[key]
        return told

    def inner_size(self, size: int) -> int:
        """Side in pixels of what the network inside sees, for an input of ``size``."""
        return (self.base or -(-size // 2)) if self.name in ZOOMING else size

    @property
    def label(self) -> str:
        """Its name, with that of the network inside, and which of a family's methods it is.

        Examples
        --------
        >>> BackboneConfig(name="stn", of="resnet18").label
        'stn.resnet18'
        """
        method = ""  # that of the family's first paper
        if self.name == "dasnet" and self.optim != "snes":
            method = f"-{self.optim}"
        elif self.name == "bcnn" and self.sketch:
            method = "-compact"
        name = self.name + method
        return name if self.of is None else f"{name}.{self.of}"

    @property
    def identity(self) -> str:
        """All that its output depends on beside weights and input.

        Examples
        --------
        >>> BackboneConfig(name="stn", of="resnet18", transformers=2).identity
        'stn {"of": "resnet18", "transformers": 2}'
        """
        shared = {"name", "init", "partial", "frozen"}
        own = self.model_dump(mode="json", exclude=shared, exclude_defaults=True)
        return f"{self.name} {json.dumps(own, sort_keys=True)}" if own else self.name


class AggregatorConfig(Strict):
    """How K embeddings become one; keys that an aggregator does not use have no effect.

    ``layers``, ``heads``, ``feedforward``: of ``sae`` and ``mcan``. ``dropout``: of all that have
    it. ``token_scale`` multiplies the learned CLS token of ``sae`` at its birth: N(0, 1) in 1024
    dimensions has norm 32 beside embeddings of norm 1. ``width``: of the hidden or joint layer;
    each has a default of its own. ``steps``: of ``sat_*`` (4) and hops of ``san`` (2).
    ``glimpses``: maps of ``mlb``, ``mcb`` (0: the mean region) and ``ban``. ``sketch``: size of
    ``mcb``'s. ``view_loss``: weight of the mean loss of the views alone beside that of the whole;
    0 but for ``scale`` (1) and ``tnet`` (0.7 / 0.3). ``cells``: regions are pooled to at most that
    many by side. ``partner``: whose number of parameters ``views_mlp`` and ``regions_mlp`` have,
    by the same keys.
    """

    name: AggregatorName = "sae"
    layers: Positive = 4
    heads: Positive = 4
    feedforward: Positive = 1024
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.3
    token_scale: Annotated[float, Field(gt=0)] = 1.0
    width: Positive | None = None
    steps: Positive | None = None
    glimpses: Annotated[int, Field(ge=0)] = 2
    sketch: Annotated[int, Field(ge=2)] = 4096
    view_loss: Amount | None = None
    cells: Positive = 7
    partner: AggregatorName | None = None

    @model_validator(mode="after")
    def _partnered(self) -> AggregatorConfig:
        if self.name in CONTROLS and (self.partner is None or self.partner in CONTROLS):
            raise ValueError(
                f"{self.name!r} has as many parameters as another aggregator; say with partner "
                "which, such as partner = 'ban'"
            )
        if self.name == "ban" and not self.glimpses:
            raise ValueError("'ban' has at least one map; set glimpses to 1 or more")
        return self

    @property
    def regions(self) -> Literal["none", "face", "view"]:
        """Which regions it uses: none, those of the plain face, or those of each view."""
        if self.name in VIEW_REGIONS:
            return "view"
        return "face" if self.name in FACE_REGIONS else "none"

    @property
    def own_loss(self) -> float:
        """Weight of the views' own losses."""
        return VIEW_LOSS.get(self.name, 0.0) if self.view_loss is None else self.view_loss


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
