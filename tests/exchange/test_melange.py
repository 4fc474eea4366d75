"""A Mélange instance is an ordinary case whose optimum is that of continuous routing."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.optimize import Bounds, LinearConstraint, milp

import planner
from planner.audit.folder import audit_plan
from planner.case.write import save_case
from planner.errors import InputError
from planner.melange import Instance, melange_case, read_instance
from tests.cases import DATA

FOLDER = DATA / "melange"
FILES = sorted(FOLDER.glob("*.json"))
TINY: dict[str, Any] = {
    "gpu_info": {
        "small gpu": {"cost": 1.0, "tputs": [[2.0, 1e-6], [1.0, 0.5]]},
        "h200_x": {"cost": 2.5, "tputs": [[6.0, 2.0], [3.0, 0.0]]},
    },
    "workload_distribution": [[0.5, 0.25], [0.25, 0.0]],
    "total_request_rate": 8.0,
}


def optimum(instance: Instance) -> float:
    """USD/h with whole GPUs and continuous routing, by scipy: share of a bucket on a type."""
    gpus = list(instance.gpu_info.values())
    served = instance.served()
    g, b = len(gpus), len(served)
    cost = np.concatenate([[gpu.cost for gpu in gpus], np.zeros(g * b)])
    whole = np.concatenate([np.ones(g), np.zeros(g * b)])
    rows, low, high = [], [], []
    upper = np.concatenate([np.full(g, np.inf), np.ones(g * b)])
    for k, gpu in enumerate(gpus):
        row = np.zeros(g + g * b)
        row[k] = -1.0
        for n, (i, j, rate) in enumerate(served):
            if gpu.tputs[i][j] > 1e-6:
                row[g + k * b + n] = rate / gpu.tputs[i][j]
            else:
                upper[g + k * b + n] = 0.0
        rows.append(row)
        low.append(-np.inf)
        high.append(0.0)
    for n in range(b):
        row = np.zeros(g + g * b)
        row[g + n :: b] = 1.0
        rows.append(row)
        low.append(1.0)
        high.append(1.0)
    found = milp(
        cost, integrality=whole, bounds=Bounds(np.zeros(len(cost)), upper),
        constraints=LinearConstraint(np.array(rows), low, high), options={"mip_rel_gap": 0.0},
    )  # fmt: skip
    assert found.fun is not None
    return float(found.fun)


def hourly(plan: planner.Plan) -> float:
    """USD/h of a plan of a Mélange case, with nothing left unserved."""
    assert plan.summary["cost_usd"]["unserved_demand"] == 0.0
    return plan.objective_usd / (31 * 24 * 1000)


@pytest.fixture
def write(tmp_path: Path) -> Callable[[Any], Path]:
    def to_file(content: Any) -> Path:
        file = tmp_path / "in.json"
        file.write_text(content if isinstance(content, str) else json.dumps(content))
        return file

    return to_file


@pytest.mark.parametrize("file", FILES, ids=lambda f: f.stem)
def test_cost_is_that_of_continuous_routing(file: Path, tmp_path: Path) -> None:
    save_case(melange_case(file), tmp_path / "case")
    plan = planner.solve(planner.load_case(tmp_path / "case"), gap=0.0)
    assert plan.status == "proven"
    assert hourly(plan) == pytest.approx(optimum(read_instance(file)), rel=1e-6)
    with (FOLDER / "results.csv").open(encoding="utf-8") as stream:
        known = {r["instance"]: r for r in csv.DictReader(stream)}[file.stem]
    assert hourly(plan) <= float(known["frac_cost"]) * (1 + 1e-6)
    assert hourly(plan) <= float(known["cbc_cost"]) * (1 + 1e-6)


def test_a_plan_of_an_instance_stands_up_to_the_audit() -> None:
    audit_plan(planner.solve(melange_case(FILES[0]), gap=0.0)).require()


def test_a_tiny_instance(write: Callable[[Any], Path]) -> None:
    """2 of 8 requests/s only h200_x serves; 4 + 2 either: 3 of h200_x carry all but a sixth."""
    file = write(TINY)
    case = melange_case(file, (10.0, 20.0), (5.0, 6.0))
    assert [w.allowed_clouds for w in case.serving] == [
        ("small gpu", "h200_x"), ("h200_x",), ("small gpu", "h200_x"),
    ]  # fmt: skip
    plan = planner.solve(case, gap=0.0)
    assert hourly(plan) == pytest.approx(optimum(read_instance(file)), rel=1e-9)
    assert set(plan.tables["contracts_signed"].chip) <= {"small gpu", "h200_x"}


BAD: dict[str, tuple[Any, str]] = {
    "not JSON": ("{", "is not JSON"),
    "no GPU": ({**TINY, "gpu_info": {}}, "gpu_info"),
    "unknown key": ({**TINY, "gpus": 1}, "gpus"),
    "no rate": ({**TINY, "total_request_rate": 0}, "total_request_rate"),
    "shares": ({**TINY, "workload_distribution": [[0.5, 0.1], [0.1, 0.1]]}, "add up to 0.8"),
    "ragged": ({**TINY, "workload_distribution": [[0.5, 0.5], [0.0]]}, "rows differ in length"),
    "shape": ({**TINY, "workload_distribution": [[0.5, 0.25, 0.25]]}, "is not 1 by 3"),
    "nobody": ({**TINY, "workload_distribution": [[0.5, 0.25], [0.0, 0.25]], "gpu_info": {
        "h200": {"cost": 1.0, "tputs": [[1.0, 1.0], [1.0, 1e-6]]}}}, "no GPU type serves it"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_bad_instances_say_what_is_wrong(name: str, write: Callable[[Any], Path]) -> None:
    content, says = BAD[name]
    with pytest.raises(InputError, match=says):
        read_instance(write(content))


def test_every_fault_at_once(write: Callable[[Any], Path]) -> None:
    gpus = {"a": {"cost": -1, "tputs": [[1.0]]}, "b": {"cost": 1, "tputs": [[-1.0]]}}
    with pytest.raises(InputError) as caught:
        read_instance(write({**TINY, "gpu_info": gpus}))
    assert [f.column for f in caught.value.faults] == ["gpu_info.a.cost", "gpu_info.b.tputs.0.0"]


def test_other_buckets_need_their_lengths(write: Callable[[Any], Path]) -> None:
    with pytest.raises(InputError, match="8 lengths for 2 input buckets"):
        melange_case(write(TINY))


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        read_instance(tmp_path / "none.json")
