"""Lots of a chip that nothing is qualified on."""

from __future__ import annotations

from dataclasses import replace

import planner
from planner.instance import build_instance
from tests.cases_rules import tiny_rules_case


def test_only_a_chip_with_work_left_for_every_use_is_barred() -> None:
    case = tiny_rules_case()
    inst = build_instance(case)
    barred = dict(zip(inst.pools.chip, inst.rules.qualification.barred.tolist(), strict=True))
    assert barred == {"h200": False, "trn2": True}
    serving = tuple(q for q in case.qualification if q.purpose == "serving")
    free = build_instance(replace(case, qualification=serving)).rules.qualification.barred
    assert not free.any()  # It may be bought to train.


def test_no_lot_starts_before_some_work_is_done() -> None:
    plan = planner.solve(tiny_rules_case(), gap=1e-6)
    work = plan.tables["qualification"]
    signed = plan.tables["contracts_signed"]
    order = list(plan.case.calendar.labels)
    starts = [order.index(t) for c, t in zip(signed.chip, signed.start, strict=True) if c == "trn2"]
    ready = [
        order.index(t) for c, t in zip(work.chip, work.usable_from, strict=True) if c == "trn2"
    ]
    assert not starts or (ready and min(ready) <= min(starts))
