"""Two-level attention (Xiao, Xu, Yang, Zhang, Peng & Zhang, CVPR 2015, arXiv 1411.6447), on faces.

Written from the formulas. It differs from the paper in that
- patches come from a grid, not from a search for objects, and the whole image is always kept;
- FilterNet is a small network that learns beside the other which patches alone tell the answer,
  where the paper has one that knows the parent class;
- filters are grouped by how their responses go together on training faces, not by their weights;
- the answer is told from (object + 0.5 part) / 1.5 of the embeddings, where the paper adds the
  scores of two classifiers.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional

from audit.errors import InputError
from hae.backbones.attended import Attended, Judge
from hae.backbones.filters import Responses, detectors, group, peaks
from hae.backbones.middle import check_windows, middle_level, seen
from hae.backbones.places import boxes, cut, cut_at, pick, resized, window, windows
from hae.config import BackboneConfig
from hae.heads.branch import full

if TYPE_CHECKING:
    from hae.backbones.network import Backbone

PARTS = 3
PART = 0.5
"""Weight of the parts beside the object."""
SEEN = 32
"""Side in pixels of what FilterNet looks at."""


class TwoLevel(nn.Module):
    """(o + 0.5 p) / 1.5: o the mean of the whole and of the kept patches, p that of the parts.

    Object level: FilterNet scores the windows of a ``grid``, and the k best (``locations``) are
    kept; in training k are drawn in proportion to the odds of their scores. Part level: the filters
    of a middle map are in ``parts`` (3) groups; where the mean response of a group is highest a
    window of ``overlap`` of the side is cut out. One network sees all of it, at ``base`` pixels.

    Until :meth:`prepare` has seen faces the filters are grouped by their numbers.

    Parameters
    ----------
    inner : Backbone
        DomainNet; it must show its maps.
    settings : BackboneConfig
        ``base``, ``grid``, ``overlap``, ``locations`` (of one level), ``parts``.
    size : int
        Side of the input.

    Raises
    ------
    InputError
        Windows or maps are too small for the grid, ``base`` exceeds the input, or there are fewer
        filters than parts.
    """

    learns_where = True
    detectors: Tensor

    def __init__(self, inner: Backbone, settings: BackboneConfig, size: int) -> None:
        super().__init__()
        self.inner, self.grid, self.overlap = inner, settings.grid, settings.overlap
        self.kept, self.label = settings.locations[0], settings.label
        self.base = settings.inner_size(size)
        check_windows(settings, size, 1)
        self.level, filters = middle_level(inner, self.base, settings)
        k = settings.parts or PARTS
        if filters < k:
            raise InputError(
                f"backbone {self.label!r}: {k} parts of {filters} filters; lower parts"
            )
        groups = torch.arange(filters) * k // filters
        self.register_buffer("detectors", detectors(groups, torch.ones(filters)))
        self.num_features = self.region_dim = inner.out_dim
        self.filter = nn.Sequential(
            nn.Conv2d(3, 16, 5, 2, 2), nn.ReLU(), nn.Conv2d(16, 32, 3, 2, 1), nn.ReLU(),
            nn.Conv2d(32, 32, 3, 2, 1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
            nn.Linear(32, 1),
        )  # fmt: skip

    @torch.no_grad()
    def prepare(self, batches: Iterable[Tensor]) -> None:
        """Group the filters by their responses to faces (n, 3, s, s); evaluation mode.

        Raises
        ------
        InputError
            Too few filters respond to make the groups.
        """
        mode, sums = self.training, Responses()
        self.eval()
        for images in batches:
            middle = seen(self.inner, resized(images, self.base), self.level)[1]
            assert middle is not None
            sums.add(middle)
        self.train(mode)
        found = group(sums.correlations(), len(self.detectors))
        if found is None:
            raise InputError(
                f"backbone {self.label!r}: its filters respond too little to form "
                f"{len(self.detectors)} groups; name trained weights with init, or lower parts"
            )
        self.detectors.copy_(detectors(found, sums.strength()))

    def forward(self, images: Tensor) -> Tensor:
        """(n, 3, s, s) -> (n, d)."""
        return self.attend(images).features

    def attend(self, images: Tensor, cells: int = 7) -> Attended:
        """Regions are the parts, (n, 3, d); boxes the whole, the kept patches and the parts."""
        n, size = len(images), images.shape[-1]
        whole, middle = seen(self.inner, resized(images, self.base), self.level)
        assert middle is not None
        scores = self.scores(images)
        chosen = pick(scores, self.kept, draw=self.training)
        box = images.new_tensor([0.0, 0, 1, 1]).expand(n, 4)
        patches = self._look(cut(images, chosen, self.grid, self.overlap), n)
        side = window(size, self.grid, self.overlap)[0]
        corners = around(peaks(middle.detach(), self.detectors), size, side)
        parts = self._look(cut_at(images, corners, side), n)
        objects = torch.cat([full(whole)[:, None], patches], dim=1)
        shares = torch.cat([corners, corners + side], dim=-1) / size
        return Attended(
            (objects.mean(dim=1) + PART * parts.mean(dim=1)) / (1 + PART),
            parts,
            {"filter": scores.sigmoid().view(n, self.grid, self.grid)},
            torch.cat([box[:, None], boxes(chosen, box, size, self.grid, self.overlap), shares], 1),
            parts=objects,
            values=scores.gather(1, chosen).sigmoid(),
        )

    def scores(self, images: Tensor) -> Tensor:
        """FilterNet's logits of all windows, (n, grid^2), row by row."""
        found = windows(images, self.grid, self.overlap).flatten(0, 2)
        return full(self.filter(resized(found, SEEN))).view(len(images), -1)

    def losses(self, attended: Attended, judge: Judge) -> dict[str, Tensor]:
        """``patches``: mean loss of the whole and of every patch alone; ``filter``: of FilterNet.

        That is the mean square of its score less that of the answer from the patch alone.
        """
        if attended.parts is None or attended.values is None:
            return {}
        alone = judge(attended.parts)
        target = alone.score[:, 1:].detach()
        return {"patches": alone.loss, "filter": functional.mse_loss(attended.values, target)}

    def _look(self, crops: Tensor, n: int) -> Tensor:
        """Features of the crops of n images, (n, k, d), float32."""
        return full(self.inner(resized(crops, self.base))).view(n, -1, self.num_features)


def around(centres: Tensor, size: int, side: int) -> Tensor:
    """The upper left pixels of windows about centres in shares, wholly in the image."""
    return (centres * size - side / 2).round().long().clamp(0, size - side)
