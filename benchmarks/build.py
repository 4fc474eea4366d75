"""Build and hand over data/claude: templates and arrays against Pyomo's appsi_highs.

The same equations both ways, CPU seconds, medians of three in one run, turn by turn; without
explicit redundancy, which a solve holds by rounds of cuts at this size.
"""

from __future__ import annotations

import statistics
import time
from typing import Any

import highspy
import pyomo.environ as pyo
from pyomo.contrib.appsi.solvers import Highs

from planner import load_case
from planner.equations import EQUATIONS
from planner.equations.redundancy import redundancy
from planner.example_cases import example_folder
from planner.instance import Instance, build_instance
from planner.matrix import compile_model
from planner.model import build_model
from planner.solve.session import Session

ROUNDS = 3


def planner_way(inst: Instance) -> int:
    """Templates, compiled arrays, arrays to HiGHS; returns the columns."""
    matrix = compile_model(build_model(inst, without=(redundancy,)))
    Session(matrix)
    return matrix.shape[1]


def appsi_way(inst: Instance) -> int:
    """The same model expanded by Pyomo and handed over by appsi_highs; returns the columns."""
    m = pyo.ConcreteModel()
    for equation in EQUATIONS:
        if equation is not redundancy:
            equation(m, inst)
    terms = list(m.component_objects(pyo.Objective))
    for term in terms:
        term.deactivate()
    m.total = pyo.Objective(expr=sum(term.expr for term in terms))
    solver = Highs()
    solver.set_instance(m)
    lp: Any = solver._solver_model
    assert isinstance(lp, highspy.Highs)
    return int(lp.getNumCol())


def run() -> dict[str, float]:
    """columns, planner_cpu_s, appsi_cpu_s and their ratio."""
    inst = build_instance(load_case(example_folder("claude")))
    seconds: dict[str, list[float]] = {"planner": [], "appsi": []}
    columns = 0
    for _ in range(ROUNDS):
        for name, way in (("planner", planner_way), ("appsi", appsi_way)):
            before = time.process_time()
            columns = way(inst)
            seconds[name].append(time.process_time() - before)
    planner, appsi = (statistics.median(seconds[name]) for name in ("planner", "appsi"))
    return {
        "columns": columns,
        "planner_cpu_s": planner,
        "appsi_cpu_s": appsi,
        "ratio": planner / appsi,
    }
