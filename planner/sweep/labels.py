"""Labels that a specification may name in a case: workloads, clouds, chips, deals and the like."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

from planner.case import Case
from planner.errors import Fault
from planner.sweep.spec import Spec


def labels_of(case: Case) -> dict[str, set[str]]:
    """Every label of a case by what a `where` calls it; a region by itself or as cloud/region."""
    regions = {r.region for r in case.regions}
    return {
        "workload": {w.workload for w in case.serving},
        "model": {m.model for m in case.models},
        "geography": {g.geography for g in case.geographies},
        "class": {c.service_class for c in case.classes},
        "channel": {w.channel for w in case.serving},
        "period": {*case.calendar.labels},
        "cloud": {r.cloud for r in case.regions},
        "region": regions | {f"{r.cloud}/{r.region}" for r in case.regions},
        "chip": {c.chip for c in case.chips},
        "vendor": {c.vendor for c in case.chips},
        "deal": {d.deal for d in case.deals},
        "offer": {o.offer for o in case.offers} | {o.option for o in case.options},
    }


def unknown_labels(case: Case, spec: Spec) -> list[Fault]:
    """A fault for every label in a `where` that the case does not have, and for unknown losses.

    Where factors that touch nothing are ignored, so are labels of a `where`.
    """
    known = labels_of(case)
    faults = []
    for factor in spec.factor:
        place = f"factor '{factor.name}'"
        for key, wanted in factor.where.items():
            for label in (wanted,) if isinstance(wanted, str) else wanted:
                if label not in known[key] and spec.untouched == "fault":
                    rule = f"where: there is no {key} '{label}'{_nearest(label, known[key])}"
                    faults.append(Fault("spec", rule, None, place))
        if factor.kind == "lost":
            lose = known["cloud"] | known["region"] | known["chip"] | known["vendor"]
            for name in map(str, factor.values):
                if name and name not in lose:
                    rule = f"there is no cloud, region, chip or vendor '{name}'"
                    faults.append(Fault("spec", rule + _nearest(name, lose), None, place))
    return faults


def _nearest(label: str, known: Iterable[str]) -> str:
    """A suggestion, or what there is where nothing is near and there is little."""
    known = sorted(known)
    near = get_close_matches(label, known, n=1, cutoff=0.5)
    if near:
        return f"; is '{near[0]}' meant?"
    return f"; there is {', '.join(known)}" if 0 < len(known) <= 8 else ""
