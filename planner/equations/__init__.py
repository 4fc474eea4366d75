"""The equations of the planning model, one module a family, in the order they are added.

An equation is a function (model, instance) -> None that adds its variables and constraints to
the Pyomo model; its docstring is the formula, the index sets and the units. To add one, write
the function, append it to EQUATIONS, and give it a golden matrix and lines in the audit
(CONTRIBUTING.md walks through it); or pass it to `planner.solve(..., equations=[...])`.
"""

from collections.abc import Callable

from planner.held_back import held_back

with held_back("scipy.stats", "scipy.integrate", "scipy.spatial"):
    import pyomo.environ  # noqa: F401
    import scipy.sparse  # noqa: F401  (Pyomo looks whether scipy is loaded already)

from planner.equations import (
    agreements,
    capacity,
    contracts,
    cost,
    demand,
    diversification,
    limits,
    options,
    procurement,
    qualification,
    redundancy,
    strengthening,
    training,
)
from planner.equations.sets import Model, add_sets
from planner.instance import Instance

Equation = Callable[[Model, Instance], None]

EQUATIONS: tuple[Equation, ...] = (
    add_sets,
    procurement.lots,
    procurement.pay_as_you_go,
    contracts.leaving,
    procurement.contracted,
    procurement.supply,
    options.renewed_supply,
    options.renewal,
    options.expansion,
    procurement.install,
    demand.serving,
    demand.demand_peak,
    demand.demand_volume,
    training.placement,
    training.flexible,
    training.paused_work,
    training.standing,
    capacity.capacity,
    capacity.firm_capacity,
    qualification.qualification,
    qualification.engineers,
    diversification.spend,
    diversification.served,
    diversification.shares,
    diversification.minimum_placement,
    agreements.deals,
    agreements.commitments,
    agreements.tiers,
    agreements.hours_used,
    limits.power,
    limits.budget,
    redundancy.redundancy,
    cost.existing_contracts,
    cost.exit_fees,
    cost.new_contracts,
    cost.pay_as_you_go,
    cost.liability_past_horizon,
    cost.salvage_past_horizon,
    cost.unserved_demand,
    cost.missed_training,
    cost.qualification,
    cost.deals,
    cost.commitment_shortfall,
    cost.tier_discounts,
    cost.exceeded_rules,
)

STRENGTHENING: tuple[Equation, ...] = (
    strengthening.whole_lots,
    strengthening.begun,
    strengthening.agreed,
)
"""What follows from the others: a solve has it besides, nothing that asks for prices does."""
STRENGTHENED = ("whole_lots", "begun", "begun_by", "agreed", "agreed_by")
"""Its components, which the size of a problem leaves out."""

__all__ = ["EQUATIONS", "STRENGTHENED", "STRENGTHENING", "Equation", "Model"]
