"""Which cells there are: one checked, frozen value, and the training run of each cell.

No torch here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from audit.names import check_name
from hae.config import (
    CONTROLS,
    AggregatorConfig,
    AggregatorName,
    BackboneConfig,
    HeadName,
    Positive,
    RunConfig,
    Strict,
)

BESIDE: tuple[AggregatorName, ...] = ("views_mlp", "regions_mlp")
"""Controls of an aggregator that uses regions."""
FEWEST_VIEWS = 4
"""Stored views per view of a cell, so that a face is seen through different ones."""


Mode = Literal["frozen", "end_to_end"]
TaskName = Literal["age", "expression"]
Seeds = Annotated[tuple[int, ...], Field(min_length=1)]
ExpressionHead = Literal["scn", "softmax"]
OF_EXPRESSIONS: dict[str, dict[str, object]] = {
    "scn": {"cure": True, "label_smoothing": 0.0},
    "softmax": {"cure": False},
}
"""What a head for expressions sets of ``base.expression``."""


class GridConfig(Strict):
    """A grid of models of age, of expressions, or of both.

    ``base``: the run that all cells share; grid keys lie over it. ``mode``: on frozen backbones,
    whose views of each face are stored once and shared; or ``end_to_end``, where every cell trains
    the whole network from the backbone's first weights. ``backbones``: names, or names with the
    first weights of each. Where these are ``random`` the backbone first learns the first of the
    ``tasks`` from one view in ``stage_one`` steps, on other people; end to end this may be left
    out. ``tasks``: each is trained and compared by itself, on the same stored views.
    ``expression_heads``: the Self-Cure Network, or plain cross-entropy; ``heads`` and
    ``bin_widths`` are of ages. ``aggregators``:
    names, or tables of their keys. ``controls``: beside every aggregator that uses regions the two
    with as many parameters. ``ks``: views of a face; ``stored_views`` of every training face, at
    least four times the most, for frozen backbones. ``seeds_of``: the seeds of single backbones, by
    the name that the grid tells them by, in place of ``seeds``: what draws where it looks has more
    luck in it.
    """

    base: RunConfig = RunConfig()
    mode: Mode = "frozen"
    backbones: Annotated[tuple[BackboneConfig, ...], Field(min_length=1)]
    aggregators: Annotated[tuple[AggregatorConfig, ...], Field(min_length=1)]
    tasks: Annotated[tuple[TaskName, ...], Field(min_length=1)] = ("age",)
    expression_heads: Annotated[tuple[ExpressionHead, ...], Field(min_length=1)] = ("scn",)
    heads: Annotated[tuple[HeadName, ...], Field(min_length=1)] = ("hierarchical",)
    ks: Annotated[tuple[Positive, ...], Field(min_length=1)] = (4,)
    bin_widths: Annotated[tuple[float, ...], Field(min_length=1)] = (1.0,)
    seeds: Seeds = (0, 1)
    seeds_of: dict[str, Seeds] = Field(default_factory=dict)
    stored_views: Positive = 16
    controls: bool = True
    stage_one: Positive = 1000

    @field_validator("backbones", "aggregators", mode="before")
    @classmethod
    def _bare(cls, found: object) -> object:
        """A name alone stands for a table with nothing but the name."""
        if not isinstance(found, list | tuple):
            return found
        return [{"name": item} if isinstance(item, str) else item for item in found]

    @model_validator(mode="after")
    def _whole(self) -> GridConfig:
        for name in (
            "backbones", "aggregators", "tasks", "expression_heads", "heads", "ks", "bin_widths",
            "seeds",
        ):  # fmt: skip
            values = getattr(self, name)
            if len(set(values)) < len(values):
                raise ValueError(f"{name}: one is named twice; name each once")
        names = [backbone.label for backbone in self.backbones]
        if len(set(names)) < len(names):
            raise ValueError("backbones: two have one name; a grid tells them apart by it")
        ways = [label(aggregator) for aggregator in self.aggregators]
        if len(set(ways)) < len(ways):
            raise ValueError("aggregators: two have one name; a grid tells them apart by it")
        for name, own in self.seeds_of.items():
            check_name(name, names, "seeds_of", "backbone in the grid")
            if len(set(own)) < len(own):
                raise ValueError(f"seeds_of: {name!r} names one twice; name each once")
        most = max(self.ks)
        if self.mode == "frozen" and self.stored_views < FEWEST_VIEWS * most:
            raise ValueError(
                f"stored_views is {self.stored_views}, must be at least {FEWEST_VIEWS * most}, "
                f"{FEWEST_VIEWS} for each of {most} views"
            )
        for cell in cells(self):  # a cell that cannot be is said before the first one runs
            cell.run_config()
        return self


@dataclass(frozen=True)
class Cell:
    """One model of the grid."""

    base: RunConfig
    mode: Mode
    stored_views: int
    backbone: BackboneConfig
    aggregator: AggregatorConfig
    head: HeadName | ExpressionHead
    k: int
    bin_width: float | None
    seed: int
    task: TaskName = "age"

    @property
    def key(self) -> str:
        """Its name, and that of its folder; settings beside the name are told by a hash.

        Examples
        --------
        >>> base, backbone, sae = RunConfig(), BackboneConfig(), AggregatorConfig()
        >>> Cell(base, "frozen", 16, backbone, sae, "corn", 4, 1.0, 2).key
        'resnet50-sae-corn-k4-w1-s2'
        """
        width = "" if self.bin_width is None else f"-w{self.bin_width:g}"
        way = label(self.aggregator)
        return f"{self.backbone.label}-{way}-{self.head}-k{self.k}{width}-s{self.seed}"

    def run_config(self, weights: str | None = None) -> RunConfig:
        """The training run: base with this cell's keys over it.

        ``weights``: file of what the backbone has learned; default: those that it names.
        """
        base = self.base.model_dump(mode="json")
        own = self.aggregator.model_dump(mode="json")
        k = 1 if self.aggregator.name == "single" else self.k
        model = base["model"]
        frozen = self.mode == "frozen"
        backbone = self.backbone.model_dump(mode="json") | {"frozen": frozen}
        model["backbone"] = backbone if weights is None else backbone | {"init": weights}
        model["aggregator"] = own
        if self.task == "age":
            model["head"] |= {"name": self.head, "bin_width": self.bin_width}
        else:
            base["expression"] |= {"aggregate": True} | OF_EXPRESSIONS[self.head]
        model["views"]["k"] = k
        more = {
            "name": self.key,
            "seed": self.seed,
            "embed_views": self.stored_views if frozen else 0,
            "view_seed": base["view_seed"] or 0,
            "selection_views": k,
        }
        return RunConfig.model_validate(base | more)


def label(aggregator: AggregatorConfig) -> str:
    """An aggregator's name, a control with its partner's.

    Examples
    --------
    >>> label(AggregatorConfig(name="views_mlp", partner="ban"))
    'views_mlp.ban'
    """
    partner = f".{aggregator.partner}" if aggregator.partner else ""
    return f"{aggregator.name}{partner}"


def with_controls(grid: GridConfig) -> tuple[AggregatorConfig, ...]:
    """The grid's aggregators, those that use regions followed by their two controls."""
    found: dict[str, AggregatorConfig] = {}
    for aggregator in grid.aggregators:
        found.setdefault(label(aggregator), aggregator)
        if grid.controls and aggregator.regions != "none" and aggregator.name not in CONTROLS:
            for name in BESIDE:
                control = aggregator.model_copy(update={"name": name, "partner": aggregator.name})
                found.setdefault(label(control), control)
    return tuple(found.values())


def cells(grid: GridConfig) -> Iterator[Cell]:
    """All cells, those of a backbone in a row: they share what it saw."""
    shared = grid.base, grid.mode, grid.stored_views
    for backbone, task in product(grid.backbones, grid.tasks):
        seeds = grid.seeds_of.get(backbone.label, grid.seeds)
        axes = (grid.ks, with_controls(grid), *_heads(grid, task), seeds)
        for k, aggregator, head, width, seed in product(*axes):
            yield Cell(*shared, backbone, aggregator, head, k, width, seed, task)


def _heads(
    grid: GridConfig, task: TaskName
) -> tuple[Sequence[HeadName | ExpressionHead], Sequence[float | None]]:
    """Heads and bin widths of a task."""
    if task == "age":
        return grid.heads, grid.bin_widths
    return grid.expression_heads, (None,)
