"""Regression of the error on groups and age: the difference that stays at equal age.

y = alpha_g + beta_g' b(age) + gamma_o, with a natural cubic spline b of the age for every group
(group x age interactions) and the levels o of the other audited attributes. The adjusted mean of a
group is the prediction at the ages of everyone; a difference of two is what stays after adjusting
(Lin, 2013, doi:10.1214/12-AOAS583: with all interactions the average difference is estimated
whatever the form of the dependence within a group). Least squares by sums of products; the spread
comes from the scores of the persons (Liang and Zeger, 1986, doi:10.1093/biomet/73.1.13).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]
_RCOND = 1e-10
_SINGULAR = 1e-6


@dataclass(frozen=True, eq=False)
class Design:
    """The regressors of every cell: its group, -1 where outside, and its dummies, (C, D)."""

    group: IntArray
    dummies: FloatArray

    @property
    def n_groups(self) -> int:
        """Groups of the regression."""
        return int(self.group.max(initial=-1)) + 1


@dataclass(frozen=True, eq=False)
class Fit:
    """Adjusted means of the groups, (G,), and what each owes to the sums of a cell.

    The influence of an entry of cell c on group g's mean is ``of_zy[g, c]`` . (sums of w z y) +
    sum((``of_zz[g, c]`` + ``of_ages[g, c]``) * (sums of w z z')): the first two from its residuals,
    the last from the ages at which everyone is predicted. NaN where a mean cannot be estimated.
    """

    mean: FloatArray
    of_zy: FloatArray
    of_zz: FloatArray
    of_ages: FloatArray


def fit(design: Design, zz: FloatArray, zy: FloatArray) -> Fit:
    """Least squares of all cells together.

    Parameters
    ----------
    zz : array (C, Z, Z)
        Sums of w z z' by cell; z[0] is 1.
    zy : array (C, Z)
        Sums of w z y by cell.
    """
    used = design.group >= 0
    g, z, d = design.n_groups, zz.shape[-1], design.dummies.shape[1]
    k = g * z + d
    gram, right = np.zeros((k, k)), np.zeros(k)
    for c in np.flatnonzero(used):
        own = slice(design.group[c] * z, (design.group[c] + 1) * z)
        x = design.dummies[c]
        gram[own, own] += zz[c]
        gram[own, g * z :] += np.outer(zz[c][:, 0], x)
        gram[g * z :, own] += np.outer(x, zz[c][0])
        gram[g * z :, g * z :] += zz[c][0, 0] * np.outer(x, x)
        right[own] += zy[c]
        right[g * z :] += zy[c][0] * x
    scale = np.sqrt(np.where(np.diag(gram) > 0, np.diag(gram), 1.0))
    inverse = np.linalg.pinv(gram / np.outer(scale, scale), rcond=_RCOND, hermitian=True)
    inverse /= np.outer(scale, scale)
    beta = inverse @ right
    total = zz[used].sum(axis=0)
    weight = total[0, 0]
    at = total[0] / weight
    dummies = (zz[used][:, 0, 0, None] * design.dummies[used]).sum(axis=0) / weight
    wanted = np.zeros((g, k))
    for j in range(g):
        wanted[j, j * z : (j + 1) * z] = at
        wanted[j, g * z :] = dummies
    hat = wanted @ inverse
    lost = np.abs((hat @ gram - wanted) * scale).max(axis=1)
    known = lost <= _SINGULAR * np.abs(wanted * scale).max(axis=1)
    mean = np.where(known, wanted @ beta, np.nan)
    cells = len(design.group)
    of_zy, of_zz = np.zeros((g, cells, z)), np.zeros((g, cells, z, z))
    for c in np.flatnonzero(used):
        own = slice(design.group[c] * z, (design.group[c] + 1) * z)
        x = design.dummies[c]
        steep = hat[:, own].copy()
        steep[:, 0] += hat[:, g * z :] @ x
        fitted = beta[own].copy()
        fitted[0] += beta[g * z :] @ x
        of_zy[:, c] = steep
        of_zz[:, c] = -steep[:, :, None] * fitted
    return Fit(mean, of_zy, of_zz, _of_ages(design, beta, at, weight, dummies, z))


def _of_ages(
    design: Design,
    beta: FloatArray,
    at: FloatArray,
    weight: float,
    dummies: FloatArray,
    z: int,
) -> FloatArray:
    """What the adjusted means owe to the ages and levels of everyone, which are a sample too."""
    g, cells = design.n_groups, len(design.group)
    found = np.zeros((g, cells, z, z))
    free = beta[g * z :]
    for c in np.flatnonzero(design.group >= 0):
        shift = design.dummies[c] @ free - dummies @ free
        for j in range(g):
            own = beta[j * z : (j + 1) * z]
            found[j, c, 0] += own / weight
            found[j, c, 0, 0] += (shift - own @ at) / weight
    return found
