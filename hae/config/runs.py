"""A whole run of training: the model, the optimizer, the steps."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from hae.config.parts import (
    WITH_HEADS,
    AggregatorConfig,
    Amount,
    BackboneConfig,
    HeadConfig,
    OptimizerName,
    Positive,
    Share,
    Strict,
    ViewsConfig,
)


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
        named = {self.aggregator.name, self.aggregator.partner}
        if named & WITH_HEADS and self.embedding % self.aggregator.heads:
            raise ValueError(
                f"embedding {self.embedding} must be a multiple of heads {self.aggregator.heads}"
            )
        return self


class OptimizerConfig(Strict):
    """The paper's Ranger (weight decay 0), or AdamW; linear warm-up, then cosine to 0."""

    name: OptimizerName = "ranger"
    lr: Annotated[float, Field(gt=0)] = 1e-3
    weight_decay: Amount = 0.0
    warmup: Annotated[int, Field(ge=0)] = 10_000
    clip: Amount = 0.0
    """Largest norm of the gradient; 0 leaves it."""


class IdentityConfig(Strict):
    """The paper's first stage: ``embedding`` dimensions, ArcFace's ``margin`` (radians), ``scale``.

    Used by ``train identity`` alone.
    """

    embedding: Positive = 512
    margin: Annotated[float, Field(ge=0, lt=1.57)] = 0.5
    scale: Annotated[float, Field(gt=0)] = 64.0


class ExpressionConfig(Strict):
    """The Self-Cure Network (Wang et al., CVPR 2020), its variants and its baselines.

    Used by ``train expression`` alone. ``cure = false`` is plain cross-entropy, with
    ``label_smoothing`` where that is set. ``high_share``: beta, share of a batch that counts as
    certain. ``rank_margin``: delta 1, by how much its mean importance must exceed that of the rest;
    ``learn_margin`` lets it be learned. ``rank_weight``: gamma of the rank term, 1 - gamma is that
    of the cross-entropy. ``relabel``: of the uncertain part as the paper says, or of the whole
    batch as the released code does, from the ``relabel_from``-th epoch on, where another class is
    more probable than the label's by over ``relabel_margin`` (delta 2). ``soft_labels``: votes are
    the target where the data have them. ``balanced``: every class is drawn equally often.
    ``label_noise``: share of the training labels that is flipped on purpose, as ``noise`` says.
    ``aggregate``: the model's K views of a face are combined by its aggregator, in training and
    after it; else a face is learned from one view and told from the plain image, as in the paper.
    """

    cure: bool = True
    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.0
    high_share: Annotated[float, Field(gt=0, lt=1)] = 0.7
    rank_margin: Share = 0.15
    learn_margin: bool = False
    rank_weight: Share = 0.5
    relabel: Literal["off", "low_group", "whole_batch"] = "low_group"
    relabel_from: Positive = 10
    relabel_margin: Annotated[float, Field(ge=-1, le=1)] = 0.2
    soft_labels: bool = False
    balanced: bool = False
    label_noise: Annotated[float, Field(ge=0, lt=1)] = 0.0
    noise: Literal["symmetric", "pair", "instance"] = "symmetric"
    aggregate: bool = False

    @model_validator(mode="after")
    def _consistent(self) -> ExpressionConfig:
        if self.cure and self.label_smoothing:
            raise ValueError("label_smoothing is a baseline's; set cure = false with it")
        if self.soft_labels and self.label_noise:
            raise ValueError("label_noise flips labels, soft_labels trains on votes; choose one")
        return self


class RunConfig(Strict):
    """One training run; the defaults are the paper's recipe for its third stage.

    ``steps`` of the optimizer, each on ``batch_size`` x ``accumulate`` faces on each of the
    devices. ``validation``: share of the people that are held out of the training data for
    selection, unless a split is named for it. ``selection_views``: views of a validation face while
    training; the end uses all. ``embed_views``: views of every training face that a frozen backbone
    embeds once; 0 trains on images. ``view_seed``: of those views and of the fixed ones of
    validation and prediction, so that runs with other seeds share them; the seed unless stated.
    """

    name: Annotated[str, Field(min_length=1, pattern=r"^[\w.-]+$")] = "hae"
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 0
    model: AgeModelConfig = AgeModelConfig()
    identity: IdentityConfig = IdentityConfig()
    expression: ExpressionConfig = ExpressionConfig()
    optimizer: OptimizerConfig = OptimizerConfig()
    steps: Positive = 150_000
    batch_size: Annotated[int, Field(ge=2)] = 8
    accumulate: Positive = 1
    validation: Annotated[float, Field(gt=0, lt=1)] = 0.15
    validate_every: Positive = 1000
    selection_views: Positive = 1
    save_every: Positive = 1000
    precision: Literal["fp32", "bf16"] = "fp32"
    compile: bool = False
    embed_views: Annotated[int, Field(ge=0)] = 0
    view_seed: Annotated[int, Field(ge=0, lt=2**31)] | None = None
    storage: Literal["fp32", "fp16"] = "fp32"
    """Of the finished weights; fp16 halves the file (BatchNorm's sums stay in fp32)."""

    @property
    def seed_of_views(self) -> int:
        """Of stored and fixed views."""
        return self.seed if self.view_seed is None else self.view_seed

    @model_validator(mode="after")
    def _consistent(self) -> RunConfig:
        if self.embed_views and not self.model.backbone.frozen:
            raise ValueError("embed_views needs model.backbone.frozen = true")
        if self.embed_views and self.embed_views < 4 * self.model.views.k:
            raise ValueError(
                f"embed_views is {self.embed_views}, must be at least 4 x views.k = "
                f"{4 * self.model.views.k}, so that a face is seen through different views"
            )
        aggregator, k = self.model.aggregator, self.model.views.k
        if aggregator.name == "concat" and min(self.selection_views, k) < k:
            raise ValueError(
                f"'concat' has a place for each of the views.k = {k}; set selection_views = {k}"
            )
        if self.optimizer.name == "ranger" and self.optimizer.weight_decay:
            raise ValueError("optimizer 'ranger' is the paper's with weight_decay 0; use adamw")
        if self.optimizer.warmup >= self.steps:
            default = "" if "warmup" in self.optimizer.model_fields_set else " (its default)"
            raise ValueError(
                f"optimizer.warmup is {self.optimizer.warmup}{default}, must be below steps = "
                f"{self.steps}; set optimizer.warmup, or more steps"
            )
        return self
