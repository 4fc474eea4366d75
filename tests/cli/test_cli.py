"""The command line: exit codes, messages, JSON, and what is written."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import typer.main

import planner
from planner.cli import app, main
from planner.cli import solve as solve_command
from planner.cli.app import LOG_FILE
from planner.equations.sets import rows
from planner.errors import InputError
from planner.run_folder import MANIFEST
from planner.solve import watch
from planner.solve.options import Event, SolveOptions
from tests.cases import DATA, ROOT, random_case, small_plan

SMALL = str(DATA / "small")
COMMANDS = sorted(typer.main.get_command(app).commands)  # type: ignore[attr-defined]
SUMMARY_KEYS = {
    "status", "objective_usd", "bound_usd", "gap", "cost_usd", "unserved",
    "liability_past_horizon_usd", "salvage_credit_usd", "seconds", "size", "peak_memory_mb",
    "provenance", "plausibility", "versions", "case_sha256",
}  # fmt: skip


@dataclass(frozen=True)
class Ran:
    """What a command left behind."""

    code: int
    out: str
    err: str

    def json(self) -> Any:
        """Its output as strict JSON: NaN and Infinity are no JSON."""

        def refuse(constant: str) -> None:
            raise ValueError(constant)

        return json.loads(self.out, parse_constant=refuse)


class Here:
    """Runs commands in this process, in an empty working folder."""

    def __init__(
        self,
        folder: Path,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        self.folder, self.monkeypatch, self.capsys = folder, monkeypatch, capsys

    def __call__(self, *arguments: str) -> Ran:
        self.monkeypatch.setattr(sys, "argv", ["planner", *arguments])
        self.capsys.readouterr()
        code = 0
        try:
            main()
        except SystemExit as stop:
            code = int(stop.code or 0)
        printed = self.capsys.readouterr()
        return Ran(code, printed.out, printed.err)

    def files(self) -> list[str]:
        """Names of what stands in the working folder."""
        return sorted(path.name for path in self.folder.iterdir())


@pytest.fixture
def here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Here:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")
    return Here(tmp_path, monkeypatch, capsys)


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cli") / "run"
    small_plan().save(folder)
    return folder


# -- help ----------------------------------------------------------------------------------------


def test_the_commands_that_are_promised_are_there() -> None:
    assert {"new", "check", "solve", "show", "audit"} <= set(COMMANDS)


def test_the_program_runs_as_a_module_and_tells_its_version() -> None:
    as_module = [sys.executable, "-m", "planner", "--version"]
    said = subprocess.run(as_module, capture_output=True, text=True, check=True)
    assert said.stdout == f"planner {planner.__version__}\n"


@pytest.mark.parametrize("command", COMMANDS)
def test_help_shows_an_example(command: str, here: Here) -> None:
    ran = here(command, "--help")
    assert ran.code == 0
    assert f"Example: planner {command} " in " ".join(ran.out.split())
    assert here.files() == []


def test_no_command_shows_the_commands(here: Here) -> None:
    ran = here()
    assert ran.code in (0, 2)
    assert all(command in ran.out + ran.err for command in COMMANDS)


# -- new and check -------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["small", "claude"])
def test_new_copies_an_example_that_checks(name: str, here: Here) -> None:
    assert here("new", "mine", "--from", name).code == 0
    assert planner.load_case("mine") == planner.load_case(DATA / name)
    ran = here("check", "mine")
    assert ran.code == 0
    assert "no faults" in ran.out


def test_new_is_small_when_nothing_is_said(here: Here) -> None:
    assert here("new", "mine").code == 0
    assert planner.load_case("mine").settings.name == "small"


def test_check_as_json(here: Here) -> None:
    ran = here("check", SMALL, "--json")
    assert ran.code == 0
    content = ran.json()
    case = planner.load_case(SMALL)
    assert content["case"] == "small"
    assert content["sha256"] == case.sha256()
    assert content["tables"]["demand"]["rows"] == len(case.demand)
    assert here.files() == []


def broken(folder: Path) -> str:
    """A copy of data/small with three faults."""
    shutil.copytree(SMALL, folder)
    (folder / "chips.csv").unlink()
    demand = folder / "demand.csv"
    demand.write_text(demand.read_text().replace("4500", "-4500").replace("5175", "many"))
    return str(folder)


@pytest.mark.parametrize("command", ["check", "solve"])
def test_every_fault_of_a_case_is_told_at_once(command: str, here: Here) -> None:
    case = broken(here.folder / "mine")
    ran = here(command, case)
    assert ran.code == 2
    assert ran.out == ""
    lines = ran.err.splitlines()
    assert any(line.startswith("chips.csv: ") for line in lines)
    assert any(line.startswith("demand.csv:2: requests_per_s") for line in lines)
    assert any(line.startswith("demand.csv:3: requests_per_s") for line in lines)
    assert lines[-1].startswith(f"{len(lines) - 1} faults")
    assert here.files() == ["mine"]


# -- usage ---------------------------------------------------------------------------------------

MISUSE: dict[str, tuple[str, ...]] = {
    "unknown command": ("plan", SMALL),
    "unknown option": ("solve", SMALL, "--fast"),
    "unknown example": ("new", "mine", "--from", "huge"),
    "no argument": ("solve",),
    "gap is text": ("solve", SMALL, "--gap", "tiny"),
    "gap below 0": ("solve", SMALL, "--gap", "-0.1"),
    "gap above 1": ("solve", SMALL, "--gap", "2"),
    "gap is no number": ("solve", SMALL, "--gap", "nan"),
    "time limit below 0": ("solve", SMALL, "--time-limit", "-1"),
    "time limit is no number": ("solve", SMALL, "--time-limit", "nan"),
    "no threads": ("solve", SMALL, "--threads", "0"),
    "no such case": ("check", "nowhere"),
    "no such case to solve": ("solve", "nowhere"),
    "case is a file": ("check", str(DATA / "small" / "chips.csv")),
    "no such run": ("show", "nowhere"),
    "no such run to audit": ("audit", "nowhere"),
    "a case is no run": ("audit", SMALL),
    "a case is no run to show": ("show", SMALL),
}


@pytest.mark.parametrize("name", MISUSE)
def test_misuse_is_2_and_writes_nothing(name: str, here: Here) -> None:
    ran = here(*MISUSE[name])
    assert ran.code == 2
    assert ran.err.strip()
    assert "Traceback" not in ran.err
    assert here.files() == []


def test_new_leaves_an_existing_folder_alone(here: Here) -> None:
    (here.folder / "mine").mkdir()
    ran = here("new", "mine")
    assert ran.code == 2
    assert "exists already" in ran.err
    assert list((here.folder / "mine").iterdir()) == []


def test_an_existing_run_is_refused_before_the_solve(here: Here) -> None:
    (here.folder / "run").mkdir()
    here.monkeypatch.setattr(solve_command, "solve_case", forbidden)
    ran = here("solve", SMALL, "--out", "run")
    assert ran.code == 2
    assert "--force" in ran.err
    assert list((here.folder / "run").iterdir()) == []


def forbidden(*_arguments: Any, **_options: Any) -> planner.Plan:
    raise AssertionError("must not be called")


# -- solve, show, audit --------------------------------------------------------------------------


def test_solve_show_and_audit(here: Here) -> None:
    ran = here("solve", SMALL, "--gap", "0")
    assert ran.code == 0
    assert "proven within the gap asked for" in ran.out
    assert ran.err == ""
    run = here.folder / "runs" / "small"
    assert {"summary.json", MANIFEST, "restart.parquet", "tables", "case", "figures"} == {
        p.name for p in run.iterdir()
    }
    plan = planner.load_plan(run)
    assert plan.status == "proven"
    assert json.loads((run / MANIFEST).read_text())["options"]["gap"] == 0.0
    shown = here("show", str(run))
    assert shown.code == 0
    assert f"{plan.objective_usd / 1e6:,.3f} million USD" in shown.out
    for term in plan.summary["cost_usd"]:
        assert term.replace("_", " ") in shown.out
    audited = here("audit", str(run))
    assert audited.code == 0
    assert "audit passed" in audited.out
    assert here.files() == ["runs"]
    # Again: refused as it stands, replaced with --force.
    assert here("solve", SMALL, "--no-figures").code == 2
    assert here("solve", SMALL, "--no-figures", "--force").code == 0
    assert not (run / "figures").exists()


def test_solve_as_json(here: Here) -> None:
    ran = here("solve", SMALL, "--out", "run", "--no-figures", "--json")
    assert ran.code == 0
    content = ran.json()
    assert set(content) >= SUMMARY_KEYS
    assert content["run"] == "run"
    saved_summary = json.loads((here.folder / "run" / "summary.json").read_text())
    assert {k: v for k, v in content.items() if k != "run"} == saved_summary


def test_show_as_json(saved: Path, here: Here) -> None:
    ran = here("show", str(saved), "--json")
    assert ran.code == 0
    assert ran.json() == json.loads((saved / "summary.json").read_text())


def test_audit_as_json(saved: Path, here: Here) -> None:
    ran = here("audit", str(saved), "--json")
    assert ran.code == 0
    content = ran.json()
    assert content["passed"] is True
    assert content["findings"] == []
    assert content["checked"] == sum(family["checked"] for family in content["families"])


def tamper(saved: Path, folder: Path) -> str:
    """A copy of a run with another bound and one flow twice."""
    run = shutil.copytree(saved, folder)
    summary = json.loads((run / "summary.json").read_text())
    summary["bound_usd"] *= 1.01
    (run / "summary.json").write_text(json.dumps(summary))
    table = run / "tables" / "serving.csv"
    lines = table.read_text().splitlines()
    table.write_text("\n".join([*lines, lines[-1]]) + "\n")
    return str(run)


def test_an_audit_that_fails_is_1(saved: Path, here: Here) -> None:
    run = tamper(saved, here.folder / "run")
    ran = here("audit", run)
    assert ran.code == 1
    assert "audit FAILED" in ran.out
    assert "bound: " in ran.err
    assert "tables/serving.csv" in ran.err
    assert here.files() == ["run"]


def test_an_audit_that_fails_is_json_too(saved: Path, here: Here) -> None:
    ran = here("audit", tamper(saved, here.folder / "run"), "--json")
    assert ran.code == 1
    content = ran.json()
    assert content["passed"] is False
    assert {finding["check"] for finding in content["findings"]} >= {"files", "bound"}


def test_no_time_is_3_and_writes_nothing(here: Here) -> None:
    ran = here("solve", SMALL, "--time-limit", "0", "--out", "run")
    assert ran.code == 3
    assert "time limit" in ran.err
    assert here.files() == []


def test_a_limit_with_a_plan_is_3_and_writes_it(here: Here) -> None:
    class Clock:
        added = 0.0

        def perf_counter(self) -> float:
            return time.perf_counter() + self.added

    clock = Clock()

    def solve_case(case: planner.Case, **options: Any) -> planner.Plan:
        def progress(event: Event) -> None:
            if event.objective_usd is not None:
                clock.added = 1e6

        return planner.solve(case, **{**options, "progress": progress})

    here.monkeypatch.setattr(watch, "time", clock)
    here.monkeypatch.setattr(solve_command, "solve_case", solve_case)
    planner.save_case(random_case(28), here.folder / "case")
    arguments = ("--gap", "0", "--time-limit", "3600", "--no-figures")
    ran = here("solve", "case", "--out", "run", *arguments)
    assert ran.code == 3
    assert "gap" in ran.out
    assert "stopped at the time limit" in " ".join(ran.out.split())
    assert planner.load_plan("run").status == "limit"
    assert here("audit", "run").code == 0
    assert "stopped at the time limit" in " ".join(here("show", "run").out.split())


@pytest.mark.parametrize(
    "command",
    [
        ("throughput", SMALL, "--out", "kept.csv"),
        ("calibrate", "--check", str(DATA / "calibration" / "inferencex_points.csv"),
         "--out", "kept.csv"),
        ("calibrate", "--data", str(DATA / "calibration"), "--report", "kept.csv"),
    ],
    ids=["throughput", "predictions", "report"],
)  # fmt: skip
def test_what_is_there_stays_unless_forced(command: tuple[str, ...], here: Here) -> None:
    (here.folder / "kept.csv").write_text("precious")
    ran = here(*command)
    assert ran.code == 2
    assert "--force replaces it" in ran.err
    assert (here.folder / "kept.csv").read_text() == "precious"
    if "--report" not in command:
        assert here(*command, "--force").code == 0
        assert (here.folder / "kept.csv").read_text() != "precious"


def test_a_place_that_cannot_be_written_is_known_before_the_solve(here: Here) -> None:
    def no_solve(*_: Any, **__: Any) -> planner.Plan:
        raise AssertionError("solved first")

    here.monkeypatch.setattr(solve_command, "solve_case", no_solve)
    (here.folder / "file").write_text("")
    for place in ("file/run", "file/runs/run", "/proc/run"):
        ran = here("solve", SMALL, "--out", place)
        assert ran.code == 2
        assert place in ran.err
        assert "unexpected" not in ran.err
    assert here.files() == ["file"]


def test_a_plan_is_there_though_no_chip_keeps_the_target(here: Here) -> None:
    """Its figure of throughput has no dot, no row and no key."""
    ran = here("solve", SMALL, "--set", "classes.interactive.ttft_ms=30", "--out", "run")
    assert ran.code == 0, ran.err
    assert (here.folder / "run" / "figures" / "throughput.png").is_file()


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_a_figure_that_is_not_drawn_costs_no_plan(error: type[BaseException], here: Here) -> None:
    def stop(*_: Any) -> dict[str, bytes]:
        raise error

    here.monkeypatch.setattr("planner.plot.render", stop)
    ran = here("solve", SMALL, "--out", "run")
    assert ran.code in (1, 3)
    assert planner.load_plan("run").status == "proven"


def test_a_time_limit_without_end_is_refused(here: Here) -> None:
    ran = here("solve", SMALL, "--time-limit", "inf")
    assert ran.code == 2
    assert "time_limit_s" in ran.err
    assert here.files() == []


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("throughput", SMALL, "--why", "pro", "trn2", "interactive", "--out", "a.csv"), "--out"),
        (("sweep", "RUN", "spec.toml", "--out", "a.parquet", "--plans", "3"), "--plans"),
        (("sweep", "RUN", "spec.toml", "--out", "a.parquet", "--gap", "0.5"), "--gap"),
        (("sweep", "RUN", "spec.toml", "--out", "a.parquet", "--replan", "--certify", "exact"),
         "--certify"),
        (("plot", "RUN", "--pair", "growth,price"), "--pair"),
        (("alternatives", "RUN", "--gap", "0.1"), "--gap"),
        (("explain", "RUN", "--time-limit", "1"), "--time-limit"),
        (("explain", SMALL, "--checked", "3"), "--checked"),
    ],
)  # fmt: skip
def test_an_option_that_would_do_nothing_is_refused(
    arguments: tuple[str, ...], words: str, saved: Path, here: Here
) -> None:
    ran = here(*(str(saved) if part == "RUN" else part for part in arguments))
    assert ran.code == 2
    assert ran.err.startswith(f"{words}: ")
    assert here.files() == []


def test_infeasible_is_4_and_writes_nothing(here: Here) -> None:
    def too_much(m: Any, _inst: Any) -> None:
        rows(m, "too_much", m.T, rule=lambda m, t: sum(m.contracted[p, t] for p in m.P) >= 1e12)

    def solve_case(case: planner.Case, **options: Any) -> planner.Plan:
        return planner.solve(case, equations=[too_much], **options)

    here.monkeypatch.setattr(solve_command, "solve_case", solve_case)
    ran = here("solve", SMALL, "--out", "run")
    assert ran.code == 4
    assert len(ran.err.splitlines()) == 1
    assert here.files() == []


def test_an_unexpected_error_is_one_line_and_a_log(here: Here) -> None:
    def solve_case(*_arguments: Any, **_options: Any) -> planner.Plan:
        raise ZeroDivisionError("something [bold]odd[/bold]" + " and long" * 30)

    here.monkeypatch.setattr(solve_command, "solve_case", solve_case)
    ran = here("solve", SMALL, "--out", "run")
    assert ran.code == 1
    assert ran.out == ""
    assert len(ran.err.splitlines()) == 1
    assert "ZeroDivisionError: something [bold]odd[/bold]" in ran.err
    assert LOG_FILE in ran.err
    assert here.files() == [LOG_FILE]
    log = (here.folder / LOG_FILE).read_text()
    assert "Traceback" in log
    assert "ZeroDivisionError" in log


def test_ctrl_c_outside_the_solve_is_3(here: Here) -> None:
    def solve_case(*_arguments: Any, **_options: Any) -> planner.Plan:
        raise KeyboardInterrupt

    here.monkeypatch.setattr(solve_command, "solve_case", solve_case)
    ran = here("solve", SMALL, "--out", "run")
    assert ran.code == 3
    assert "nothing was written" in ran.err
    assert here.files() == []


@pytest.mark.parametrize(
    "options",
    [
        {"gap": -0.1}, {"gap": 1.5}, {"gap": float("nan")}, {"time_limit_s": -1.0},
        {"time_limit_s": float("nan")}, {"threads": 0},
    ],
    ids=str,
)  # fmt: skip
def test_python_refuses_the_same_options(options: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        SolveOptions(**options)


# -- as a program --------------------------------------------------------------------------------


def program(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "from planner.cli import main; main()", *arguments]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=60, check=False)


def test_the_program_solves_in_a_pipe(tmp_path: Path) -> None:
    ran = program("solve", SMALL, "--out", "run", "--no-figures", "--json", cwd=tmp_path)
    assert ran.returncode == 0
    assert ran.stderr == ""
    assert json.loads(ran.stdout)["status"] == "proven"
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_the_program_refuses_in_one_message(tmp_path: Path) -> None:
    ran = program("check", "nowhere", cwd=tmp_path)
    assert ran.returncode == 2
    assert ran.stdout == ""
    assert ran.stderr.splitlines() == [
        "nowhere: is not a folder",
        "1 fault in the input; nothing was written",
    ]
    assert list(tmp_path.iterdir()) == []


def test_the_console_script_is_this_program() -> None:
    text = (ROOT / "pyproject.toml").read_text()
    assert 'planner = "planner.cli:main"' in text


# -- import and export ---------------------------------------------------------------------------

INSTANCE = DATA / "melange" / "mixed_80_20_tpot40_r4.json"


def test_import_makes_a_case_that_checks(here: Here) -> None:
    assert here("import", "melange", str(INSTANCE), "mine").code == 0
    assert here("check", "mine").code == 0
    assert here.files() == ["mine"]


def test_import_leaves_an_existing_folder_alone(here: Here) -> None:
    (here.folder / "mine").mkdir()
    ran = here("import", "melange", str(INSTANCE), "mine")
    assert ran.code == 2
    assert "exists already" in ran.err
    assert list((here.folder / "mine").iterdir()) == []


@pytest.mark.parametrize(
    ("lengths", "says"),
    [("1;2", "2 lengths for 8 input buckets"), ("1;x", "not numbers"), ("0;1", "below 1")],
)
def test_import_refuses_lengths_that_do_not_fit(lengths: str, says: str, here: Here) -> None:
    ran = here("import", "melange", str(INSTANCE), "mine", "--input-tokens", lengths)
    assert ran.code == 2
    assert says in ran.err
    assert here.files() == []


@pytest.mark.parametrize("kind", ["mps", "lp"])
def test_export_writes_a_file(kind: str, here: Here) -> None:
    assert here("export", SMALL, "--format", kind).code == 0
    assert here.files() == [f"small.{kind}"]
    ran = here("export", SMALL, "--format", kind)
    assert ran.code == 2
    assert "--force" in ran.err
    assert here("export", SMALL, "--format", kind, "--force").code == 0


def test_export_goes_by_the_end_of_the_name(here: Here) -> None:
    assert here("export", SMALL, "--out", "small.lp").code == 0
    assert "\nminimize\n" in (here.folder / "small.lp").read_text()
    apart = here("export", SMALL, "--format", "mps", "--out", "other.lp")
    assert apart.code == 2
    assert "ends in .lp" in apart.err
    (here.folder / "place").mkdir()
    folder = here("export", SMALL, "--out", "place", "--force")
    assert folder.code == 2
    assert "is a folder" in folder.err


def test_export_refuses_what_it_does_not_know(here: Here) -> None:
    assert here("export", SMALL, "--format", "xlsx").code == 2
    assert here("export", SMALL, "--out", "nowhere/small.mps").code == 2
    assert here.files() == []


# -- generate ------------------------------------------------------------------------------------


def test_generate_makes_a_case_that_checks(here: Here) -> None:
    assert here("generate", "mine", "--columns", "1000", "--seed", "5").code == 0
    assert here("check", "mine").code == 0
    ran = here("generate", "mine", "--columns", "1000")
    assert ran.code == 2
    assert "exists already" in ran.err
    assert here("generate", "other", "--columns", "1").code == 2
    assert here.files() == ["mine"]


# -- starts, strategies, other solvers -----------------------------------------------------------


def test_solve_from_an_earlier_run_and_the_manifest_says_so(saved: Path, here: Here) -> None:
    change = "offers.on-demand.price_usd_per_chip_hour=6.1"
    ran = here(
        "solve", SMALL, "--warm", str(saved), "--set", change, "--out", "later", "--no-figures"
    )
    assert ran.code == 0
    assert "the earlier plan, at this case: its proof proves" in " ".join(ran.out.split())
    assert "strategy: dive (" in ran.out
    options = json.loads((here.folder / "later" / MANIFEST).read_text())["options"]
    assert options["warm"] == str(saved)
    assert options["strategy"] == "auto"
    assert options["strategy_used"]["name"] == "dive"
    assert here("audit", "later").code == 0


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--solver", "no-such"), "--solver: Pyomo knows no solver 'no-such'"),
        (("--solver", "baron"), "--solver: 'baron' is not installed"),
        (("--solver", "highs", "--strategy", "dive"), "--strategy: says who finds the plan"),
        (("--warm", "nowhere"), "nowhere is not a run folder"),
    ],
)
def test_what_cannot_find_a_plan_is_refused(
    options: tuple[str, ...], says: str, here: Here
) -> None:
    ran = here("solve", SMALL, "--out", "run", *options)
    assert ran.code == 2
    assert says in " ".join(ran.err.split())
    assert here.files() == []
