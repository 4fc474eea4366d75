"""The throughput table: the user's measured rates, and prices of offers that can be used."""

from __future__ import annotations

from planner.throughput.table import cheapest_prices, throughput_table
from tests.cases import small_case


def test_the_table_has_the_rates_that_the_user_measured() -> None:
    case = small_case()
    row = case.throughput[0]
    table = throughput_table(case)
    mine = table[
        (table.model == row.model) & (table["class"] == row.service_class)
        & (table.chip == row.chip) & (table.input_tokens == row.input_tokens)
    ]  # fmt: skip
    assert len(mine)
    assert (mine.requests_per_s_per_chip == row.requests_per_s_per_chip).all()
    tokens = row.requests_per_s_per_chip * row.output_tokens
    assert (mine.output_tokens_per_s_per_chip == tokens).all()
    assert (mine.provenance == "measured").all()


def test_work_that_cannot_wait_is_not_priced_by_chips_that_may_be_taken_back() -> None:
    case = small_case()
    firm, every = cheapest_prices(case, firm=True), cheapest_prices(case, firm=False)
    assert all(every[chip] <= usd for chip, usd in firm.items())
    assert any(every[chip] < usd for chip, usd in firm.items())
