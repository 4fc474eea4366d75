"""Plan AI compute: which chips to sign, with whom and when, with a proof."""

import planner.equations  # noqa: F401  (first: it imports Pyomo without what is slow in it)
from planner.alternatives.run import alternatives
from planner.case import Case, load_case, save_case
from planner.compare.run import compare
from planner.decisions.frontier import frontier
from planner.decisions.value import value
from planner.explain.run import explain
from planner.plan import Plan, load_plan
from planner.solving import solve
from planner.sweep.replan import replan
from planner.sweep.results import SweepResult, load_sweep, regret
from planner.sweep.run import sweep
from planner.sweep.spec import Spec, load_spec, spec_of

__version__ = "0.1.0"
__all__ = [
    "Case",
    "Plan",
    "Spec",
    "SweepResult",
    "__version__",
    "alternatives",
    "compare",
    "explain",
    "frontier",
    "load_case",
    "load_plan",
    "load_spec",
    "load_sweep",
    "regret",
    "replan",
    "save_case",
    "solve",
    "spec_of",
    "sweep",
    "value",
]
