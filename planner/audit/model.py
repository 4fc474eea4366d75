"""The audit's statement of a problem: every family, put together.

To add a family write one function `(draft, instance) -> None` that adds its columns, rows and
cost terms, with its formula as docstring, and append it to FAMILIES.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np
import scipy.sparse as sp

from planner.audit import (
    columns,
    columns_rules,
    cost,
    cost_rules,
    redundancy,
    rows_agreements,
    rows_options,
    rows_procurement,
    rows_rules,
    rows_serving,
    rows_training,
    strengthening,
)
from planner.audit.draft import Block, Bools, Draft, Floats
from planner.instance import Instance

Family = Callable[[Draft, Instance], None]

FAMILIES: tuple[Family, ...] = (
    columns.lots,
    columns.any_lots,
    columns.hourly,
    columns.leave,
    columns.contracted,
    columns.serve,
    columns.unserved,
    columns.shed,
    columns.place,
    columns.missed,
    columns.flex,
    columns_rules.qualify,
    columns_rules.spend,
    columns_rules.served,
    columns_rules.over_share,
    columns_rules.carries,
    columns_rules.sign,
    columns_rules.deal_shortfall,
    columns_rules.shortfall,
    columns_rules.carried,
    columns_rules.in_tier,
    columns_rules.tier_spend,
    columns_rules.over_power,
    columns_rules.over_budget,
    redundancy.cover,
    strengthening.begun,
    strengthening.agreed,
    rows_procurement.lots_least,
    rows_procurement.lots_most,
    rows_procurement.leave_once,
    rows_procurement.contracted_chips,
    rows_procurement.supply,
    rows_options.renewed_supply,
    rows_options.renewal,
    rows_options.expansion,
    rows_procurement.install,
    rows_serving.demand_peak,
    rows_serving.demand_volume,
    rows_training.placement,
    rows_training.paused_work,
    rows_training.cluster,
    rows_training.standing_week,
    rows_training.standing_slice,
    rows_serving.capacity,
    rows_serving.firm_capacity,
    rows_rules.qualify_once,
    rows_rules.qualified_serving,
    rows_rules.qualified_training,
    rows_rules.engineers_limit,
    rows_rules.spend_accrued,
    rows_rules.served_work,
    rows_rules.share_spend,
    rows_rules.share_served,
    rows_rules.share_chips,
    rows_rules.share_training_peak,
    rows_rules.placement_share,
    rows_rules.placement_members_least,
    rows_agreements.sign_once,
    rows_agreements.deal_opens,
    rows_agreements.deal_minimum,
    rows_agreements.commitment,
    rows_agreements.carry_over,
    rows_agreements.tier_total,
    rows_agreements.tier_least,
    rows_agreements.tier_most,
    rows_agreements.tier_one,
    rows_agreements.hours_used,
    rows_rules.power,
    rows_rules.budget,
    redundancy.cover_demand,
    redundancy.cover_capacity,
    redundancy.cover_qualified,
    strengthening.whole_lots,
    strengthening.begun_by,
    strengthening.agreed_by,
    cost.existing_contracts,
    cost.exit_fees,
    cost.new_contracts,
    cost.pay_as_you_go,
    cost.liability_past_horizon,
    cost.salvage_past_horizon,
    cost.unserved_demand,
    cost.missed_training,
    cost_rules.qualification,
    cost_rules.deals,
    cost_rules.commitment_shortfall,
    cost_rules.tier_discounts,
    cost_rules.exceeded_rules,
)


@dataclass(frozen=True, eq=False)
class AuditModel:
    """row_lower <= A x <= row_upper, lower <= x <= upper, cost = sum_terms (cost @ x + offset)."""

    columns: Mapping[str, Block]
    """Variable -> its labelled columns."""
    rows: Mapping[str, Block]
    """Constraint -> its labelled rows."""
    a: sp.csr_array
    """Coefficients [row, column]."""
    row_lower: Floats
    """Lower sides of the rows [row]."""
    row_upper: Floats
    """Upper sides [row]."""
    lower: Floats
    """Lower bounds of the columns [column]."""
    upper: Floats
    """Upper bounds [column]."""
    integer: Bools
    """Whether the column is a whole number."""
    cost_terms: tuple[str, ...]
    """Names of the cost terms."""
    cost: Floats
    """Coefficients [term, column], USD."""
    cost_offset: Floats
    """Constants [term], USD."""

    def column_words(self, position: int) -> str:
        """A column in words."""
        return _words(self.columns, position)

    def row_words(self, position: int) -> str:
        """A row in words."""
        return _words(self.rows, position)


def _words(blocks: Mapping[str, Block], position: int) -> str:
    """A member of one of the blocks in words."""
    full = [block for block in blocks.values() if len(block)]
    block = full[bisect_right([b.start for b in full], position) - 1]
    return block.words(position)


EXPLICIT: tuple[Family, ...] = (
    redundancy.cover,
    redundancy.cover_demand,
    redundancy.cover_capacity,
    redundancy.cover_qualified,
)
"""Redundancy as columns and rows; a plan whose redundancy is held by cuts has none of them."""


def audit_model(
    inst: Instance, extra: Iterable[Family] = (), *, explicit: bool = True
) -> AuditModel:
    """State the problem of an instance; `extra` families come after the registered ones.

    Not `explicit`, contingency flows are no columns: `planner.audit.contingencies` checks them.
    """
    draft = Draft(inst)
    for family in (*FAMILIES, *extra):
        if explicit or family not in EXPLICIT:
            family(draft, inst)
    return assemble(draft)


def assemble(draft: Draft) -> AuditModel:
    """A draft as arrays; entries that stand twice are summed.

    A row without any entry is left out where 0 satisfies it: it says nothing.
    """
    columns_, every = list(draft.columns.values()), list(draft.rows.values())
    n, m = sum(map(len, columns_)), sum(map(len, every))
    at = [np.concatenate(part) for part in zip(*draft.entries, strict=True)]
    says = np.zeros(m, dtype=bool)
    says[at[0]] = True
    says |= np.concatenate([(block.lower > 0.0) | (block.upper < 0.0) for block in every])
    rows = _some_rows(draft.rows, says)
    position = np.cumsum(says) - 1
    shape = (int(np.count_nonzero(says)), n)
    terms = tuple(draft.costs)
    cost_ = np.zeros((len(terms), n))
    for i, term in enumerate(terms):
        for columns_at, value in draft.costs[term]:
            np.add.at(cost_[i], columns_at, value)
    return AuditModel(
        columns=dict(draft.columns),
        rows=rows,
        a=sp.csr_array(sp.coo_array((at[2], (position[at[0]], at[1])), shape=shape)),
        row_lower=np.concatenate([block.lower for block in rows.values()]),
        row_upper=np.concatenate([block.upper for block in rows.values()]),
        lower=np.concatenate([block.lower for block in columns_]),
        upper=np.concatenate([block.upper for block in columns_]),
        integer=np.concatenate([block.integer for block in columns_]),
        cost_terms=terms,
        cost=cost_,
        cost_offset=np.array([draft.offsets[term] for term in terms]),
    )


def _some_rows(blocks: Mapping[str, Block], kept: Bools) -> dict[str, Block]:
    """The rows that are kept, moved together."""
    out: dict[str, Block] = {}
    start = 0
    for name, block in blocks.items():
        some = kept[block.positions]
        parts = {
            part: getattr(block, part)[some] for part in ("index", "lower", "upper", "integer")
        }
        out[name] = replace(block, start=start, **parts)
        start += len(out[name])
    return out
