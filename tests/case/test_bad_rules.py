"""Bad deals, commitments, limits and contingencies: each rule broken once, each fault in place."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from planner.case import load_case, save_case
from planner.errors import Fault, InputError
from planner.instance import build_instance
from tests.case.rule_tables import RULE_TABLES, SMALL, rules_case, write_rules
from tests.case.test_bad_input import Bad, add, both, cell, drop, raw, refused, sub, without

SPAN = "(2026-Q4 to 2027-Q3)"


def bad(
    name: str,
    file: str,
    line: int,
    column: str,
    value: str,
    words: str,
    *,
    at: str = "",
    on: int = 0,
    alone: bool = True,
) -> Bad:
    """One cell of a table spoilt; `at` and `on` are where the fault is seen if not there."""
    place = (f"{file}.csv", on or line, at or column)
    return Bad(name, cell(f"{file}.csv", line, column, value), *place, words, alone)  # fmt: skip


def row(name: str, file: str, text: str, column: str, words: str, alone: bool = True) -> Bad:
    """A row too many at the end of a table."""
    line = RULE_TABLES[f"{file}.csv"].count("\n") + 1
    spoil = add(f"{file}.csv", text + "\n")
    return Bad(name, spoil, f"{file}.csv", line, column, words, alone)


IDLE = "has no meaning for kind"
OPTIONS = [
    bad("no such contract", "options", 4, "contract", "oak", "there is no contract 'oak'"),
    bad("any contract", "options", 2, "contract", "*", "'*' is not a valid label"),
    bad(
        "a pool that the contract has not",
        "options",
        4,
        "region",
        "us-1",
        "fits no line of contract 'birch-tpu'",
        at="cloud/region/chip",
    ),
    bad("named like an offer", "options", 4, "option", "on-demand", "an offer is called 'on-d"),
    bad(
        "one option of two contracts",
        "options",
        3,
        "contract",
        "alder-trn2",
        "option 'h200-again' has another contract elsewhere",
        alone=False,
    ),
    bad("another kind elsewhere", "options", 3, "kind", "expansion", "another kind", alone=False),
    bad("no such kind", "options", 2, "kind", "swap", "'swap' is not one of"),
    bad(
        "a renewal with a window",
        "options",
        2,
        "window_from",
        "2027-01-01",
        f"{IDLE} renewal",
    ),
    bad("a renewal with an end", "options", 2, "window_to", "2027-01-01", f"{IDLE} renewal"),
    bad("a renewal with a lead", "options", 2, "lead_days", "5", f"{IDLE} renewal"),
    bad("an expansion with notice", "options", 4, "exercise_by_days", "5", f"{IDLE} expansion"),
    bad("an endless expansion", "options", 4, "max_lots", "", "kind expansion needs it"),
    bad("no lots", "options", 2, "max_lots", "0", "0 is below 1"),
    bad("an empty lot", "options", 2, "lot_chips", "0", "0 is not above 0"),
    bad("half a quarter", "options", 2, "term_months", "4", "4 is not a multiple of 3 months"),
    bad("no term", "options", 2, "term_months", "0", "0 is below 1"),
    bad("paid to take it", "options", 2, "price_usd_per_chip_hour", "-1", "-1 is below 0"),
    bad("more than all upfront", "options", 2, "upfront_share", "1.5", "1.5 is above 1"),
    bad(
        "a window that ends first",
        "options",
        4,
        "window_to",
        "2026-12-01",
        "2026-12-01 is before window_from",
    ),
    row(
        "two rows of one line",
        "options",
        "tpu-more,birch-tpu,birch,*,*,expansion,250,4,1.3,6,,,,,,,",
        "contract/cloud/region/chip",
        "is as specific as line 4",
        alone=False,
    ),
    row(
        "a row twice",
        "options",
        "tpu-more,birch-tpu,*,*,tpu-v6e,expansion,250,4,1.3,6,,,,,,,",
        "option/contract/cloud/region/chip",
        "repeats line 4",
        alone=False,
    ),
]
DEALS = [
    bad("no such deal", "offers", 6, "deal", "oak", "there is no deal 'oak'"),
    bad("any deal", "offers", 6, "deal", "*", "'*' is not a valid label"),
    bad("a deal that climbs", "offers", 6, "deal", "../oak", "'../oak' is not a valid label"),
    bad("a deal by the hour", "offers", 9, "deal", "cedar-frame", f"{IDLE} on_demand"),
    bad("a term that is promised", "offers", 3, "guaranteed", "true", f"{IDLE} reserved"),
    bad("no such status", "deals", 2, "status", "maybe", "'maybe' is not one of"),
    bad("a deal twice", "deals", 3, "deal", "cedar-frame", "repeats line 2", alone=False),
    bad("a day of 1970", "deals", 2, "earliest_signing", "0", "'0' is not a day such as"),
    bad("a day of no form", "deals", 3, "ready_for_service", "1/2/2027", "is not a day such as"),
    bad(
        "credit without a prepayment", "deals", 4, "prepayment_credited_months", "6",
        "has no meaning without prepayment_usd",
    ),
    bad(
        "a prepayment without credit", "deals", 2, "prepayment_credited_months", "",
        "a prepayment needs it",
    ),
    bad(
        "less to spend than prepaid", "deals", 2, "minimum_spend_usd", "4000000",
        "4e+06 is below prepayment_usd",
    ),
    bad(
        "signed and still to be paid for", "deals", 3, "signing_cost_usd", "1",
        "has no meaning for status signed",
    ),
    Bad(
        "signed and still to be prepaid",
        both(
            cell("deals.csv", 3, "prepayment_usd", "1000"),
            cell("deals.csv", 3, "prepayment_credited_months", ""),
        ),
        "deals.csv", 3, "prepayment_usd", "has no meaning for status signed", alone=False,
    ),
    bad(
        "signed and to be credited", "deals", 3, "prepayment_credited_months", "3",
        "has no meaning for status signed", alone=False,
    ),
    bad(
        "signed and not before", "deals", 3, "earliest_signing", "2026-12-01",
        "has no meaning for status signed",
    ),
    bad(
        "in service before it is signed", "deals", 2, "ready_for_service", "2026-11-30",
        "2026-11-30 is before earliest_signing",
    ),
]  # fmt: skip

COMMITMENTS = [
    bad("a commitment to no cloud", "commitments", 4, "cloud", "oak", "there is no cloud 'oak'"),
    bad(
        "a commitment to two clouds", "commitments", 3, "cloud", "birch",
        "commitment 'alder-spend' has another cloud elsewhere",
    ),
    bad(
        "a window before the horizon", "commitments", 2, "period_from", "2026-Q3",
        f"'2026-Q3' is outside the horizon {SPAN}",
    ),
    bad(
        "a window past the horizon", "commitments", 3, "period_to", "2027-Q4",
        f"'2027-Q4' is outside the horizon {SPAN}",
    ),
    bad(
        "a window in months", "commitments", 3, "period_to", "2027-09",
        f"'2027-09' is outside the horizon {SPAN}",
    ),
    bad(
        "a window backwards", "commitments", 4, "period_to", "2026-Q4",
        "2026-Q4 is before period_from",
    ),
    bad(
        "windows that overlap", "commitments", 2, "period_to", "2027-Q2", "overlaps line 2",
        on=3, at="period_from/period_to",
    ),
    bad("a window twice", "commitments", 3, "period_from", "2026-Q4",
        "repeats line 2 (alder-spend, 2026-Q4)", at="commitment/period_from"),
    bad("a commitment of nothing", "commitments", 2, "minimum_usd", "0", "0 is not above 0"),
    bad("too much carried", "commitments", 2, "carry_over_share", "1.1", "1.1 is above 1"),
    bad("what counts", "commitments", 2, "counts", "some", "'some' is not one of"),
]  # fmt: skip

TIERS = [
    bad("a tier of no cloud", "tiers", 5, "cloud", "oak", "there is no cloud 'oak'"),
    bad(
        "a tier of another year", "tiers", 5, "year", "2028",
        "2028 is outside the horizon (2026 to 2027)",
    ),
    bad("no step at 0", "tiers", 5, "from_usd", "5", "the first step of cedar in 2026 is not at 0"),
    bad(
        "two steps at once", "tiers", 4, "from_usd", "150000000",
        "1.5e+08 is where step 'gold' begins",
    ),
    bad("a falling discount", "tiers", 4, "discount", "0.02", "0.02 is below that of step 'gold'"),
    bad("a discount in per cent", "tiers", 4, "discount", "5", "5 is above 1"),
    row(
        "a tier named twice", "tiers", "alder,gold,2027,400000000,0.1,,", "cloud/year/tier",
        "repeats line 3 (alder, 2027, gold)",
    ),
]  # fmt: skip

QUALIFICATION = [
    bad("no such chip", "qualification", 2, "chip", "h300", "there is no chip 'h300'"),
    bad("any chip", "qualification", 2, "chip", "*", "'*' is not a valid label"),
    bad("no such generation", "qualification", 2, "generation", "2", "there is no generation '2'"),
    bad(
        "a run of no known generation",
        "training",
        2,
        "generation",
        "9",
        "there is no generation '9' in models or qualification",
    ),
    bad("a cost when done", "qualification", 4, "cost_usd", "1", "has no meaning when done"),
    bad("engineers when done", "qualification", 4, "engineers", "1", "has no meaning when done"),
    bad("a lead when done", "qualification", 4, "lead_months", "1", "has no meaning when done"),
    bad("a lead of days", "qualification", 2, "lead_months", "90", "90 is above 60"),
    bad("for what", "qualification", 2, "purpose", "fun", "'fun' is not one of"),
]

LIMITS = [
    bad("a share of what", "limits", 2, "measure", "", "kind share needs it"),
    bad("a share by what", "limits", 3, "dimension", "", "kind share needs it"),
    bad("a share above 1", "limits", 2, "bound", "1.5", "1.5 is above 1"),
    bad("a share with a count", "limits", 2, "count", "2", f"{IDLE} share"),
    bad("a share of a model", "limits", 2, "model", "pro", f"{IDLE} share"),
    bad("power by cloud", "limits", 4, "dimension", "cloud", f"'cloud' {IDLE} power", alone=False),
    bad("power of a measure", "limits", 4, "measure", "chips", f"{IDLE} power", alone=False),
    bad("power of a model", "limits", 4, "model", "pro", f"{IDLE} power"),
    bad("power with a count", "limits", 4, "count", "1", f"{IDLE} power"),
    bad("a budget by cloud", "limits", 7, "dimension", "cloud", f"{IDLE} budget"),
    bad("a budget of a cloud", "limits", 7, "member", "alder", f"{IDLE} budget"),
    bad("a budget of a measure", "limits", 7, "measure", "spend", f"{IDLE} budget"),
    bad("a budget of a model", "limits", 7, "model", "pro", f"{IDLE} budget"),
    bad("a budget with a count", "limits", 7, "count", "1", f"{IDLE} budget"),
    bad("placement by what", "limits", 8, "dimension", "", "kind placement needs it"),
    bad("placement by chip", "limits", 8, "dimension", "chip", f"'chip' {IDLE} placement"),
    bad("placement of how many", "limits", 8, "count", "", "kind placement needs it"),
    bad("placement of too many", "limits", 8, "count", "6", "6 is above the number of members, 5"),
    bad("placement of too much", "limits", 8, "bound", "1.2", "1.2 is above 1", alone=False),
    bad(
        "placement of more than all", "limits", 8, "bound", "0.6",
        "2 members cannot each carry 0.6 of the demand",
    ),
    bad(
        "placement of two in one", "limits", 8, "member", "alder/us-1",
        "2 is above the number of members, 1", at="count",
    ),
    bad("placement of a measure", "limits", 8, "measure", "chips", f"{IDLE} placement"),
    bad("placement with a price", "limits", 8, "penalty_usd_per_unit", "1", f"{IDLE} placement"),
    bad("placement of no model", "limits", 8, "model", "max", "there is no model 'max'"),
    bad("no such cloud", "limits", 2, "member", "oak", "there is no cloud 'oak' with a pool"),
    bad("no such member chip", "limits", 3, "member", "h300", "there is no chip 'h300' with a"),
    bad("a region without cloud", "limits", 4, "member", "us-1", "there is no region 'us-1' with"),
    bad("no such region", "limits", 8, "member", "oak/us-1", "no region 'oak/us-1'", alone=False),
    bad("a rule past the horizon", "limits", 3, "period_to", "2027-Q4", "is outside the horizon"),
    bad("a rule before the horizon", "limits", 2, "period_from", "2026-Q3", "is outside the hor"),
    bad("a rule backwards", "limits", 7, "period_to", "2026-Q4", "2026-Q4 is before period_from"),
    bad(
        "a rule twice at once", "limits", 5, "period_to", "", "overlaps line 5",
        on=6, at="period_from/period_to",
    ),
    bad(
        "a rule for all and for one", "limits", 4, "member", "*", "overlaps line 4",
        on=5, at="period_from/period_to", alone=False,
    ),
    row(
        "a rule repeated", "limits", "cash,budget,,,,,,1,2027-Q1,2027-Q1,,,",
        "limit/member/model/period_from", "repeats line 7 (cash, *, *, 2027-Q1)",
    ),
    row(
        "a rule of two kinds", "limits", "cash,power,,birch/eu-2,,,,1,,,,,", "kind",
        "limit 'cash' has another kind elsewhere", alone=False,
    ),
    row(
        "a rule by two dimensions", "limits", "cloud-share,share,chip,h200,spend,,,1,,2026-Q4,,,",
        "dimension", "limit 'cloud-share' has another dimension elsewhere",
    ),
    row(
        "a rule of two measures", "limits", "cloud-share,share,cloud,*,chips,,,1,,2026-Q4,,,",
        "measure", "limit 'cloud-share' has another measure elsewhere",
    ),
    bad("a penalty of 0", "limits", 3, "penalty_usd_per_unit", "0", "0 is not above 0"),
    bad("a rule of no kind", "limits", 3, "kind", "growth", "'growth' is not one of"),
]  # fmt: skip

CONTINGENCIES = [
    bad(
        "an outage of a vendor", "contingencies", 2, "dimension", "vendor",
        f"'vendor' {IDLE} outage", alone=False,
    ),
    bad(
        "a supply stop of a cloud", "contingencies", 3, "dimension", "cloud",
        f"'cloud' {IDLE} supply_stop", alone=False,
    ),
    bad("an outage of no cloud", "contingencies", 2, "member", "oak", "there is no cloud 'oak'"),
    bad("a stop of no vendor", "contingencies", 3, "member", "acme", "there is no vendor 'acme'"),
    bad("an outage of months", "contingencies", 2, "months", "6", f"{IDLE} outage"),
    bad("a stop of 0 months", "contingencies", 3, "months", "0", "0 is below 1"),
    bad("a loss past the horizon", "contingencies", 2, "period_to", "2028-Q1", "is outside the h"),
    bad("a loss before it", "contingencies", 3, "period_from", "2026-Q1", "is outside the horizo"),
    bad("a loss backwards", "contingencies", 3, "period_to", "2026-Q4", "is before period_from"),
    row(
        "a loss twice at once", "contingencies", "cloud-lost,outage,cloud,alder,,2027-Q1,,,",
        "period_from/period_to", "overlaps line 2",
    ),
    row(
        "a loss of two kinds", "contingencies", "cloud-lost,outage,chip,h200,,2027-Q3,,,",
        "dimension", "contingency 'cloud-lost' has another dimension elsewhere", alone=False,
    ),
    bad("a promise of no class", "survival", 2, "class", "gold", "there is no class 'gold'"),
    bad("a promise above 1", "survival", 2, "share", "1.1", "1.1 is above 1"),
    bad(
        "a promise for nothing", "survival", 4, "dimension", "chip",
        "no contingency is of kind supply_stop and dimension chip", at="kind/dimension",
    ),
    row(
        "a promise twice", "survival", "batch,outage,cloud,0.2,,", "class/kind/dimension",
        "repeats line 3 (batch, outage, cloud)",
    ),
]  # fmt: skip

BAD = [*OPTIONS, *DEALS, *COMMITMENTS, *TIERS, *QUALIFICATION, *LIMITS, *CONTINGENCIES]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of data/small with rules that may be spoilt."""
    return write_rules(Path(shutil.copytree(SMALL, tmp_path / "case")))


def test_the_unspoilt_tables_are_good(folder: Path) -> None:
    assert load_case(folder) == rules_case()
    assert build_instance(rules_case()).rules.shares.names


def test_they_are_the_same_when_saved_and_loaded_again(tmp_path: Path) -> None:
    save_case(rules_case(), tmp_path)
    assert load_case(tmp_path) == rules_case()
    assert load_case(tmp_path).sha256() == rules_case().sha256()


def test_no_name_stands_twice() -> None:
    assert len({one.name for one in BAD}) == len(BAD)


@pytest.mark.parametrize("one", BAD, ids=lambda one: one.name)
def test_a_bad_rule_is_refused(one: Bad, folder: Path) -> None:
    one.spoil(folder)
    error = refused(folder)
    at = [f for f in error.faults if (f.file, f.line) == (one.file, one.line)]
    found = [f for f in at if one.words in f.rule and f.column == one.column]
    assert len(found) == 1, str(error)
    if one.alone:
        assert error.faults == tuple(found), str(error)


def test_training_on_a_chip_that_cannot_train(folder: Path) -> None:
    cell("chips.csv", 3, "training_capable", "false")(folder)
    sub("training.csv", "trn2;gb200", "trn2")(folder)
    (fault,) = refused(folder).faults
    rule = "chip 'gb200' is not training capable"
    assert fault == Fault("qualification.csv", rule, 3, "purpose")


def test_a_rule_on_a_place_without_pools(folder: Path) -> None:
    """The region is there, but nothing can be bought in it: the rule would say nothing."""
    add("regions.csv", "cedar,us-9,north-america,,1,,,assumption\n")(folder)
    cell("limits.csv", 4, "member", "cedar/us-9")(folder)
    (fault,) = refused(folder).faults
    assert fault.rule == "there is no region 'cedar/us-9' with a pool"


def test_a_rejected_deal_keeps_its_terms(folder: Path) -> None:
    """So that a what-if changes nothing but the status."""
    cell("deals.csv", 2, "status", "rejected")(folder)
    assert load_case(folder).deals[0].prepayment_usd > 0


@pytest.mark.parametrize("name", RULE_TABLES)
def test_a_table_that_cannot_be_read_is_not_blamed_for_others(name: str, folder: Path) -> None:
    text = (folder / name).read_text().splitlines()
    raw(name, "\n".join([*text, ",".join(["?"] * len(text[0].split(",")))]).encode())(folder)
    assert {fault.file for fault in refused(folder).faults} == {name}


@pytest.mark.parametrize("name", RULE_TABLES)
def test_a_table_may_be_missing(name: str, folder: Path) -> None:
    """Only what names its rows then lacks them."""
    without(name)(folder)
    needs = {"deals.csv": "offers.csv", "contingencies.csv": "survival.csv"}
    if name in needs:
        assert {fault.file for fault in refused(folder).faults} == {needs[name]}
    else:
        assert load_case(folder)


# -- shares that nothing can bring about -----------------------------------------------------


def test_a_share_that_lead_times_make_impossible(folder: Path) -> None:
    """The first quarter began before as_of: what is signed alone fixes its shares."""
    cell("limits.csv", 2, "period_from", "2026-Q4")(folder)
    cell("limits.csv", 2, "bound", "0.8")(folder)
    case = load_case(folder)
    with pytest.raises(InputError) as caught:
        build_instance(case)
    (fault,) = caught.value.faults
    hours = {"alder": 4000 * 2.5 + 1500 * 2.7 + 0.8 * 5000 * 0.95 + 3000 * 0.95}
    share = hours["alder"] / (hours["alder"] + 3000 * 1.45)
    assert fault.rule == (
        "rule 'cloud-share: alder' cannot hold in 2026-Q4, which no decision can reach: "
        f"signed contracts make its share of spend {share:.4g}, the bound is 0.8"
    )
    assert (fault.file, fault.line, fault.column) == ("limits.csv", None, "bound")


REACHED: dict[str, Callable[[Path], None]] = {
    "later": cell("limits.csv", 2, "period_from", "2027-Q1"),
    "looser": cell("limits.csv", 2, "bound", "0.83"),
    "penalised": cell("limits.csv", 2, "penalty_usd_per_unit", "1"),
    "served": cell("limits.csv", 2, "measure", "served"),
}


@pytest.mark.parametrize("name", REACHED)
def test_a_share_that_something_can_bring_about(name: str, folder: Path) -> None:
    cell("limits.csv", 2, "period_from", "2026-Q4")(folder)
    cell("limits.csv", 2, "bound", "0.8")(folder)
    REACHED[name](folder)
    assert build_instance(load_case(folder))


def test_an_hour_or_notice_reaches_a_period(folder: Path) -> None:
    """Without offers and with notice of 90 days, 2027-Q1 stays as it is and 2027-Q2 does not."""
    text = (folder / "offers.csv").read_text().splitlines()
    head, first = text[0], text[1].split(",")
    assert head.split(",")[11] == "lead_days"
    (folder / "options.csv").unlink()
    first[11] = "200"  # 2027-07 at the earliest: the third quarter of 2027
    (folder / "offers.csv").write_text("\n".join([head, ",".join(first)]) + "\n")
    cell("limits.csv", 2, "bound", "0.8")(folder)
    for _ in RULE_TABLES["limits.csv"].splitlines()[2:]:
        drop("limits.csv", 3)(folder)

    def fault() -> str:
        with pytest.raises(InputError) as caught:
            build_instance(load_case(folder))
        return caught.value.faults[0].rule

    assert "cannot hold in 2027-Q1" in fault()
    cell("limits.csv", 2, "period_from", "2027-Q2")(folder)
    assert build_instance(load_case(folder))
    cell("contracts.csv", 6, "notice_days", "200")(folder)
    assert "cannot hold in 2027-Q2" in fault()
    cell("limits.csv", 2, "period_from", "2027-Q3")(folder)
    assert build_instance(load_case(folder))


def test_hours_do_not_move_a_share_of_training_peak(folder: Path) -> None:
    """Pay as you go does not train: only lots and notice reach a share of training peak."""
    (folder / "options.csv").unlink()
    text = (folder / "offers.csv").read_text().splitlines()
    hours = [line for line in text if ",on_demand," in line]
    (folder / "offers.csv").write_text("\n".join([text[0], *hours]) + "\n")
    contract = (folder / "contracts.csv").read_text().replace("false,90,500000", "true,,")
    (folder / "contracts.csv").write_text(contract)
    cell("limits.csv", 3, "penalty_usd_per_unit", "")(folder)
    cell("limits.csv", 3, "bound", "0.1")(folder)
    case = load_case(folder)
    with pytest.raises(InputError, match=r"share of training_peak 0\.4"):
        build_instance(case)
    cell("limits.csv", 3, "measure", "chips")(folder)
    assert build_instance(load_case(folder))
