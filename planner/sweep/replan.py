"""Sweeps in which contracts move too: a proven bound for every scenario, plans for a few.

The tree of a plan's certificate and the row duals of its leaves bound the whole problem with any
other data (`planner.audit.checks.weak_duality`): the bound of a scenario is the least over the
leaves, each with its duals held against the scenario's own costs, rows and column bounds. Three
things keep it valid where the scenario's problem has other rows and columns than the plan's:

- a dual of a row that the scenario lacks is left out: weak duality takes any duals;
- a leaf whose narrowed column is gone is not narrowed: that only widens it;
- where a branch went to the end of a column's range in the plan, it goes to the end of the range
  in the scenario, so that the leaves still cover everything.

A leaf that was empty in the plan and is not in the scenario takes the best of the other leaves'
duals. The scenario's problem is stated by the audit (`planner.audit.model`), without Pyomo.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import joblib
import numpy as np

from planner.audit.certificate import Certificate, certificate_of, leaf_duals, narrowed_columns
from planner.audit.checks import proves_empty, weak_duality
from planner.audit.draft import Block
from planner.audit.model import AuditModel, audit_model
from planner.errors import Fault, InfeasibleError, InputError, RunFolderError
from planner.instance import build_instance
from planner.plan import Plan
from planner.restart.keep import restart_of
from planner.solving import solve
from planner.sweep import tasks
from planner.sweep.block import Floats, Ints
from planner.sweep.draws import correlation_root, values_of
from planner.sweep.pieces import Progress, Work, work_folder
from planner.sweep.results import SweepResult, write_parquet, write_part
from planner.sweep.scenario import check_replan, scenario_case
from planner.sweep.spec import Given, Spec, as_spec

GAP = 1e-2
"""Gap to which chosen scenarios are planned."""
_PLAN = "plan.joblib"


@dataclass(frozen=True, eq=False)
class Proof:
    """A plan's certificate with the model it was made for."""

    tree: Certificate
    """Tree of branchings with its duals."""
    model: AuditModel
    """The problem of the plan, as the audit states it."""
    narrowed: Ints
    """Column of that model which each node narrows, -1 = none [node]."""


def proof_of(plan: Plan) -> Proof:
    """The certificate of a plan and its model. Raises AuditError when it is none."""
    tree = certificate_of(plan.tables["certificate_nodes"], plan.tables["certificate_duals"])
    model = audit_model(build_instance(plan.case), explicit=_explicit(plan))
    return Proof(tree, model, narrowed_columns(model, tree)[0])


def _explicit(plan: Plan) -> bool:
    return bool(plan.summary["redundancy"]["mode"] == "explicit")


def certificate_bound(proof: Proof, model: AuditModel) -> float:
    """Lower bound on the cost of every plan of another model, USD; inf where there is none."""
    tree = _relabelled(proof.tree, proof.model, model)
    column, _ = narrowed_columns(model, tree)
    rows, _ = leaf_duals(model, tree)
    cost, offset = model.cost.sum(axis=0), float(model.cost_offset.sum())
    y_of = {leaf: _duals(tree, rows, leaf, len(model.row_lower))
            for leaf in np.flatnonzero(tree.is_leaf).tolist()}  # fmt: skip
    proven = []
    for leaf, y in y_of.items():
        lower, upper = _box(proof, model, tree, column, leaf)
        if not tree.is_ray[leaf]:
            proven.append(weak_duality(model, cost, y, lower, upper))
        elif not proves_empty(model, y, lower, upper):
            others = (z for other, z in y_of.items() if not tree.is_ray[other])
            proven.append(max(weak_duality(model, cost, z, lower, upper) for z in others))
    return min(proven, default=np.inf) + offset


def _duals(tree: Certificate, rows: Ints, leaf: int, size: int) -> Floats:
    y = np.zeros(size)
    mine = np.flatnonzero((tree.dual_node == leaf) & (rows >= 0))
    np.add.at(y, rows[mine], tree.dual_value[mine])
    return y


def _box(
    proof: Proof, model: AuditModel, tree: Certificate, column: Ints, leaf: int
) -> tuple[Floats, Floats]:
    """Column bounds of a leaf in another model."""
    lower, upper = model.lower.copy(), model.upper.copy()
    node = leaf
    while node >= 0:
        there, here = int(proof.narrowed[node]), int(column[node])
        if here >= 0 and there >= 0:
            if tree.low[node] > proof.model.lower[there]:
                lower[here] = max(lower[here], tree.low[node])
            if tree.high[node] < proof.model.upper[there]:
                upper[here] = min(upper[here], tree.high[node])
        node = int(tree.parent[node])
    # An empty box: whatever it holds costs nothing less than inf, and any bound is valid.
    return np.minimum(lower, upper), upper


def _relabelled(tree: Certificate, base: AuditModel, model: AuditModel) -> Certificate:
    """The certificate with the positions that its labels have in another model."""
    index = list(tree.index)
    for node, (name, at) in enumerate(zip(tree.component, tree.index, strict=True)):
        if name and name in base.columns and name in model.columns:
            moved = _moved(np.array([at], dtype=np.int64), base.columns[name], model.columns[name])
            index[node] = tuple(moved[0].tolist())
    dual_index = tree.dual_index.copy()
    names = np.array(tree.dual_row, dtype=np.str_)
    for name in np.unique(names).tolist():
        if name in base.rows and name in model.rows:
            which = np.flatnonzero(names == name)
            width = len(base.rows[name].axes)
            moved = _moved(dual_index[which, :width], base.rows[name], model.rows[name])
            dual_index[which, :width] = moved
    return replace(tree, index=tuple(index), dual_index=dual_index)


def _moved(index: Ints, base: Block, block: Block) -> Ints:
    """Index tuples [n, axis] by label; a label that is gone gets a position outside."""
    out = index.copy()
    for axis, (before, after) in enumerate(zip(base.labels, block.labels, strict=True)):
        if before != after:
            at = {label: i for i, label in enumerate(after)}
            to = np.array([at.get(label, len(after)) for label in before], dtype=np.int64)
            out[:, axis] = to[index[:, axis]]
    return out


def replan(
    plan: Plan,
    spec: Given,
    *,
    out: str | Path | None = None,
    plans: int = 0,
    gap: float = GAP,
    time_limit_s: float | None = None,
    jobs: int = 1,
    name: str | None = None,
    progress: Progress | None = None,
) -> SweepResult:
    """Cost of the best contracts in every scenario: bounds for all, plans for `plans` of them.

    `spec` may be the path of a TOML file or a mapping like it. Planned are scenarios at evenly
    spaced ranks of the bound, the least and the highest first, each to `gap` or `time_limit_s`,
    with redundancy held as in the plan, and each from the swept plan's proof and whole numbers
    where its run keeps them (`planner.restart`). Interrupted, it goes on where it stopped when it
    is called again with the same arguments. Raises InputError for
    factors that no case can be written for, RunFolderError when `out` exists.
    """
    target = Path(tempfile.mkdtemp(prefix="sweep-")) / "sweep.parquet" if out is None else Path(out)
    if target.exists():
        raise RunFolderError(f"{target} exists")
    spec = as_spec(spec)
    correlation_root(spec)
    check_replan(plan.case, spec)
    asked = {"mode": "replan", "plans": plans, "gap": gap, "time_limit_s": time_limit_s}
    folder = work_folder(target, plan, spec, asked)
    tasks.save_joblib(folder / _PLAN, (_with_restart(plan), spec))
    work = Work(folder, jobs, progress or (lambda _step, _done, _all: None))
    every = range(spec.count)
    try:
        work.run("bound", _bound_task, ((i,) for i in every))
    except InputError:
        # Another specification will be asked for: nothing of this one is of use.
        shutil.rmtree(folder)
        raise
    bounds = np.array([_read(_bound_file(folder, i))["bound_usd"] for i in every])
    ranked = np.argsort(bounds, kind="stable")
    at = np.unique(np.linspace(0, spec.count - 1, min(plans, spec.count)).round().astype(int))
    chosen = sorted(ranked[at].tolist()) if plans else []
    work.run("plan", _plan_task, ((i, gap, time_limit_s) for i in chosen))
    made = {i: _read(_plan_file(folder, i)) for i in chosen}
    columns = _columns(spec, bounds, made)
    part = folder / "part.parquet"
    write_part(part, columns)
    summary = {
        "plan": name or plan.case.settings.name,
        "mode": "replan",
        "certify": "bounds",
        "spec": spec.model_dump(mode="json"),
        "scenarios": spec.count,
        "planned": len(chosen),
        "bound_usd": {"least": float(bounds.min()), "mean": float(bounds.mean()),
                      "most": float(bounds.max())},
        "widest_gap": max((p["gap"] for p in made.values() if p["gap"] is not None), default=None),
        "seconds": dict(work.seconds),
    }  # fmt: skip
    write_parquet([part], target, summary)
    shutil.rmtree(folder)
    return SweepResult(target, summary)


def _columns(spec: Spec, bounds: Floats, made: dict[int, dict[str, Any]]) -> dict[str, Any]:
    """One row a scenario: factors, bounds, and what was planned."""
    values = values_of(spec, np.arange(spec.count))
    columns: dict[str, Any] = {"scenario": np.arange(spec.count)}
    columns |= {factor.name: values[:, i] for i, factor in enumerate(spec.factor)}
    lower, cost = bounds.copy(), np.full(spec.count, np.nan)
    status = np.full(spec.count, "", dtype=object)
    chips = np.full(spec.count, np.nan)
    for i, each in made.items():
        lower[i] = max(lower[i], each["bound_usd"])
        cost[i] = np.nan if each["cost_usd"] is None else each["cost_usd"]
        status[i], chips[i] = each["status"], each["chips_signed"]
    columns["certificate_bound_usd"] = bounds
    columns["cost_lower_usd"] = lower
    columns["cost_usd"] = cost
    columns["chips_signed"] = chips
    columns["status"] = status.astype(str)
    return columns


def _bound_file(folder: Path, i: int) -> Path:
    return folder / f"bound-{i:07d}.json"


def _plan_file(folder: Path, i: int) -> Path:
    return folder / f"plan-{i:07d}.json"


def _read(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


def _write(path: Path, values: dict[str, Any]) -> None:
    fresh = path.with_name(f".{path.name}.writing")
    # Infinity is a bound of its own here.
    fresh.write_text(json.dumps(values), encoding="utf-8")
    fresh.replace(path)


@lru_cache(maxsize=1)
def _given(folder: Path, _stamp: int) -> tuple[Plan, Spec, Proof]:
    plan, spec = joblib.load(folder / _PLAN)
    return plan, spec, proof_of(plan)


def _plan_in(folder: Path) -> tuple[Plan, Spec, Proof]:
    """Plan, specification and proof, read once a process."""
    return _given(folder, (folder / _PLAN).stat().st_mtime_ns)


def _with_restart(plan: Plan) -> Plan:
    """The plan with what its run keeps for the next solve; as it is where that is nothing."""
    try:
        return replace(plan, restart=restart_of(plan))
    except RunFolderError:
        return plan


def _bound_task(folder: Path, i: int) -> None:
    """Bound one scenario."""
    if _bound_file(folder, i).exists():
        return
    plan, spec, proof = _plan_in(folder)
    values = values_of(spec, np.array([i]))[0]
    try:
        case = scenario_case(plan.case, spec, values)
    except InputError as error:
        named = ", ".join(
            f"{f.name} {v:g}" for f, v in zip(spec.factor, values.tolist(), strict=True)
        )
        faults = [Fault("spec", f"{fault}", None, f"scenario {i} ({named})")
                  for fault in error.faults]  # fmt: skip
        raise InputError(faults) from error
    model = audit_model(build_instance(case), explicit=_explicit(plan))
    _write(_bound_file(folder, i), {"bound_usd": certificate_bound(proof, model)})


def _plan_task(folder: Path, i: int, gap: float, time_limit_s: float | None) -> None:
    """Plan one scenario."""
    if _plan_file(folder, i).exists():
        return
    plan, spec, _ = _plan_in(folder)
    case = scenario_case(plan.case, spec, values_of(spec, np.array([i]))[0])
    try:
        made = solve(
            case,
            gap=gap,
            time_limit_s=time_limit_s,
            redundancy=plan.summary["redundancy"]["mode"],
            warm=None if plan.restart is None else plan,
        )
    except InfeasibleError:
        none = {"cost_usd": None, "bound_usd": float("inf"), "gap": None}
        _write(_plan_file(folder, i), {**none, "status": "infeasible", "chips_signed": 0.0})
        return
    signed = made.tables["contracts_signed"]
    values = {
        "cost_usd": made.objective_usd,
        "bound_usd": made.bound_usd,
        "gap": made.gap,
        "status": made.status,
        "chips_signed": float(signed["chips"].sum()),
    }
    _write(_plan_file(folder, i), values)
