"""Audit by sampling: a seeded random sample of blocks solved exactly.

The share of blocks whose gap is above a tolerance has an exact (Clopper-Pearson) upper
confidence limit from the number of misses among those solved; the mean of all costs is the mean
of the lower bounds plus the mean gap of the sample, with its t interval.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import special

from planner.sweep.block import Floats, Ints

TOLERANCE = 1e-3
"""Gap that a block should be within: (upper - lower) / (contract cost + upper)."""
CONFIDENCE = 0.99


@dataclass(frozen=True)
class AuditedBlocks:
    """Blocks solved exactly [n]."""

    contract_usd: Floats
    """Cost of contracts in the period, USD [n]."""
    lower_usd: Floats
    """Its lower bound, USD [n]."""
    exact_usd: Floats
    """Cost of a feasible optimum, as HiGHS states it."""

    @property
    def gap(self) -> Floats:
        """(exact - lower) / (contract + exact) [n]."""
        whole = np.maximum(self.contract_usd + self.exact_usd, 1.0)
        out: Floats = (self.exact_usd - self.lower_usd) / whole
        return out


def share_within(solved: int, misses: int, confidence: float = CONFIDENCE) -> float:
    """Clopper-Pearson lower confidence limit on the share that is no miss; 0 when none solved.

    The limit p solves P(at most `misses` misses | miss share 1 - p) = 1 - confidence.
    """
    if solved <= misses:
        return 0.0
    return float(1.0 - special.betaincinv(misses + 1, solved - misses, confidence))


def t_half_width(n: int, squares: float, confidence: float = CONFIDENCE) -> float:
    """Half width of the t interval of a mean of n values; infinite for fewer than two.

    `squares` is the sum of their squares around the mean.
    """
    if n < 2:
        return float("inf")
    t = float(special.stdtrit(n - 1, 0.5 + confidence / 2))
    return t * float(np.sqrt(squares / (n - 1) / n))


def mean_interval(values: Floats, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """Mean and the half width of its t interval; infinite for fewer than two values."""
    n = len(values)
    mean = float(values.mean()) if n else 0.0
    return mean, t_half_width(n, n * float(values.var()) if n else 0.0, confidence)


def sample_blocks(scenarios: int, periods: Ints, blocks: int, seed: int) -> tuple[Ints, Ints]:
    """Different (scenario, period) pairs, each set equally likely, in order [n]."""
    rng = np.random.default_rng([seed, 1])
    total = scenarios * len(periods)
    n = min(blocks, total)
    if n == total:
        picked = np.arange(total)
    else:
        # Draw with spares and keep the first that differ: uniform without replacement.
        drawn = rng.integers(0, total, size=2 * n + 64)
        _, first = np.unique(drawn, return_index=True)
        while len(first) < n:
            drawn = np.concatenate([drawn, rng.integers(0, total, size=2 * n + 64)])
            _, first = np.unique(drawn, return_index=True)
        picked = np.sort(drawn[np.sort(first)[:n]])
    return picked // len(periods), periods[picked % len(periods)]
