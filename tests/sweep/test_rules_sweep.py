"""What a plan with rules has qualified, blocks may use; nothing else."""

from __future__ import annotations

import numpy as np

from planner import solve
from planner.instance import build_instance
from planner.sweep.block import jobs_of
from planner.sweep.held import held_of
from tests.cases_rules import tiny_rules_case


def test_chips_that_are_not_qualified_have_no_rate() -> None:
    plan = solve(tiny_rules_case(), gap=1e-3)
    inst = build_instance(plan.case)
    held = held_of(plan, inst)
    q, horizon = inst.rules.qualification, len(inst.time.periods)
    made = {
        f"{row.chip} for {row.generation}, {row.purpose}": inst.time.periods.index(row.begins)
        for row in plan.tables["qualification"].itertuples()
    }
    waits = 0
    for e, name in enumerate(q.names):
        usable = made[name] + int(q.lead_periods[e]) if name in made else horizon
        for t in range(horizon):
            jobs = jobs_of(inst, held, t)
            for j, (w, r) in enumerate(zip(jobs.workload, jobs.run, strict=True)):
                mine = q.workloads[e, w] if w >= 0 else q.runs[e, r]
                if mine and q.first <= t < usable:
                    assert not jobs.rate[j, q.pools[e]].any()
                    waits += 1
                elif w >= 0 and not any(q.workloads[:, w]):
                    np.testing.assert_array_equal(jobs.rate[j], inst.serving.rate[w, :, t])
    assert waits > 0
