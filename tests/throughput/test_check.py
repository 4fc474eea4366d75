"""A user's table is predicted row by row, and every fault is named."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from planner.throughput import measured_chips, open_architectures
from planner.throughput.check import ADDED, check_file
from planner.throughput.closed_loop import Times
from planner.throughput.frontier import FLOORS, compare, frontier, groups, table
from planner.throughput.points import PointError, points_from_rows, read_rows

DATA = Path(__file__).parents[2] / "data" / "calibration"
HEADER = "chip,model,precision,isl,osl,concurrency,n_gpus,ttft_ms,tpot_ms"


def write(path: Path, *lines: str, header: str = HEADER) -> Path:
    path.write_text("\n".join([header, *lines]) + "\n", encoding="utf-8")
    return path


def test_rows_come_back_with_predictions(tmp_path: Path) -> None:
    path = write(
        tmp_path / "a.csv",
        "H200,openai/gpt-oss-120b,fp4,1024,1024,16,4,80,6.1",
        "MI300X,meta-llama/Llama-2-70B-chat-hf,fp8,1024,1024,32,8,,",
        "b300,deepseek-ai/DeepSeek-R1,fp8,8192,1024,64,8,900,",
    )
    check = check_file(path)
    out = tmp_path / "out.csv"
    check.write(out)
    with out.open(newline="", encoding="utf-8") as handle:
        rows = list(csv.DictReader(handle))
    assert list(rows[0]) == HEADER.split(",") + list(ADDED)
    assert [row["chip"] for row in rows] == ["H200", "MI300X", "b300"]
    assert rows[0]["provenance"] == "calibrated"
    assert rows[1]["provenance"] == "modelled"
    error = float(rows[0]["predicted_tpot_ms"]) / 6.1 - 1
    assert float(rows[0]["tpot_relative_error"]) == pytest.approx(error, abs=1e-3)
    assert rows[1]["tpot_relative_error"] == rows[2]["tpot_relative_error"] == ""
    assert all(float(row["predicted_ttft_ms"]) > 0 for row in rows)
    assert set(check.summary()) >= {"rows", "tpot_median", "ttft_median"}


def test_only_the_needed_columns(tmp_path: Path) -> None:
    path = write(
        tmp_path / "a.csv",
        "H100,Qwen3-32B,1024,1024,16,4",
        header="chip,model,isl,osl,concurrency,n_gpus",
    )
    check = check_file(path)
    assert np.isfinite(check.predicted.tpot).all()
    assert np.isnan(check.tpot_error).all()
    assert check.summary() == {"rows": 1.0}


def test_every_named_model_and_chip_is_predicted(tmp_path: Path) -> None:
    rows = [f"H200,{m},fp8,1024,1024,8,8,," for m in open_architectures()]
    rows += [f"{c},DeepSeek-V3,fp8,1024,1024,8,8,," for c in measured_chips()]
    names = ["moonshotai/Kimi-K2.5", "mistralai/Mixtral-8x7B-Instruct-v0.1", "llama2-70b-99"]
    names += ["meta-llama/Llama-3.1-405B-Instruct", "nvidia/DeepSeek-R1-NVFP4"]
    rows += [f"B200,{m},fp4,1024,1024,8,8,," for m in names]
    check = check_file(write(tmp_path / "a.csv", *rows))
    assert len(check.rows) == len(rows)
    assert np.all(check.predicted.tpot > 0.3)
    assert np.all(check.predicted.tpot < 500)


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ("H200,nobody/Nothing-1B,fp8,1024,1024,16,4,80,6.1", "a.csv:2: model: 'nobody/Nothing-1B'"),
        ("Z9,Qwen3-32B,fp8,1024,1024,16,4,80,6.1", "a.csv:2: chip: 'Z9'"),
        ("H200,Qwen3-32B,fp8,1024,1024,many,4,80,6.1", "a.csv:2: concurrency: 'many'"),
        ("H200,Qwen3-32B,fp8,1024,1024,,4,80,6.1", "a.csv:2: concurrency: missing"),
        ("H200,Qwen3-32B,fp8,-5,1024,16,4,80,6.1", "a.csv:2: isl: '-5'"),
        ("H200,Qwen3-32B,fp3,1024,1024,16,4,80,6.1", "a.csv:2: precision: 'fp3'"),
        ("H200,Qwen3-32B,fp8,1024,1024,16,inf,80,6.1", "a.csv:2: n_gpus: 'inf'"),
    ],
)
def test_faults_name_row_column_and_value(tmp_path: Path, row: str, says: str) -> None:
    with pytest.raises(PointError) as error:
        check_file(write(tmp_path / "a.csv", row))
    assert says in str(error.value)


@pytest.mark.parametrize(
    ("chip", "model", "meant"),
    [
        ("NVIDIA H200", "lmsys/gpt-oss-120b-bf16", ("H200", "gpt-oss-120b")),
        ("H100-SXM5-80GB", "Qwen/Qwen3-32B-AWQ", ("H100", "Qwen3-32B")),
        ("mi300x", "amd/Llama-3.3-70B-Instruct-FP8-KV", ("MI300X", "Llama-3.1-70B")),
        ("gb300-nvl72", "moonshotai/Kimi-K2.5-INT4", ("GB300", "Kimi-K2.5")),
    ],
)
def test_names_as_people_write_them(
    tmp_path: Path, chip: str, model: str, meant: tuple[str, str]
) -> None:
    path = write(tmp_path / "a.csv", f"{chip},{model},,1024,1024,16,8,,")
    assert check_file(path).points.pairs() == [meant]


def test_a_split_run_without_its_total(tmp_path: Path) -> None:
    head = "chip,model,precision,mode,isl,osl,concurrency,n_gpus,prefill_gpus,decode_gpus"
    path = write(tmp_path / "a.csv", "H200,DeepSeek-R1,fp8,disagg,1024,1024,64,,8,16", header=head)
    points = check_file(path).points
    assert points.counted[0] == 24
    assert points.workers[0] == 2


def test_all_faults_at_once_and_empty_tables(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "Z9,x,fp8,1,1,1,1,1,1", "H200,y,fp8,0,1,1,1,1,1")
    with pytest.raises(PointError) as error:
        check_file(path)
    assert len(str(error.value).splitlines()) == 4
    with pytest.raises(PointError, match="no rows"):
        check_file(write(tmp_path / "b.csv"))


def test_own_models_and_chips(tmp_path: Path) -> None:
    model = open_architectures()["Qwen3-8B"].model_copy(update={"architecture": "mine-9B"})
    chip = measured_chips()["H100"].model_copy(update={"chip": "my-chip"})
    path = write(tmp_path / "a.csv", "my-chip,mine-9B,fp8,1024,1024,16,4,80,6.1")
    check = check_file(path, architectures={"mine-9B": model}, chips={"my-chip": chip})
    assert check.rows[0]["provenance"] == "modelled"


def test_more_load_takes_longer_and_more_chips_are_faster(tmp_path: Path) -> None:
    rows = [f"B200,Llama-3.1-70B,fp8,1024,1024,{c},4,," for c in (4, 16, 64, 256)]
    check = check_file(write(tmp_path / "a.csv", *rows))
    assert np.all(np.diff(check.predicted.tpot) > 0)
    assert np.all(np.diff(check.predicted.ttft) > 0)
    rows = [f"B200,Llama-3.1-70B,fp8,1024,1024,16,{n},," for n in (1, 2, 4, 8)]
    check = check_file(write(tmp_path / "b.csv", *rows))
    assert np.all(np.diff(check.predicted.tpot) < 0)


def test_the_measured_frontier_is_rebuilt_from_the_points() -> None:
    rows = read_rows(DATA / "inferencex_points.csv")
    points = points_from_rows(rows)
    keys = groups(points, [row["model"] for row in rows])
    mine = frontier(points, Times(points.tpot_ms, points.ttft_ms), keys)
    listed = table(read_rows(DATA / "inferencex_frontier.csv"))
    errors = compare(listed, mine, keys)
    assert len(errors.errors) >= 390
    assert np.quantile(errors.errors, 0.98) < 1e-3
    assert set(errors.floor) == set(FLOORS)
