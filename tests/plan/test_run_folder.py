"""Run folders: whole or not at all, nothing overwritten by accident, nothing tampered with."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import planner
from planner.audit.folder import TABLES_USED, audit_run
from planner.case.tables import TABLES
from planner.errors import AuditError, PlannerError, RunFolderError
from planner.run_folder import MANIFEST, changed_files, read_manifest
from planner.solving import PACKAGES
from planner.tables import TABLES as PLAN_TABLES
from tests.cases import small_case, small_plan

ADDED = ("cost_by_period", "certificate_nodes", "certificate_duals")


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of data/small that no test changes."""
    folder = tmp_path_factory.mktemp("runs") / "small"
    small_plan().save(folder, options={"gap": 0.0}, extra={"figures/x.png": b"not a picture"})
    return folder


@pytest.fixture
def run(saved: Path, tmp_path: Path) -> Path:
    """A copy of it to change."""
    return Path(shutil.copytree(saved, tmp_path / "run"))


def contents(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


# -- what is in it -----------------------------------------------------------------------------


def test_it_holds_the_plan_and_what_is_needed_to_redo_it(saved: Path) -> None:
    names = set(contents(saved))
    tables = {f"tables/{name}.csv" for name in (*PLAN_TABLES, *ADDED)}
    case = {"case/case.toml"} | {f"case/{t.file}" for t in TABLES if small_case().rows(t.name)}
    beside = {"summary.json", MANIFEST, "restart.parquet", "figures/x.png"}
    assert names == beside | tables | case
    manifest = read_manifest(saved)
    assert manifest["options"] == {"gap": 0.0}
    assert manifest["case_sha256"] == small_case().sha256()
    assert set(manifest["versions"]) == {"python", *PACKAGES}
    assert set(manifest["files"]) == names - {MANIFEST}
    for name, digest in manifest["files"].items():
        assert hashlib.sha256((saved / name).read_bytes()).hexdigest() == digest
    assert changed_files(saved) == []


def test_a_loaded_plan_is_the_plan(saved: Path) -> None:
    plan, loaded = small_plan(), planner.load_plan(saved)
    assert loaded.case == plan.case
    assert loaded.summary == json.loads(json.dumps(plan.summary))
    assert loaded.folder == saved
    assert (loaded.status, loaded.gap) == (plan.status, plan.gap)
    assert (loaded.objective_usd, loaded.bound_usd) == (plan.objective_usd, plan.bound_usd)
    assert set(loaded.tables) == set(plan.tables)
    for name, table in plan.tables.items():
        # Dates are text on file, and an empty table has no types there.
        dates = [name for name in table if table[name].dtype == object]
        expected = table.astype(dict.fromkeys(dates, "str"))
        pd.testing.assert_frame_equal(
            loaded.tables[name], expected, check_exact=True, check_dtype=len(table) > 0
        )


def test_a_saved_plan_is_redone_from_its_folder(saved: Path, tmp_path: Path) -> None:
    again = planner.solve(planner.load_case(saved / "case"), gap=0.0).save(tmp_path / "again")
    assert again.folder is not None
    for name in (*PLAN_TABLES, *ADDED):
        path = f"tables/{name}.csv"
        assert (again.folder / path).read_bytes() == (saved / path).read_bytes(), name


def test_a_loaded_plan_saves_to_the_same_files(saved: Path, tmp_path: Path) -> None:
    planner.load_plan(saved).save(tmp_path / "copy")
    first, second = contents(saved), contents(tmp_path / "copy")
    for name in second:
        if name != MANIFEST:
            assert first[name] == second[name], name


def test_the_audit_passes(saved: Path) -> None:
    report = audit_run(saved)
    assert report.passed
    assert report.checked > 1000
    assert {"files", "rows", "bounds", "whole numbers", "cost", "bound", "tables", "summary"} <= {
        family.check for family in report.families
    }


# -- whole or not at all -----------------------------------------------------------------------


def failing(real: Callable[..., Any], at: int) -> Callable[..., Any]:
    """A function that does what `real` does, but fails at its `at`-th call."""
    calls = 0

    def method(*args: Any, **kwargs: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == at:
            raise OSError(28, "No space left on device")
        return real(*args, **kwargs)

    return method


STEPS = (
    ("write_bytes", 1), ("write_bytes", 9), ("write_text", 1), ("chmod", 1), ("replace", 1),
    ("replace", 2),
)  # fmt: skip
"""A method of Path that fails, and at which of its calls."""


@pytest.mark.parametrize(("method", "at"), STEPS[:-1])
def test_a_failure_leaves_nothing(
    method: str, at: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = small_plan()
    with monkeypatch.context() as patch:
        patch.setattr(Path, method, failing(getattr(Path, method), at))
        with pytest.raises(OSError, match="No space"):
            plan.save(tmp_path / "run")
    assert list(tmp_path.iterdir()) == []
    plan.save(tmp_path / "run")
    assert audit_run(tmp_path / "run").passed


@pytest.mark.parametrize(("method", "at"), STEPS)
def test_a_failure_leaves_the_run_that_was_there(
    method: str, at: int, run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = contents(run)
    with monkeypatch.context() as patch:
        patch.setattr(Path, method, failing(getattr(Path, method), at))
        with pytest.raises(OSError, match="No space"):
            small_plan().save(run, force=True)
    assert [path.name for path in run.parent.iterdir()] == ["run"]
    assert contents(run) == before


def test_a_summary_that_is_no_json_writes_nothing(tmp_path: Path) -> None:
    plan = small_plan()
    odd = planner.Plan(plan.case, plan.tables, {**plan.summary, "gap": float("nan")})
    with pytest.raises(ValueError, match="JSON"):
        odd.save(tmp_path / "run")
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_overwritten_without_force(run: Path) -> None:
    before = contents(run)
    with pytest.raises(RunFolderError, match="exists") as caught:
        small_plan().save(run)
    assert caught.value.exit_code == 2
    assert contents(run) == before
    assert [path.name for path in run.parent.iterdir()] == ["run"]


def test_force_replaces_a_run_whole(run: Path) -> None:
    (run / "stale.txt").write_text("from before")
    small_plan().save(run, force=True)
    assert not (run / "stale.txt").exists()
    assert not (run / "figures").exists()
    assert audit_run(run).passed
    assert [path.name for path in run.parent.iterdir()] == ["run"]


@pytest.mark.parametrize("kind", ["folder", "file"])
def test_what_is_no_run_is_left_alone_even_with_force(kind: str, tmp_path: Path) -> None:
    target = tmp_path / "precious"
    if kind == "folder":
        target.mkdir()
        (target / "thesis.tex").write_text("years of work")
    else:
        target.write_text("years of work")
    with pytest.raises(RunFolderError, match="left alone"):
        small_plan().save(target, force=True)
    left = target / "thesis.tex" if kind == "folder" else target
    assert left.read_text() == "years of work"
    assert list(tmp_path.iterdir()) == [target]


def test_an_empty_folder_is_taken_with_force(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    with pytest.raises(RunFolderError, match="exists"):
        small_plan().save(tmp_path / "run")
    small_plan().save(tmp_path / "run", force=True)
    assert audit_run(tmp_path / "run").passed


def test_folders_above_are_made(tmp_path: Path) -> None:
    plan = small_plan().save(tmp_path / "a" / "b" / "run")
    assert plan.folder == tmp_path / "a" / "b" / "run"
    assert (plan.folder / MANIFEST).is_file()


# -- what cannot be read -----------------------------------------------------------------------


def edit_manifest(run: Path, change: Callable[[dict[str, Any]], None]) -> None:
    manifest = json.loads((run / MANIFEST).read_text())
    change(manifest)
    (run / MANIFEST).write_text(json.dumps(manifest))


def test_a_path_that_leaves_the_folder_is_refused(run: Path) -> None:
    outside = run.parent / "outside.csv"
    outside.write_text("a\n1\n")
    digest = hashlib.sha256(outside.read_bytes()).hexdigest()
    edit_manifest(run, lambda m: m["files"].update({"tables/../../outside.csv": digest}))
    assert changed_files(run) == ["tables/../../outside.csv"]
    with pytest.raises(RunFolderError, match="leaves the run folder"):
        planner.load_plan(run)
    with pytest.raises(RunFolderError, match="leaves the run folder"):
        audit_run(run)


def test_a_table_that_is_a_link_to_elsewhere_is_refused(run: Path) -> None:
    table = run / "tables" / "serving.csv"
    table.replace(run.parent / "serving.csv")
    table.symlink_to(run.parent / "serving.csv")
    assert changed_files(run) == ["tables/serving.csv"]
    with pytest.raises(RunFolderError, match="leaves the run folder"):
        planner.load_plan(run)


BROKEN: dict[str, Callable[[Path], object]] = {
    "no manifest": lambda run: (run / MANIFEST).unlink(),
    "manifest is no JSON": lambda run: (run / MANIFEST).write_text("{"),
    "manifest is a list": lambda run: (run / MANIFEST).write_text("[]"),
    "manifest names no files": lambda run: (run / MANIFEST).write_text("{}"),
    "manifest with a number": lambda run: edit_manifest(run, lambda m: m["files"].update(a=1)),
    "no summary": lambda run: (run / "summary.json").unlink(),
    "summary is no JSON": lambda run: (run / "summary.json").write_text("objective: 3"),
    "a table is gone": lambda run: (run / "tables" / "serving.csv").unlink(),
    "a table is empty": lambda run: (run / "tables" / "serving.csv").write_text(""),
    "the case is gone": lambda run: shutil.rmtree(run / "case"),
    "a table is not UTF-8": lambda run: (run / "tables" / "serving.csv").write_bytes(b"\xff,\n"),
    "no such folder": shutil.rmtree,
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_run_is_refused_in_one_message(name: str, run: Path) -> None:
    BROKEN[name](run)
    with pytest.raises(PlannerError) as caught:
        planner.load_plan(run)
    assert caught.value.exit_code == 2
    assert str(caught.value)


def test_a_table_that_the_audit_needs_must_be_listed(run: Path) -> None:
    edit_manifest(run, lambda m: m["files"].pop("tables/certificate_duals.csv"))
    with pytest.raises(AuditError, match="certificate_duals"):
        audit_run(run)


# -- tampering ---------------------------------------------------------------------------------


def rehash(run: Path) -> None:
    """What a careful cheat does: the manifest fits the changed files again."""

    def fit(manifest: dict[str, Any]) -> None:
        for name in manifest["files"]:
            manifest["files"][name] = hashlib.sha256((run / name).read_bytes()).hexdigest()

    edit_manifest(run, fit)


Change = Callable[[pd.DataFrame], pd.DataFrame]


def times(column: str, by: float, row: int = 0) -> Change:
    """One value of a column times a factor."""

    def change(table: pd.DataFrame) -> pd.DataFrame:
        values = table[column].to_numpy(float).copy()
        values[row] *= by
        return table.assign(**{column: values})

    change.__name__ = f"{column} x {by}"
    return change


def more_lots(table: pd.DataFrame) -> pd.DataFrame:
    return table.assign(lots=table.lots + (table.index == 0))


def keep_what_is_left(table: pd.DataFrame) -> pd.DataFrame:
    return table.assign(decision="keep")


def some_unserved(table: pd.DataFrame) -> pd.DataFrame:
    served = small_plan().tables["serving"]
    where = served[served.workload.str.contains("interactive")].iloc[0]
    row = [where.workload, "interactive", where.period, where["slice"], 100.0, 0.1, 0.0]
    return pd.DataFrame([row], columns=table.columns)


def missed_half(table: pd.DataFrame) -> pd.DataFrame:
    return table.assign(missed_share=0.5 * (table.kind == "standing"))


def placed_nowhere(table: pd.DataFrame) -> pd.DataFrame:
    return table.assign(placement="")


def less_of_the_largest(table: pd.DataFrame) -> pd.DataFrame:
    return times("present_value_usd", 0.9, int(table.present_value_usd.argmax()))(table)


def a_smaller_tree(table: pd.DataFrame) -> pd.DataFrame:
    """The last leaf goes: its part of the space is proven by nothing."""
    return table.iloc[:-1]


def half_the_duals(table: pd.DataFrame) -> pd.DataFrame:
    return table.assign(dual=table.dual / 2)


def no_duals(table: pd.DataFrame) -> pd.DataFrame:
    return table.iloc[:0]


def two_rows(table: pd.DataFrame) -> pd.DataFrame:
    return pd.concat([table, table.iloc[:1]])


TAMPERED: tuple[tuple[str, Change], ...] = (
    ("contracts_signed", more_lots),
    ("contracts_signed", times("lots", 0.5)),
    ("contracts_existing", keep_what_is_left),
    ("capacity", times("contracted_chips", 1.01)),
    ("pay_as_you_go", times("chips", 0.5)),
    ("serving", times("chips", 0.9)),
    ("serving", times("requests_per_s", 1.1)),
    ("serving", times("rate_requests_per_s_per_chip", 1.1)),
    ("serving", two_rows),
    ("unserved", some_unserved),
    ("training", times("chips", 10.0, row=-1)),
    ("training_runs", missed_half),
    ("training_runs", placed_nowhere),
    ("cost_by_period", less_of_the_largest),
    ("certificate_nodes", a_smaller_tree),
    ("certificate_duals", half_the_duals),
    ("certificate_duals", no_duals),
)


def _ids(value: Any) -> str:
    return getattr(value, "__name__", str(value))


def found(run: Path) -> bool:
    """Whether the audit of a run finds anything, or refuses it."""
    try:
        return not audit_run(run).passed
    except PlannerError:
        return True


def change_table(run: Path, name: str, change: Change) -> None:
    path = run / "tables" / f"{name}.csv"
    before = path.read_bytes()
    table = pd.read_csv(path, keep_default_na=False)
    assert len(table) or name == "unserved"
    change(table).to_csv(path, index=False)
    assert path.read_bytes() != before


def test_every_table_that_the_audit_uses_is_tampered_with() -> None:
    assert {name for name, _ in TAMPERED} == set(TABLES_USED)


@pytest.mark.parametrize("rehashed", [False, True], ids=["hash left", "hash recomputed"])
@pytest.mark.parametrize(("name", "change"), TAMPERED, ids=_ids)
def test_a_tampered_table_is_found(name: str, change: Change, rehashed: bool, run: Path) -> None:
    change_table(run, name, change)
    assert changed_files(run) == [f"tables/{name}.csv"]
    if rehashed:
        rehash(run)
        assert changed_files(run) == []
    assert found(run)


def set_to(value: Any) -> Callable[[Any], Any]:
    return lambda _old: value


def factor(by: float) -> Callable[[Any], Any]:
    return lambda old: old * by


SUMMARY: tuple[tuple[str, Callable[[Any], Any]], ...] = (
    ("objective_usd", factor(0.99)),
    ("bound_usd", factor(1.001)),
    ("bound_usd", factor(0.9)),
    ("gap", set_to(0.01)),
    ("cost_usd.new_contracts", factor(0.9)),
    ("cost_usd.salvage_past_horizon", factor(1.001)),
    ("liability_past_horizon_usd", factor(0.5)),
    ("salvage_credit_usd", factor(1.5)),
    ("case_sha256", set_to("0" * 64)),
    ("size.columns", set_to(10)),
    ("size.rows", set_to(10)),
)


@pytest.mark.parametrize("rehashed", [False, True], ids=["hash left", "hash recomputed"])
@pytest.mark.parametrize(("key", "change"), SUMMARY, ids=[key for key, _ in SUMMARY])
def test_a_tampered_summary_is_found(
    key: str, change: Callable[[Any], Any], rehashed: bool, run: Path
) -> None:
    path = run / "summary.json"
    summary = json.loads(path.read_text())
    holder, *rest = key.split(".")
    place = summary[holder] if rest else summary
    name = rest[0] if rest else holder
    before = place[name]
    place[name] = change(before)
    assert place[name] != before
    path.write_text(json.dumps(summary))
    if rehashed:
        rehash(run)
    assert found(run)


CASE_FILES = (
    ("demand.csv", "2026-Q4,4500.0", "2026-Q4,4600.0"),
    ("offers.csv", "h200,reserved,false,1.0,2.7", "h200,reserved,false,1.0,2.6"),
    ("case.toml", "discount_rate_per_year = 0.08", "discount_rate_per_year = 0.07"),
)


@pytest.mark.parametrize("how", ["hash left", "hash recomputed", "hashes recomputed"])
@pytest.mark.parametrize(("file", "old", "new"), CASE_FILES, ids=[f for f, _, _ in CASE_FILES])
def test_a_tampered_case_is_found(file: str, old: str, new: str, how: str, run: Path) -> None:
    path = run / "case" / file
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    if how == "hashes recomputed":
        summary = json.loads((run / "summary.json").read_text())
        summary["case_sha256"] = planner.load_case(run / "case").sha256()
        (run / "summary.json").write_text(json.dumps(summary))
    if how != "hash left":
        rehash(run)
    assert found(run)


@pytest.mark.parametrize("name", ["obligations", "offers_not_used"])
def test_a_table_for_reading_is_held_by_its_hash_and_its_numbers(name: str, run: Path) -> None:
    path = run / "tables" / f"{name}.csv"
    path.write_text(path.read_text().replace("1", "2"))
    report = audit_run(run)
    assert {"files", "tables"} == {f.check for f in report.findings}
    assert f"tables/{name}.csv" in [f.place for f in report.findings]


DERIVED: tuple[tuple[str, Change], ...] = (
    ("obligations", times("new_contracts_usd", 0.5, row=-1)),
    ("contracts_signed", times("chips", 0.5)),
    ("contracts_signed", times("payments_in_horizon_usd", 0.5)),
    ("contracts_existing", times("payments_in_horizon_usd", 0.5)),
    ("capacity", times("power_mw", 0.5)),
    ("capacity", times("supply_chips", 2.0)),
    ("pay_as_you_go", times("cost_usd", 0.5)),
    ("training", times("work_eflop", 2.0)),
)


@pytest.mark.parametrize(("name", "change"), DERIVED, ids=_ids)
def test_a_tampered_column_for_reading_is_found(name: str, change: Change, run: Path) -> None:
    change_table(run, name, change)
    rehash(run)
    assert found(run)


@pytest.mark.parametrize("key", ["unserved", "plausibility", "provenance", "status"])
def test_a_tampered_figure_of_merit_is_found(key: str, run: Path) -> None:
    path = run / "summary.json"
    summary = json.loads(path.read_text())
    tampered: dict[str, Callable[[], None]] = {
        "unserved": lambda: summary["unserved"]["interactive"].update(share=0.5),
        "plausibility": lambda: summary["plausibility"][0].update(power_gw=9.0),
        "provenance": lambda: summary["provenance"].update(served_demand={"measured": 1.0}),
        "status": lambda: summary.update(status="limit"),
    }
    tampered[key]()
    path.write_text(json.dumps(summary))
    rehash(run)
    assert found(run)
