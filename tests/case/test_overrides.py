"""`--set table.row.column=value`: values put in place of a file's, checked like them."""

from __future__ import annotations

import pytest

from planner.case import load_case
from planner.errors import InputError
from planner.example_cases import example_folder

SMALL = example_folder("small")


def test_a_value_of_every_row_with_that_key_is_changed() -> None:
    before = load_case(SMALL)
    after = load_case(SMALL, ["contracts.alder-trn2.payment_usd_per_chip_hour=1.25"])
    for old, new in zip(before.contracts, after.contracts, strict=True):
        changed = old.contract == "alder-trn2"
        assert new.payment_usd_per_chip_hour == (1.25 if changed else old.payment_usd_per_chip_hour)
        assert new.chips == old.chips
    assert before.sha256() != after.sha256()


def test_scalars_are_read_as_toml_or_text() -> None:
    case = load_case(SMALL, ["case.discount_rate_per_year=0.03", "case.description=as agreed"])
    assert case.settings.discount_rate_per_year == 0.03
    assert case.settings.description == "as agreed"


def test_an_empty_value_is_an_empty_cell() -> None:
    assert any(r.install_limit_chips for r in load_case(SMALL).regions)
    names = {r.cloud for r in load_case(SMALL).regions}
    empty = load_case(SMALL, [f"regions.{name}.install_limit_chips=" for name in sorted(names)])
    assert not any(r.install_limit_chips for r in empty.regions)


def test_a_name_may_hold_dots_and_stars() -> None:
    case = load_case(SMALL, ["efficiency.*.gain_per_year_high=0.9"])
    assert any(row.gain_per_year_high == 0.9 for row in case.efficiency)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("nonsense", "is not table.row.column=value"),
        ("chips.trn2.mfu", "is not table.row.column=value"),
        ("wishes.trn2.mfu=0.3", "there is no table 'wishes'"),
        ("chips.trn2.colour=red", "chips has no column 'colour'"),
        ("chips.mfu=0.3", "names no row"),
        ("chips.x9.mfu=0.3", "chips has no row 'x9'"),
        ("case.slices=3", "slices cannot be set"),
        ("case.colour=3", "is not a known key"),
        ("chips.trn2.mfu=much", "'much' is not a number"),
        ("chips.trn2.mfu=7", "7 is above 1"),
    ],
)
def test_a_bad_override_is_refused(text: str, words: str) -> None:
    with pytest.raises(InputError) as error:
        load_case(SMALL, [text])
    assert words in str(error.value)
