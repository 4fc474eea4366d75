"""`planner value` and `planner frontier`: exit codes, JSON, tables, files, messages."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from planner.case import save_case
from planner.case.rules import Limit
from tests.cases import DATA, small_case, valid
from tests.cli.test_cli import Here
from tests.decisions.test_value import small_with_deal

SMALL = str(DATA / "small")
VALUE_KEYS = {
    "subject", "status", "with", "without", "value_low_usd", "value_high_usd",
    "value_in_relaxation_usd", "break_even_price_low", "break_even_price_high",
    "paid_usd_per_chip_hour", "offers", "starts", "latest_ready_for_service_that_pays",
    "earliest_ready_for_service_that_does_not", "gap", "solves", "seconds", "says",
}  # fmt: skip
SHARE = Limit(limit="cloud-share", kind="share", dimension="cloud", measure="chips", bound=0.9)


@pytest.fixture
def here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Here:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "120")
    save_case(small_with_deal(), "framed")
    save_case(valid(replace(small_case(), limits=(SHARE,))), "shared")
    return Here(tmp_path, monkeypatch, capsys)


def test_value_as_json(here: Here) -> None:
    ran = here("value", "framed", "--deal", "frame", "--gap", "0.001", "--json")
    assert ran.code == 0
    told = ran.json()
    assert set(told) >= VALUE_KEYS
    assert told["subject"] == {"kind": "deal", "name": "frame"}
    assert told["value_low_usd"] <= told["value_high_usd"]
    assert told["break_even_price_low"] < told["break_even_price_high"]
    assert [offer["offer"] for offer in told["offers"]] == ["reserved-2y"]
    assert {"ready", "value_low_usd", "value_high_usd", "pays"} <= set(told["starts"][0])
    assert here.files() == ["framed", "shared"]


def test_value_on_the_terminal(here: Here) -> None:
    ran = here("value", "framed", "--deal", "frame", "--gap", "0")
    assert ran.code == 0
    for words in (
        "deal frame: worth", "without it", "break-even price:", "USD per chip-hour",
        "latest start that is proven to pay:", "to a gap of 0",
    ):  # fmt: skip
        assert words in ran.out, words
    ran = here("value", "framed", "--deal", "frame", "--no-dates", "--no-price")
    assert ran.code == 0
    assert "break-even" not in ran.out
    assert "By start" not in ran.out


def test_value_takes_overrides(here: Here) -> None:
    one, other = (
        here("value", "framed", "--deal", "frame", "--gap", "0", "--no-dates", "--no-price",
             "--json", *more).json()
        for more in ((), ("--set", "deals.frame.signing_cost_usd=1200000"))
    )  # fmt: skip
    lost = one["value_low_usd"] - other["value_low_usd"]
    assert lost == pytest.approx(1e6, rel=0.02)


def test_value_without_time_is_3(here: Here) -> None:
    ran = here("value", "framed", "--deal", "frame", "--time-limit", "0")
    assert ran.code == 3
    assert "Traceback" not in ran.err


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ((), "name one of --deal, --offer, --pool and --chip, not 0"),
        (("--deal", "frame", "--chip", "h200"), "not 2"),
        (("--deal", "nobody"), "there is no deal 'nobody'; there are: frame"),
        (("--offer", "reserved"), "reserved-1y"),
        (("--pool", "h200"), "alder/us-1/h200"),
        (("--deal", "frame", "--gap", "2"), ""),
        (("--deal", "frame", "--set", "deals.other.status=signed"), "deals has no row 'other'"),
    ],
)
def test_value_of_what_is_not_there_is_2(options: tuple[str, ...], words: str, here: Here) -> None:
    ran = here("value", "framed", *options)
    assert ran.code == 2
    assert ran.out == ""
    assert words in ran.err
    assert "Traceback" not in ran.err
    assert here.files() == ["framed", "shared"]


FRONTIER = ("frontier", "shared", "--limit", "limits.cloud-share", "--from", "1", "--to", "0.6",
            "--points", "3")  # fmt: skip


def test_frontier_as_json_and_files(here: Here) -> None:
    ran = here(*FRONTIER, "--out", "front", "--json")
    assert ran.code == 0
    told = ran.json()
    assert told["limit"] == "limits.cloud-share"
    assert [point["limit"] for point in told["points"]] == [1.0, 0.8, 0.6]
    assert {"status", "cost_usd", "bound_usd", "gap"} <= set(told["points"][0])
    folder = here.folder / "front"
    assert sorted(path.name for path in folder.iterdir()) == [
        "frontier.csv", "frontier.json", "frontier.parquet", "frontier.png",
    ]  # fmt: skip
    table, parquet = pd.read_csv(folder / "frontier.csv"), pd.read_parquet(
        folder / "frontier.parquet"
    )  # fmt: skip
    assert list(table) == list(parquet)
    assert table.cost_usd.tolist() == pytest.approx(parquet.cost_usd.tolist(), nan_ok=True)
    assert (folder / "frontier.png").read_bytes()[:4] == b"\x89PNG"
    again = here(*FRONTIER, "--out", "front")
    assert again.code == 2
    assert "--force replaces it" in again.err
    assert here(*FRONTIER, "--out", "front", "--force").code == 0


def test_frontier_on_the_terminal(here: Here) -> None:
    ran = here(*FRONTIER)
    assert ran.code == 0
    assert "Cost along limits.cloud-share (share)" in ran.out
    assert "a plan within the gap" in ran.out


def test_frontier_without_time_is_3_and_has_its_files(here: Here) -> None:
    assert here(*FRONTIER, "--time-limit", "0", "--out", "front").code == 3
    table = pd.read_csv(here.folder / "front" / "frontier.csv")
    assert set(table.status) == {"unproven"}
    assert (here.folder / "front" / "frontier.png").read_bytes()[:4] == b"\x89PNG"


@pytest.mark.parametrize(("kind", "magic"), [("svg", b"<?xml"), ("pdf", b"%PDF")])
def test_frontier_draws_in_the_format_asked_for(kind: str, magic: bytes, here: Here) -> None:
    assert here(*FRONTIER, "--time-limit", "0", "--out", "front", "--format", kind).code == 3
    assert (here.folder / "front" / f"frontier.{kind}").read_bytes().startswith(magic)
    assert not (here.folder / "front" / "frontier.png").exists()


def test_a_figure_that_cannot_be_drawn_loses_no_points(
    here: Here, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> bytes:
        raise RuntimeError("no ink")

    monkeypatch.setattr("planner.plot.image", fails)
    ran = here(*FRONTIER, "--out", "front")
    assert ran.code == 1
    assert "no ink" in ran.err
    assert "Cost along limits.cloud-share" in ran.out
    assert sorted(path.name for path in (here.folder / "front").iterdir()) == [
        "frontier.csv", "frontier.json", "frontier.parquet",
    ]  # fmt: skip


def test_ctrl_c_while_the_figure_is_drawn_says_what_there_is(
    here: Here, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(*_: object) -> bytes:
        raise KeyboardInterrupt

    monkeypatch.setattr("planner.plot.image", stopped)
    ran = here(*FRONTIER, "--out", "front")
    assert ran.code == 3
    assert "before the figure" in ran.err
    assert "nothing was written" not in ran.err
    assert (here.folder / "front" / "frontier.csv").exists()


def test_values_of_a_budget_are_read_in_its_unit(here: Here) -> None:
    cash = Limit(limit="cash", kind="budget", bound=9e7)
    save_case(valid(replace(small_case(), limits=(cash,))), "paid")
    ran = here("frontier", "paid", "--limit", "limits.cash", "--from", "75123456", "--to",
               "75123000", "--points", "3", "--gap", "0.05")  # fmt: skip
    assert "(million USD a period)" in ran.out
    for value in ("75.1235 ", "75.1232 ", "75.123 "):
        assert value in ran.out


def test_places_of_files_are_looked_at_before_the_search(
    here: Here, monkeypatch: pytest.MonkeyPatch
) -> None:
    (here.folder / "front").mkdir()
    (here.folder / "front" / "frontier.png").write_bytes(b"mine")
    monkeypatch.setattr("planner.cli.frontier.frontier_of", lambda *_, **__: pytest.fail("solved"))
    ran = here(*FRONTIER, "--out", "front")
    assert ran.code == 2
    assert "frontier.png: exists" in ran.err
    assert [path.name for path in (here.folder / "front").iterdir()] == ["frontier.png"]


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"--limit": "cloud-share"}, "there are: limits.cloud-share"),
        ({"--to": "1.5"}, "limits.csv"),
        ({"--to": "1"}, "is no range"),
        ({"--points": "1"}, "is not between 2 and"),
        ({"--gap": "nan"}, ""),
    ],
)
def test_a_frontier_that_cannot_be_is_2(changed: dict[str, str], words: str, here: Here) -> None:
    options = dict(zip(FRONTIER[2::2], FRONTIER[3::2], strict=True)) | changed
    flat = [part for pair in options.items() for part in pair]
    ran = here("frontier", "shared", *flat, "--out", "front")
    assert ran.code == 2
    assert words in ran.err
    assert "Traceback" not in ran.err
    assert here.files() == ["framed", "shared"]
