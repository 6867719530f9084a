"""Filters that respond together: their groups, and where in an image a group responds most."""

from __future__ import annotations

import torch
from torch import Tensor

from hae.heads.branch import full

CONNECTED = 0.01
"""Least affinity of two filters, so that none stands alone."""


class Responses:
    """Sums over faces and places of the responses of c filters, and of their products."""

    def __init__(self) -> None:
        self.count, self.first, self.second = 0, torch.zeros(0), torch.zeros(0)

    def add(self, middle: Tensor) -> None:
        """Those of a map (n, c, h, w)."""
        rows = middle.double().transpose(0, 1).flatten(1).cpu()  # (c, n h w)
        if not self.count:
            self.first, self.second = (
                rows.new_zeros(len(rows)),
                rows.new_zeros(len(rows), len(rows)),
            )
        self.count += rows.shape[1]
        self.first += rows.sum(dim=1)
        self.second += rows @ rows.T

    def correlations(self) -> Tensor:
        """(c, c); NaN of filters that always say the same."""
        mean = self.first / self.count
        covariance = self.second / self.count - mean[:, None] * mean
        variance = covariance.diagonal()
        dead = variance <= 1e-9 * (self.second.diagonal() / self.count).max()
        spread = variance.clamp_min(0).sqrt().masked_fill(dead, torch.nan)
        return covariance / (spread[:, None] * spread)

    def strength(self) -> Tensor:
        """Root of the mean square response, (c,)."""
        return (self.second.diagonal() / self.count).sqrt()


def group(correlations: Tensor, k: int) -> Tensor | None:
    """Spectral clustering of filters by max(0, r) + 0.01, (c, c) -> (c,); None if it gives fewer.

    Groups are counted by their first filter; -1 is none, of filters that always say the same.
    """
    from sklearn.cluster import SpectralClustering  # slow to import, and needed once a run

    alive = correlations.diagonal().isfinite()
    live = correlations[alive][:, alive]
    if len(live) <= k:
        return None
    affinity = (live.clamp_min(0) + CONNECTED).numpy()
    # this way to tell groups draws nothing; the seed is that of the eigenvectors' first guess
    way = SpectralClustering(k, affinity="precomputed", assign_labels="cluster_qr", random_state=0)
    labels = torch.from_numpy(way.fit_predict(affinity)).long()
    order = list(dict.fromkeys(labels.tolist()))
    if len(order) < k:
        return None
    found = torch.full((len(alive),), -1)
    found[alive] = torch.tensor([order.index(label) for label in labels.tolist()])
    return found


def detectors(groups: Tensor, strength: Tensor) -> Tensor:
    """Weights of the mean response of each group, every filter over its strength, (k, c)."""
    member = groups[None] == torch.arange(int(groups.max()) + 1)[:, None]
    own = member / member.sum(dim=1, keepdim=True)
    return torch.where(member, own / strength, 0.0).float()


def peaks(middle: Tensor, weights: Tensor) -> Tensor:
    """Where each group responds most, (n, c, h, w) and (k, c) -> (n, k, 2): x and y in shares."""
    with torch.autocast(middle.device.type, enabled=False):
        found = torch.einsum("kc,nchw->nkhw", weights, full(middle))
    h, w = found.shape[-2:]
    best = found.flatten(2).argmax(dim=-1)
    return torch.stack([(best % w + 0.5) / w, (best // w + 0.5) / h], dim=-1)
