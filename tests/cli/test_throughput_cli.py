"""`planner throughput` and `planner calibrate` as a user calls them."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from planner.cli import main
from planner.example_cases import example_folder

SMALL = str(example_folder("small"))
POINT = {
    "chip": "H100",
    "model": "meta-llama/Llama-3.1-70B",
    "precision": "fp8",
    "isl": "1024",
    "osl": "1024",
    "concurrency": "16",
    "n_gpus": "8",
    "ttft_ms": "200",
    "tpot_ms": "15",
}


def run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *words: str
) -> tuple[int, str, str]:
    monkeypatch.setattr("sys.argv", ["planner", *words])
    with pytest.raises(SystemExit) as stop:
        main()
    text = capsys.readouterr()
    return int(stop.value.code or 0), text.out, text.err


def table(path: Path, *rows: dict[str, str]) -> str:
    with path.open("w", newline="") as handle:
        writer = csv.DictWriter(handle, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return str(path)


def test_throughput_lists_every_pair_with_a_reason(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code, text, _ = run(monkeypatch, capsys, "throughput", SMALL, "--json")
    rows = json.loads(text)
    assert code == 0
    assert {row["chip"] for row in rows} == {"h200", "gb200", "trn2", "tpu-v6e"}
    for row in rows:
        assert row["limited_by"]
        if row["requests_per_s_per_chip"] > 0:
            assert row["low"] <= row["requests_per_s_per_chip"] <= row["high"]
            assert row["provenance"] in ("measured", "calibrated", "modelled", "extrapolated")
            assert row["usd_per_million_tokens"] > 0


def test_a_longer_round_trip_never_raises_a_rate(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rates = []
    for trip in ("0", "200", "5000"):
        words = ("throughput", SMALL, "--round-trip", trip, "--json")
        rows = json.loads(run(monkeypatch, capsys, *words)[1])
        # A measured rate holds up to the round trip that it was measured with.
        rates.append(
            [r["requests_per_s_per_chip"] for r in rows
             if r["class"] == "interactive" and (r["model"], r["chip"]) != ("basic", "h200")]
        )  # fmt: skip
    assert all(a >= b >= c for a, b, c in zip(*rates, strict=True))
    assert max(rates[2]) == 0 < max(rates[0])


def test_why_says_what_limits_a_pair(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("throughput", SMALL, "--why", "pro", "trn2", "interactive")
    code, text, _ = run(monkeypatch, capsys, *words)
    assert code == 0
    assert "limited by" in text
    assert "without the TPOT target" in text
    far = (*words, "--round-trip", "5000")
    assert "impossible; the round trip" in run(monkeypatch, capsys, *far)[1]
    code, _, err = run(monkeypatch, capsys, "throughput", SMALL, "--why", "pro", "x9", "batch")
    assert code == 2
    assert "there is no chip 'x9'" in err


def test_check_writes_predictions_beside_measurements(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    mine = table(tmp_path / "mine.csv", POINT, {**POINT, "model": "moonshotai/Kimi-K2.5"})
    out = tmp_path / "predicted.csv"
    code, text, _ = run(
        monkeypatch, capsys, "calibrate", "--check", mine, "--out", str(out), "--json"
    )
    rows = list(csv.DictReader(out.read_text().splitlines()))
    assert code == 0
    assert json.loads(text)["rows"] == 2
    assert [row["model"] for row in rows] == [POINT["model"], "moonshotai/Kimi-K2.5"]
    for row in rows:
        assert row["ttft_ms"] == "200"
        assert 1 < float(row["predicted_tpot_ms"]) < 1000
        assert 1 < float(row["predicted_ttft_ms"]) < 100_000


def test_check_takes_architectures_of_ones_own(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    own = {
        "architecture": "house-9B", "total_params_b": "9", "active_params_b": "9", "layers": "40",
        "hidden_size": "4096", "attention_heads": "32", "kv_heads": "8", "head_dim": "128",
        "attention": "gqa", "full_attention_layers": "40",
    }  # fmt: skip
    mine = table(tmp_path / "mine.csv", {**POINT, "model": "house-9B"})
    rows = table(tmp_path / "own.csv", own)
    words = ("calibrate", "--check", mine, "--architectures", rows, "--json")
    code, text, _ = run(monkeypatch, capsys, *words)
    assert code == 0
    assert json.loads(text)["rows"] == 1
    bad = table(tmp_path / "own.csv", {**own, "layers": "many"})
    code, _, err = run(monkeypatch, capsys, *words[:3], "--architectures", bad)
    assert code == 2
    assert "own.csv:2: layers" in err


def test_check_names_every_row_that_it_cannot_read(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    bad = table(tmp_path / "bad.csv", {**POINT, "model": "nobody/9B"}, {**POINT, "isl": "many"})
    out = tmp_path / "predicted.csv"
    code, _, err = run(monkeypatch, capsys, "calibrate", "--check", bad, "--out", str(out))
    assert code == 2
    assert "nobody/9B" in err
    assert "many" in err
    assert not out.exists()
    missing = str(tmp_path / "none.csv")
    assert run(monkeypatch, capsys, "calibrate", "--check", missing)[0] == 2


def test_a_line_number_stays_a_number(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    rows = [POINT] * 98 + [{**POINT, "chip": "X9"}]
    bad = table(tmp_path / "bad.csv", *rows)
    code, _, err = run(monkeypatch, capsys, "calibrate", "--check", bad)
    assert code == 2
    assert "bad.csv:100: chip" in err
