"""What an aggregator must offer, and which there are."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Protocol

import torch
from torch import nn

from audit.configs import nearest
from audit.errors import InputError
from hae.aggregate.ban import BilinearAttention
from hae.aggregate.concat import Concat
from hae.aggregate.control import Control
from hae.aggregate.dvan import Diversified
from hae.aggregate.han import HierarchicalAttention
from hae.aggregate.hiecoatt import HierarchicalCoAttention
from hae.aggregate.mcan import ModularCoAttention
from hae.aggregate.mcb import CompactBilinearAttention
from hae.aggregate.mlb import LowRankBilinear
from hae.aggregate.pooling import Max, Mean, MeanPredictions, Single
from hae.aggregate.sae import SelfAttention
from hae.aggregate.san import StackedAttention
from hae.aggregate.sat import ShowAttendTell
from hae.aggregate.scale import ScaleAttention
from hae.aggregate.second_order import SecondOrder
from hae.aggregate.streams import Combined, Shape, Streams
from hae.aggregate.tnet import FeatureWeighting
from hae.config import AggregatorConfig, AggregatorName

TOLERANCE = 0.02
"""By what share the parameters of a control may differ from its partner's."""


class Aggregator(Protocol):
    """A module from the embeddings of K views, and regions where it uses them, to g of them."""

    def __call__(self, x: Streams) -> Combined:
        """(b, k, d) -> (b, g, d): g = 1, or k where every view gets an estimate of its own."""
        ...


def build(shape: Shape, config: AggregatorConfig) -> Aggregator:
    """The aggregator that a config names, with weights drawn from torch's global generator.

    Raises
    ------
    InputError
        There is none of this name (all are listed, the nearest first), or a control cannot have as
        many parameters as its partner.
    """
    if config.name not in AGGREGATORS:
        raise InputError(
            f"aggregator {config.name!r}: there is none; choose of "
            f"{', '.join(nearest(config.name, AGGREGATORS))}"
        )
    return AGGREGATORS[config.name](shape, config)


def n_parameters(shape: Shape, config: AggregatorConfig) -> int:
    """Parameters of an aggregator, with the projection of its regions, without making it."""
    with torch.device("meta"):
        module = build(shape, config)
    assert isinstance(module, nn.Module)
    return sum(p.numel() for p in module.parameters()) + projection_size(shape, config)


def projection_size(shape: Shape, config: AggregatorConfig) -> int:
    """Parameters of the linear layer that brings regions from c to d; 0 where none are used."""
    return (shape.region_dim + 1) * shape.dim if config.regions != "none" else 0


def _control(shape: Shape, config: AggregatorConfig, *, regions: bool) -> Aggregator:
    partner = config.model_copy(update={"name": config.partner})
    wanted = n_parameters(shape, partner)
    control = Control(shape, config, wanted - projection_size(shape, config), regions=regions)
    found = sum(p.numel() for p in control.parameters()) + projection_size(shape, config)
    if abs(found - wanted) > TOLERANCE * wanted:
        raise InputError(
            f"aggregator {config.name!r}: its smallest or nearest size is {found:,} parameters, "
            f"but {config.partner!r} has {wanted:,}; it has no control of this kind"
        )
    return control


AGGREGATORS: dict[AggregatorName, Callable[[Shape, AggregatorConfig], Aggregator]] = {
    "sae": SelfAttention,
    "mean": Mean,
    "max": Max,
    "single": Single,
    "mean_predictions": MeanPredictions,
    "concat": Concat,
    "scale": ScaleAttention,
    "tnet": FeatureWeighting,
    "han": HierarchicalAttention,
    "sat_soft": partial(ShowAttendTell, kind="soft"),
    "sat_hard": partial(ShowAttendTell, kind="hard"),
    "dvan": Diversified,
    "san": StackedAttention,
    "mlb": LowRankBilinear,
    "mcb": CompactBilinearAttention,
    "hiecoatt": HierarchicalCoAttention,
    "ban": BilinearAttention,
    "mcan": ModularCoAttention,
    "second_order": SecondOrder,
    "views_mlp": partial(_control, regions=False),
    "regions_mlp": partial(_control, regions=True),
}
"""From the shape of what comes in and the config."""
