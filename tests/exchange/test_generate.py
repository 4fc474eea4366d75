"""Generated cases are ordinary ones, of the size asked for and like the reference case."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pytest

import planner
from planner.case import Case
from planner.case.write import save_case
from planner.errors import InputError
from planner.example_cases import example_folder
from planner.generate import generated_case
from planner.instance import Instance, build_instance
from planner.matrix import compile_model
from planner.model import build_model
from tests.cases import CLAUDE_LIMIT_S, small_case, valid


def load_over_supply(inst: Instance) -> float:
    """Reference chips that the demand takes over those that supply holds, all periods."""
    worth = inst.pools.usable * inst.pools.reference_chips
    return float(inst.serving.reference_load.sum() / (worth @ inst.pools.supply).sum())


@cache
def reference() -> Case:
    return planner.load_case(example_folder("claude"))


@cache
def reference_load() -> float:
    return load_over_supply(build_instance(reference()))


@pytest.mark.parametrize(("columns", "seed"), [(1_000, 0), (10_000, 3), (40_000, 1)])
def test_size_and_statistics(columns: int, seed: int, tmp_path: Path) -> None:
    case = valid(generated_case(columns, seed))
    save_case(case, tmp_path / "case")
    assert planner.load_case(tmp_path / "case") == case
    inst = build_instance(case)
    matrix = compile_model(build_model(inst))
    serving = matrix.columns["serve"]
    assert 0.9 * columns <= serving.stop - serving.start <= 1.2 * columns
    assert matrix.shape[1] <= 1.6 * columns + 2_000
    assert load_over_supply(inst) == pytest.approx(reference_load(), rel=0.15)


def test_more_than_the_reference_case_has_copies() -> None:
    """Copies have names of their own, and lengths, demand and supply that differ."""
    case = valid(generated_case(400_000, 2))
    assert len(case.pools) > len(reference().pools)
    pools = [(p.cloud, p.region, p.chip) for p in case.pools]
    assert len(set(pools)) == len(pools)
    names = [w.workload for w in case.serving]
    assert len(set(names)) == len(names)
    copied = next(w for w in case.serving if w.workload.endswith("+2"))
    first = next(w for w in case.serving if w.workload == copied.workload.removesuffix("+2"))
    assert copied.input_tokens != first.input_tokens
    assert copied.cached_tokens < copied.input_tokens
    share = first.cached_tokens / first.input_tokens
    assert copied.cached_tokens / copied.input_tokens == pytest.approx(share, abs=0.01)


def test_seeds() -> None:
    again, one, two = (generated_case(2_000, seed, like=small_case()) for seed in (7, 7, 8))
    assert again == one
    assert one != two
    assert one.settings.name != two.settings.name
    rate = [np.array([d.requests_per_s for d in case.demand]).sum() for case in (one, two)]
    assert rate[0] != rate[1]


def test_a_generated_case_solves() -> None:
    case = generated_case(2_000, 0)
    plan = planner.solve(case, gap=0.01, time_limit_s=CLAUDE_LIMIT_S)
    assert plan.status == "proven"
    assert plan.objective_usd > 0


def test_too_few_columns() -> None:
    with pytest.raises(InputError, match="below 1000"):
        generated_case(10, 0)
