"""Routings moved to what is left: what comes out is a routing, and short where it must be."""

from __future__ import annotations

import numpy as np
import pytest

from planner.redundancy.reroute import Pairs, reroute
from planner.solve.transport import Transport

WORKLOADS, POOLS, GATES, BLOCKS = 4, 5, 2, 30


def problem(seed: int) -> tuple[Transport, Pairs, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """A transport problem with gates, its pairs, rates, gates, demands and chips of blocks."""
    rng = np.random.default_rng(seed)
    rate = rng.uniform(0.5, 3.0, (WORKLOADS, POOLS)) * (rng.random((WORKLOADS, POOLS)) < 0.7)
    gate = np.where(rng.random(rate.shape) < 0.4, rng.integers(0, GATES, rate.shape), -1)
    transport = Transport(rate, gate, GATES)
    least = rng.uniform(0.0, 3e3, (WORKLOADS, BLOCKS)) * (rate.max(axis=1) > 0.0)[:, None]
    chips = rng.uniform(0.0, 4e3, (POOLS + GATES, BLOCKS))
    return transport, Pairs.of(transport, rate), rate, gate, least, chips


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("begin", ["none", "other"])
def test_what_comes_out_is_a_routing(seed: int, begin: str) -> None:
    transport, pairs, rate, gate, least, chips = problem(seed)
    n = len(pairs.workload)
    flow = np.zeros((n, BLOCKS))
    if begin == "other":
        # Routings of other chips, some of which take far more than there is now.
        flow = np.stack(
            [transport.solve(least[:, b], 3.0 * chips[:, b]).flow for b in range(BLOCKS)], axis=1
        )
    moved, short, taken = reroute(pairs, flow, least, chips)
    assert (moved >= -1e-9).all()
    w, p = transport.pairs
    used = np.zeros_like(chips)
    served = np.zeros_like(least)
    for i in range(n):
        used[p[i]] += moved[i]
        served[w[i]] += moved[i] * rate[w[i], p[i]]
        if gate[w[i], p[i]] >= 0:
            used[POOLS + gate[w[i], p[i]]] += moved[i]
    assert (used <= chips * (1.0 + 1e-9) + 1e-6).all()
    np.testing.assert_allclose(used, taken, rtol=1e-7, atol=1e-5)
    assert (served >= least - short - 1e-6).all()


@pytest.mark.parametrize("seed", range(6))
def test_what_it_meets_can_be_met_and_little_else_is_left(seed: int) -> None:
    """Never less short than the least there is; and where that routing is given, just as short."""
    transport, pairs, _, _, least, chips = problem(seed)
    best = [transport.solve(least[:, b], chips[:, b]) for b in range(BLOCKS)]
    least_short = np.array([routing.short_chips for routing in best])
    none = np.zeros((len(pairs.workload), BLOCKS))
    _, short, _ = reroute(pairs, none, least, chips)
    in_chips = (short / transport.best[:, None]).sum(axis=0)
    assert (in_chips >= least_short - 1e-3).all()
    given = np.stack([routing.flow for routing in best], axis=1)
    _, short, _ = reroute(pairs, given, least, chips)
    np.testing.assert_allclose(
        (short / transport.best[:, None]).sum(axis=0), least_short, rtol=1e-5, atol=1e-2
    )
