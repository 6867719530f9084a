"""Deep modular co-attention, MCAN (Yu, Yu, Cui, Tao & Tian, CVPR 2019, arXiv 1906.10770), on faces.

Written from the formulas. Views stand where the paper has words, the regions of the plain face
where it has those of the image; its self-attention half is what the encoder of HAE is. It differs
from the released code in that LayerNorm divides by sqrt(biased variance + eps) as torch's does, not
by the unbiased deviation + eps (.03 apart after one block), and in the width of the output.
"""

from __future__ import annotations

from torch import Tensor, nn

from hae.aggregate.sae import encoder_layer
from hae.aggregate.streams import Combined, Shape, Streams, softmax, weighted
from hae.config import AggregatorConfig


class Flatten(nn.Module):
    """W sum_n a_n h_n + b with a = softmax_n of an MLP of ``width`` hidden units."""

    def __init__(self, dim: int, width: int, out_dim: int, dropout: float) -> None:
        super().__init__()
        self.scores = nn.Sequential(
            nn.Linear(dim, width), nn.ReLU(), nn.Dropout(dropout), nn.Linear(width, 1)
        )
        self.outer = nn.Linear(dim, out_dim)

    def forward(self, h: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor]:
        """(b, n, d) -> (b, out_dim) and the weights (b, n)."""
        weights = softmax(self.scores(h)[..., 0], mask)
        return self.outer(weighted(weights, h)), weights


class ModularCoAttention(nn.Module):
    """LayerNorm(flat(regions guided by the views) + flat(views)), (b, 1, d).

    ``layers`` blocks of self-attention on the views; then as many on the regions, each of
    self-attention, attention to the last views, and a feed-forward layer; post-norm. ``heads``,
    ``feedforward`` and ``dropout`` as in sae; ``width`` (d) of the flattening. Maps ``views``
    (b, k) and ``regions`` (b, r) of the flattening; ``guided`` (b, heads, r, k) of the last block,
    on request.
    """

    def __init__(self, shape: Shape, config: AggregatorConfig, out_dim: int | None = None) -> None:
        super().__init__()
        d, out = shape.dim, out_dim or shape.dim
        width = config.width or d
        self.views = nn.ModuleList(encoder_layer(d, config) for _ in range(config.layers))
        self.guided = nn.ModuleList(
            nn.TransformerDecoderLayer(
                d, config.heads, config.feedforward, config.dropout, batch_first=True
            )
            for _ in range(config.layers)
        )
        self.flat_views = Flatten(d, width, out, config.dropout)
        self.flat_regions = Flatten(d, width, out, config.dropout)
        self.norm = nn.LayerNorm(out)

    def forward(self, x: Streams) -> Combined:
        """Views (b, k, d), regions (b, r, d) -> (b, 1, d)."""
        y, regions = x.views, x.seen_regions
        no_view = None if x.mask is None else ~x.mask
        no_region = None if x.region_mask is None else ~x.region_mask
        for layer in self.views:
            y = layer(y, src_key_padding_mask=no_view)
        before = regions
        for layer in self.guided:
            before, regions = (
                regions,
                layer(
                    regions,
                    y,
                    tgt_key_padding_mask=no_region,
                    memory_key_padding_mask=no_view,
                ),
            )
        flat_views, over_views = self.flat_views(y, x.mask)
        flat_regions, over_regions = self.flat_regions(regions, x.region_mask)
        maps = {"views": over_views, "regions": over_regions}
        if x.maps:
            maps["guided"] = self._guided(before, y, no_region, no_view)
        return Combined(self.norm(flat_views + flat_regions)[:, None], maps)

    def _guided(
        self, regions: Tensor, y: Tensor, no_region: Tensor | None, no_view: Tensor | None
    ) -> Tensor:
        """What each region takes of each view in the last block, mean over nothing."""
        last: nn.TransformerDecoderLayer = self.guided[-1]  # type: ignore[assignment]
        own = last.self_attn(regions, regions, regions, key_padding_mask=no_region)[0]
        asked = last.norm1(regions + last.dropout1(own))
        found: Tensor = last.multihead_attn(
            asked, y, y, key_padding_mask=no_view, average_attn_weights=False
        )[1]
        return found if no_region is None else found.masked_fill(no_region[:, None, :, None], 0.0)
