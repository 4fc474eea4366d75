"""What every view starts from: a plan's instance, its decisions, and its spend by pool."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from planner.audit.derived import plan_values
from planner.audit.folder import values_from_tables
from planner.instance import Instance, build_instance
from planner.plan import Plan
from planner.values import Values, pool_use, working

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Known:
    """A plan on the axes of its instance; p pools, t periods."""

    inst: Instance
    """The numbers of the case."""
    values: Values
    """What the plan decides."""
    spend_usd: Floats
    """Accrued payments, existing contracts included, not discounted, USD [p, t]."""
    hourly_usd: Floats
    """The part of it that is billed by the hour, USD [p, t]."""
    used_by_slice: Floats
    """Working chips that serve or train [p, t, s]."""
    used_chips: Floats
    """Working chips that serve or train, mean of the week [p, t]."""
    working_chips: Floats
    """Working chips there are, mean of the week [p, t]."""
    hourly_chips: Floats
    """Chips by the hour, mean of the week [p, t]."""


@lru_cache(maxsize=2)
def known(plan: Plan) -> Known:
    """The plan's decisions, read back from its tables as the audit reads them.

    Plans are told apart by identity. Raises KeyError or ValueError when a table lacks a column or
    names what the case does not have.
    """
    inst = build_instance(plan.case)
    values = plan_values(inst, values_from_tables(inst, plan.tables))
    c, st, pay, time = inst.contracts, inst.starts, inst.pay, inst.time
    shape = values.contracted.shape
    week = time.slice_hours / time.slice_hours.sum()
    kept = np.arange(shape[1])[None, :] < values.leave[c.line_contract][:, None]
    signed, by_hour, hourly = np.zeros(shape), np.zeros(shape), np.zeros(shape)
    np.add.at(signed, c.line_pool, c.payment_usd * kept)
    np.add.at(signed, st.pool, values.lots[:, None] * st.accrued_usd)
    billed = time.slot_hours * pay.billed_share
    np.add.at(
        by_hour,
        pay.pool,
        np.einsum("vt,vts,ts->vt", pay.price_usd_per_chip_hour, values.hourly, billed),
    )
    np.add.at(hourly, pay.pool, values.hourly @ week)
    used = pool_use(inst, values)
    return Known(
        inst=inst,
        values=values,
        spend_usd=signed + by_hour,
        hourly_usd=by_hour,
        used_by_slice=used,
        used_chips=used @ week,
        working_chips=working(inst, values) @ week,
        hourly_chips=hourly,
    )
