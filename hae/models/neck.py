"""From images to one embedding of a face: what models of age and of expression share."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from hae.aggregate.core import Aggregator, build
from hae.aggregate.streams import Combined, Shape, Streams
from hae.backbones.attended import Attended
from hae.backbones.network import Backbone
from hae.config import AgeModelConfig, AggregatorConfig
from hae.heads.branch import full


@dataclass(frozen=True, eq=False)
class Seen:
    """What the backbone says of b faces.

    ``features`` (b, k, d_b). ``regions``, as the aggregator asks: of the plain face (b, r, c), of
    each view (b, k, r, c), or None. ``attended``: what a backbone in training looked at in each
    view, (b * k), where it learns where to look.
    """

    features: Tensor
    regions: Tensor | None = None
    attended: Attended | None = None

    def apart(self) -> Seen:
        """Each view as a face of its own, with the regions that belong to it, (b * k, 1, d_b)."""
        k = self.features.shape[1]
        regions = self.regions
        if regions is not None:
            if regions.ndim == 3:
                regions = regions.repeat_interleave(k, dim=0)
            else:
                regions = regions.flatten(0, 1)[:, None]
        return Seen(self.features.flatten(0, 1)[:, None], regions)


def make_neck(
    config: AgeModelConfig, backbone: Backbone
) -> tuple[nn.Linear, Aggregator, nn.Linear | None]:
    """Projection of the views, aggregator, and projection of the regions if it uses any.

    Raises
    ------
    InputError
        The backbone has no regions and the aggregator needs them.
    """
    projection = nn.Linear(backbone.out_dim, config.embedding)
    shape = Shape(config.embedding, config.views.k, backbone.region_dim)
    aggregator = build(shape, config.aggregator)
    if config.aggregator.regions == "none":
        return projection, aggregator, None
    backbone.n_regions(config.size)
    return projection, aggregator, nn.Linear(backbone.region_dim, config.embedding)


def combine(
    projection: nn.Linear,
    aggregator: Aggregator,
    region_projection: nn.Linear | None,
    seen: Seen,
    *,
    maps: bool = False,
) -> tuple[Tensor, Combined]:
    """The views' embeddings (b, k, d), and what the aggregator makes of them."""
    regions = None
    if region_projection is not None and seen.regions is not None:
        regions = project(region_projection, seen.regions)
    e = project(projection, seen.features)
    return e, aggregator(Streams(e, regions, maps=maps))


def see(backbone: Backbone, config: AggregatorConfig, views: Tensor, plain: Tensor | None) -> Seen:
    """Normalised views (b, k, 3, h, w), and plain faces (b, 1, 3, h, w), in one pass.

    Raises
    ------
    ValueError
        The aggregator uses regions of the plain face, and there is none.
    """
    b, k = views.shape[:2]
    flat = views.flatten(0, 1)
    if config.regions == "face":
        if plain is None:
            raise ValueError(f"aggregator {config.name}: uses regions, give the plain faces too")
        flat = torch.cat([flat, plain.flatten(0, 1)])
    features, regions, attended = _looked(backbone, config, flat)
    of_views = features[: b * k].reshape(b, k, -1)
    if attended is not None:
        attended = attended.first(b * k)
    if regions is None:
        return Seen(of_views, None, attended)
    if config.regions == "view":
        return Seen(of_views, regions.unflatten(0, (b, k)), attended)  # type: ignore[no-untyped-call]
    return Seen(of_views, regions[b * k :], attended)


def _looked(
    backbone: Backbone, config: AggregatorConfig, images: Tensor
) -> tuple[Tensor, Tensor | None, Attended | None]:
    """Features, regions if the aggregator uses any, and what training has to know."""
    if backbone.learns_where and backbone.training:
        found = backbone.attend(images, config.cells)
        return found.features, None if config.regions == "none" else found.regions, found
    if config.regions == "none":
        return backbone(images), None, None
    features, regions = backbone.with_regions(images, config.cells)
    return features, regions, None


def features_of(backbone: Backbone, views: Tensor) -> Tensor:
    """Features of all views in one pass, (b, k, 3, h, w) -> (b, k, d_b)."""
    flat: Tensor = backbone(views.flatten(0, 1))  # (b * k, d_b)
    return flat.view(*views.shape[:2], -1)


def regions_of(backbone: Backbone, views: Tensor, cells: int) -> Tensor:
    """Regions of every view, (b, k, 3, h, w) -> (b, k, r, c)."""
    found = backbone.with_regions(views.flatten(0, 1), cells)[1]
    return found.view(*views.shape[:2], *found.shape[1:])


def project(layer: nn.Linear, x: Tensor) -> Tensor:
    """L2norm(LeakyReLU(W x + b)) in float32."""
    return functional.normalize(full(functional.leaky_relu(layer(x), 0.01)), dim=-1)
