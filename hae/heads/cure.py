"""What the Self-Cure Network learns by: importance, rank regularisation and relabelling.

Wang, Peng, Yang, Lu & Qiao, "Suppressing Uncertainties for Large-Scale Facial Expression
Recognition", CVPR 2020, arXiv 2002.10392. Written from the formulas. Everything here is a function
of the batch over all processes.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def weighted_cross_entropy(logits: Tensor, importance: Tensor, target: Tensor) -> Tensor:
    """Cross-entropy of importance-scaled logits, -(1/n) sum_i sum_c t_ic log softmax(a_i z_i)_c.

    The weight multiplies logits, not losses, which a -> 0 would make small. With p = softmax(a z)
    and a one-hot target y the derivative by a_i is -(z_iy - sum_c p_ic z_ic) / n, that by z_ic is
    a_i (p_ic - t_ic) / n.

    Parameters
    ----------
    logits : Tensor
        z, (n, C).
    importance : Tensor
        a, (n,), in (0, 1).
    target : Tensor
        t, (n, C), each row a distribution.

    Returns
    -------
    Tensor
        A number, in nats.
    """
    scaled = importance[:, None] * logits
    return -(target * functional.log_softmax(scaled, dim=1)).sum(dim=1).mean()


def high_count(n: int, share: float) -> int:
    """M = floor(share n), at least one and leaving at least one.

    The product is rounded first: 0.7 * 90 is 62.99... in binary floating point.

    Examples
    --------
    >>> high_count(90, 0.7), high_count(170, 0.7), high_count(2, 0.9)
    (63, 119, 1)
    """
    return min(max(int(round(share * n, 6)), 1), max(n - 1, 0))


def low_group(importance: Tensor, share: float) -> Tensor:
    """Which of a batch are not among the M most important, (n,) bool; ties go to who comes first.

    A batch of one has no low group.
    """
    n = len(importance)
    order = torch.sort(importance, descending=True, stable=True).indices
    low = torch.zeros(n, dtype=torch.bool, device=importance.device)
    if n > 1:
        low[order[high_count(n, share) :]] = True
    return low


def rank_regularisation(importance: Tensor, share: float, margin: float | Tensor) -> Tensor:
    """max(0, margin - (mean importance of the M highest - that of the others)).

    Where it is not 0 its derivative is -1/M for the high group, 1/(n - M) for the low one and 1 for
    the margin. 0 for a batch of one.
    """
    n = len(importance)
    if n < 2:
        return importance.sum() * 0.0
    ranked, m = importance.sort(descending=True, stable=True).values, high_count(n, share)
    return torch.clamp(margin - (ranked[:m].mean() - ranked[m:].mean()), min=0.0)


def doubted(
    probabilities: Tensor, label: Tensor, among: Tensor, margin: float
) -> tuple[Tensor, Tensor]:
    """Which labels give way, and to which class.

    Parameters
    ----------
    probabilities : Tensor
        softmax(a z), (n, C).
    label : Tensor
        The labels as they stand, int64 (n,).
    among : Tensor
        Whose labels may change, bool (n,).
    margin : float
        A label changes if max_c P_c - P_label > margin.

    Returns
    -------
    changes, best
        bool (n,) and int64 (n,); a label whose class is the best one never changes.
    """
    most, best = probabilities.max(dim=1)
    own = probabilities.gather(1, label[:, None])[:, 0]
    return among & (most - own > margin) & (best != label), best
