"""Training: placed runs, pausable runs, standing loads."""

from __future__ import annotations

import numpy as np

from planner.audit.draft import Draft
from planner.audit.quantities import HOURS_OF_WEEK, pausable_runs, slot_hours
from planner.instance import Instance


def placement(d: Draft, inst: Instance) -> None:
    """A run that cannot pause takes one placement, or is missed.

    sum_{q of r} place[q] + missed[r] = 1
    """
    tr = inst.training
    r = np.flatnonzero(~tr.can_pause & ~tr.standing)
    rows = d.add_rows("placement", ("run",), (r,), 1.0, 1.0)
    place = d.columns["place"]
    d.put(rows.at(tr.column_run[place["placement"]]), place.positions, 1.0)
    d.put(rows.positions, d.columns["missed"].at(r), 1.0)


def paused_work(d: Draft, inst: Instance) -> None:
    """A pausable run does its work in whatever hours, or is missed.

        sum_{p,t,s} rate[r,p] * slot_hours[t,s] * flex[r,p,t,s] + work[r] * missed[r] >= work[r]

    in EFLOP; the work includes the overhead of pausing.
    """
    tr, flex = inst.training, d.columns["flex"]
    r = np.flatnonzero(pausable_runs(inst))
    rows = d.add_rows("paused_work", ("run",), (r,), lower=tr.work_eflop[r])
    d.put(rows.positions, d.columns["missed"].at(r), tr.work_eflop[r])
    k = np.flatnonzero(pausable_runs(inst)[flex["run"]])
    r, p, t, s = flex.index[k].T
    rate = tr.eflop_per_chip_hour[r, p]
    d.put(rows.at(r), flex.positions[k], rate * slot_hours(inst)[t, s])


def cluster(d: Draft, inst: Instance) -> None:
    """A pausable run never holds more than its largest cluster.

        sum_p flex[r,p,t,s] + max_chips[r] * missed[r] <= max_chips[r]

    for every pausable run with a limit, period of its window and slice, in chips.
    """
    tr, flex = inst.training, d.columns["flex"]
    limited = pausable_runs(inst) & np.isfinite(tr.max_chips)
    r, t, s = d.each_slice(*np.nonzero(tr.window & limited[:, None]))
    rows = d.add_rows("cluster", ("run", "period", "slice"), (r, t, s), upper=tr.max_chips[r])
    k = np.flatnonzero(limited[flex["run"]])
    at = rows.at(flex["run"][k], flex["period"][k], flex["slice"][k])
    d.put(at, flex.positions[k], 1.0)
    d.put(rows.positions, d.columns["missed"].at(r), tr.max_chips[r])


def standing_week(d: Draft, inst: Instance) -> None:
    """A standing load that can pause holds its peak compute on average over the week.

        sum_{p,s} slice_hours[s] * peak[r,p] * flex[r,p,t,s] + 168 * held[r] * missed[r]
            >= 168 * held[r]

    for every such load and period of its window, in EFLOP/s x hours of a week.
    """
    tr, flex = inst.training, d.columns["flex"]
    such = tr.standing & tr.can_pause
    r, t = np.nonzero(tr.window & such[:, None])
    held = HOURS_OF_WEEK * tr.held_eflop_per_s[r]
    rows = d.add_rows("standing_week", ("run", "period"), (r, t), lower=held)
    d.put(rows.positions, d.columns["missed"].at(r), held)
    k = np.flatnonzero(such[flex["run"]])
    r, p, t, s = flex.index[k].T
    hours = inst.time.slice_hours[s]
    d.put(rows.at(r, t), flex.positions[k], hours * tr.peak_eflop_per_s[r, p])


def standing_slice(d: Draft, inst: Instance) -> None:
    """A standing load that cannot pause holds its peak compute in every slice.

        sum_p peak[r,p] * flex[r,p,t,s] + held[r] * missed[r] >= held[r]

    for every such load, period of its window and slice, in EFLOP/s.
    """
    tr, flex = inst.training, d.columns["flex"]
    such = tr.standing & ~tr.can_pause
    r, t, s = d.each_slice(*np.nonzero(tr.window & such[:, None]))
    held = tr.held_eflop_per_s[r]
    rows = d.add_rows("standing_slice", ("run", "period", "slice"), (r, t, s), lower=held)
    d.put(rows.positions, d.columns["missed"].at(r), held)
    k = np.flatnonzero(such[flex["run"]])
    r, p, t, s = flex.index[k].T
    d.put(rows.at(r, t, s), flex.positions[k], tr.peak_eflop_per_s[r, p])
