"""The mix of a plan: mean power under contract by cloud or chip, and how far two mixes are apart.

    mean_mw[m] = sum_{p in m} sum_t kw[p] * contracted[p,t] * H_t / sum_t H_t / 1000

in MW over the whole horizon, contracts already signed included. Two plans are apart by

    apart(a, b) = 1/2 * sum_m |mean_mw_a[m] - mean_mw_b[m]| / sum_m mean_mw_least[m]

where `least` is the plan of least cost: the share of its capacity that the other plan has
elsewhere (capacity that is added or left out counts by half). It is a metric, and linear in the
contracts but for the absolute values. Pay-as-you-go chips are no commitment and do not count.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from planner.instance import Instance
from planner.matrix import Matrix
from planner.plan import Plan

Floats = npt.NDArray[np.float64]
By = Literal["cloud", "chip"]


@dataclass(frozen=True, eq=False)
class Mix:
    """Mean power under contract as a linear function of contracted chips."""

    by: By
    """What members are."""
    members: tuple[str, ...]
    """Clouds or chips that have a pool [m]."""
    of_pool: npt.NDArray[np.int64]
    """Member of the pool [p]."""
    mw_per_chip: Floats
    """Mean MW over the horizon of a chip that is held in a period [p, t]."""
    most_mw: Floats
    """Mean MW when every pool is full [m]."""

    def rows(self, matrix: Matrix) -> sp.csr_array:
        """Coefficients of mean_mw over the columns of a compiled problem [m, column]."""
        index = np.array(matrix.column_index["contracted"], dtype=np.int64).reshape(-1, 2)
        p, t = index.T
        columns = matrix.columns["contracted"].start + np.arange(len(index))
        entries = (self.mw_per_chip[p, t], (self.of_pool[p], columns))
        return sp.csr_array(entries, shape=(len(self.members), matrix.shape[1]))

    def of_plan(self, plan: Plan) -> Floats:
        """mean_mw of a plan, from its table `capacity` alone [m]."""
        table = plan.tables["capacity"]
        calendar = plan.case.calendar
        hours = calendar.hours() / calendar.hours().sum()
        share = hours[[calendar.index(str(period)) for period in table["period"]]]
        kw = {chip.chip: chip.kw_per_chip for chip in plan.case.chips}
        draw = np.array([kw[str(chip)] for chip in table["chip"]])
        at = [self.members.index(str(name)) for name in table[self.by]]
        out = np.zeros(len(self.members))
        np.add.at(out, at, draw * table["contracted_chips"].to_numpy(float) * share / 1e3)
        return out


def mix_of(inst: Instance, by: By) -> Mix:
    """The mix of an instance by cloud or by chip."""
    pools, hours = inst.pools, inst.time.hours
    names = pools.cloud if by == "cloud" else pools.chip
    members = tuple(dict.fromkeys(names))
    of_pool = np.array([members.index(name) for name in names], dtype=np.int64)
    mw = pools.kw[:, None] / 1e3 * (hours / hours.sum())[None, :]
    most = np.zeros(len(members))
    np.add.at(most, of_pool, (mw * pools.limit).sum(axis=1))
    return Mix(by, members, of_pool, mw, most)


def apart(a: Floats, b: Floats, whole_mw: float) -> float:
    """Half the sum of absolute differences of two mixes over `whole_mw`, MW."""
    return float(np.abs(a - b).sum() / 2.0 / whole_mw)
