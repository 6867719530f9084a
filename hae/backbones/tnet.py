"""TNet, hard attention for scalable classification (Papadopoulos, Korus & Memon, NeurIPS 2021).

arXiv 2102.10212. Written from the formulas. It differs from the released code in that
- places are drawn without replacement and scored by Plackett-Luce, as the text says; the code takes
  the k most probable in training too (``policy = "topk"``);
- locations are told from the deepest map that has the grid's size, at the cells' centres;
- the reward is graded: exp(-|error| / 5 years) of an age, the probability of the true expression;
- features are averaged; their softmax-weighted mean is the aggregator ``tnet``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional

from audit.errors import InputError
from hae.backbones.attended import Attended, Judge
from hae.backbones.middle import check_windows, middle_level, seen
from hae.backbones.places import boxes, cut, pick, plackett_luce, resized
from hae.config import BackboneConfig
from hae.heads.branch import full
from hae.reinforce import moved, reinforce

if TYPE_CHECKING:
    from hae.backbones.network import Backbone

WIDTH = 128
WHOLE = 0.3
"""Weight of the answer's loss; 0.7 is that of the mean loss of the features. The same shares hold
for the rewards."""
POLICY = 0.1
FIRST_BASELINE = 0.5
SLOWEST = 100.0


class Locator(nn.Module):
    """Log-probabilities of the places of a grid, (n, c, g, g) -> (n, g^2).

    1x1 convolution, swish, squeeze and excitation (ratio 1/2), two planes of coordinates with a
    learned scale, 1x1 convolution, swish, one score each; all scores are scaled to length 1, so
    that p stays near the uniform: at most 0.265 of 9 places, 0.104 of 25.
    """

    places: Tensor

    def __init__(self, channels: int, width: int, grid: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, width, 1)
        self.gate = nn.Sequential(
            nn.Linear(width, width // 2), nn.SiLU(), nn.Linear(width // 2, width), nn.Sigmoid()
        )
        self.scale = nn.Parameter(torch.ones(2))
        self.last = nn.Sequential(nn.Conv2d(width + 2, width, 1), nn.SiLU(), nn.Conv2d(width, 1, 1))
        line = torch.linspace(-1, 1, grid)
        self.register_buffer(
            "places", torch.stack(torch.meshgrid(line, line, indexing="ij")), persistent=False
        )

    def forward(self, x: Tensor) -> Tensor:
        """Float32."""
        h = functional.silu(self.first(x))
        h = h * self.gate(h.mean((2, 3)))[..., None, None]
        places = (self.scale[:, None, None] * self.places).expand(len(x), -1, -1, -1)
        scores = full(self.last(torch.cat([h, places.to(h.dtype)], dim=1)).flatten(1))
        return functional.normalize(scores, dim=1).log_softmax(dim=1)


class TNet(nn.Module):
    """swish(v_i + W code(place_i)) of the whole image and of k places in it, their mean.

    The whole is seen at ``base`` pixels (half the input unless stated); places are windows of the
    full image, ``overlap`` of its side, brought to ``base`` pixels too, and so on in each with the
    next of ``locations``. Drawn in training (``policy``), the most probable in evaluation. The
    score of places gives no gradient to the network inside.

    Parameters
    ----------
    inner : Backbone
        Sees everything, at ``base`` pixels.
    settings : BackboneConfig
        ``grid``, ``overlap``, ``locations``, ``policy``, ``width``.
    size : int
        Side of the input.

    Raises
    ------
    InputError
        Windows or maps are too small for the grid, or ``base`` exceeds the input.
    """

    learns_where = True
    baseline: Tensor
    frequency: Tensor

    def __init__(self, inner: Backbone, settings: BackboneConfig, size: int) -> None:
        super().__init__()
        self.inner, self.settings = inner, settings
        self.base = settings.inner_size(size)
        self.locations = settings.locations
        check_windows(settings, size, len(self.locations))
        self.level, channels = middle_level(inner, self.base, settings)
        self.num_features = self.region_dim = inner.out_dim
        self.locator = Locator(channels, settings.width or WIDTH, settings.grid)
        waves = max(1, inner.out_dim // 24)  # sines and cosines of three: a quarter of the width
        self.register_buffer("frequency", SLOWEST ** -torch.linspace(0, 1, waves), persistent=False)
        self.position = nn.Linear(6 * waves, inner.out_dim)
        self.register_buffer("baseline", torch.tensor(FIRST_BASELINE))

    def forward(self, images: Tensor) -> Tensor:
        """(n, 3, s, s) -> (n, d)."""
        return self.attend(images).features

    def attend(
        self, images: Tensor, cells: int = 7, locations: tuple[int, ...] | None = None
    ) -> Attended:
        """Regions are the features of the whole and of every place.

        Parameters
        ----------
        locations : tuple of int, optional
            How many places at each level, instead of those of the config.

        Raises
        ------
        InputError
            There are fewer places in the grid.
        """
        grid, overlap = self.settings.grid, self.settings.overlap
        counts = self.locations if locations is None else locations
        if max(counts, default=0) > grid**2:
            raise InputError(
                f"backbone 'tnet': {max(counts)} locations of {grid} x {grid} places; ask for "
                f"at most {grid**2}, or raise grid"
            )
        n, maps = len(images), {}
        place = images.new_zeros(n, 3)  # y, x, level
        box = images.new_tensor([0.0, 0, 1, 1]).expand(n, 4)
        features, found, drawn = [], [box[:, None]], []
        for i, k in enumerate((*counts, 0)):
            v, middle = seen(self.inner, resized(images, self.base), self.level if k > 0 else None)
            coded = functional.silu(full(v) + full(self.position(self._code(place))))
            features.append(coded.view(n, -1, coded.shape[-1]))
            if middle is None:
                break
            logs = self.locator(_sampled(middle.detach(), grid))
            chosen = pick(logs, k, draw=self.training and self.settings.policy == "gumbel_topk")
            scores = logs.gather(1, chosen)
            if self.settings.policy == "gumbel_topk":
                scores = plackett_luce(logs, chosen)
            drawn.append(scores.reshape(n, -1))
            maps[f"places_{i + 1}"] = logs.exp().view(n, -1, grid, grid)
            box = boxes(chosen, box, images.shape[-1], grid, overlap).flatten(0, 1)
            found.append(box.view(n, -1, 4))
            images = cut(images, chosen, grid, overlap)
            place = _children(place, chosen, grid)
        parts = torch.cat(features, dim=1)
        return Attended(
            parts.mean(dim=1),
            parts,
            maps,
            torch.cat(found, dim=1),
            parts=parts,
            logs=torch.cat(drawn, dim=1) if drawn else None,
        )

    def losses(self, attended: Attended, judge: Judge) -> dict[str, Tensor]:
        """``features``: mean loss of each alone; ``policy``: of the answer and of each place.

        As parts of the paper's loss over its weight of the answer's, 0.3:
        0.7/0.3 mean_i L_i + 0.1/0.3 (0.3 (R - b)(-sum log p) + 0.7 mean_i (R_i - b)(-log p_i)).
        """
        if attended.parts is None:
            return {}
        alone = judge(attended.parts)
        terms = {"features": (1 - WHOLE) / WHOLE * alone.loss}
        if attended.logs is not None:
            reward = judge(attended.features[:, None]).score[:, 0]
            before = moved(self.baseline, reward) if self.training else self.baseline
            whole = reinforce(attended.logs.sum(dim=1), reward, before)
            each = reinforce(attended.logs, alone.score[:, 1:], before)
            terms["policy"] = POLICY / WHOLE * (WHOLE * whole + (1 - WHOLE) * each)
        return terms

    def _code(self, place: Tensor) -> Tensor:
        """Sines and cosines of (y, x, level), (m, 3) -> (m, 6 waves)."""
        angles = (place[..., None] * self.frequency).flatten(1)
        return torch.cat([angles.sin(), angles.cos()], dim=1)


def _children(place: Tensor, chosen: Tensor, grid: int) -> Tensor:
    """Children at (y grid + row, x grid + column), one level deeper; (m, 3), (m, k) -> (m k, 3)."""
    y, x, level = (value[:, None] for value in place.unbind(1))
    found = [y * grid + chosen // grid, x * grid + chosen % grid, (level + 1).expand_as(chosen)]
    return torch.stack(found, dim=-1).flatten(0, 1)


def _sampled(middle: Tensor, grid: int) -> Tensor:
    """The map at the cells' centres, (n, c, h, w) -> (n, c, grid, grid)."""
    rows, columns = (
        ((torch.arange(grid, device=middle.device) + 0.5) * side / grid).long()
        for side in middle.shape[-2:]
    )
    return middle[:, :, rows][..., columns]
