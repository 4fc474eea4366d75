"""The report in a browser: no request, no error, tables sort, nothing is markup that was text."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from html import unescape
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, sync_playwright

import planner
from planner.plan import Plan
from planner.plot import available
from planner.prices.save import save_prices
from planner.prices.table import prices
from planner.readable import money_unit
from planner.report import finance, report_html
from planner.report.page import sections
from tests.cases import small_case, small_plan
from tests.cases_rules import tiny_rules_case

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
NO_BROWSER = (
    "no chromium here: install the package chromium, or run `python -m playwright install chromium`"
)


def chromium(own: str) -> str:
    """Path of a browser: the system's, or Playwright's `own`; the test is skipped without one."""
    found = next(filter(None, map(shutil.which, BROWSERS)), own if Path(own).exists() else None)
    if found is None:
        pytest.skip(NO_BROWSER)
    return found


EVIL = "<script>document.title='owned'</script>"
EVIL_NAME = "x<img src=x onerror=document.title='owned'>"


@cache
def survival_plan() -> Plan:
    """A tiny plan with every rule, options and contingencies."""
    return planner.solve(tiny_rules_case(), gap=0.0)


@cache
def evil_plan() -> Plan:
    """A plan whose every free text, and some labels, are markup (no folder could hold them)."""
    case = small_case()
    said = {"source": EVIL + "\"'></td></table><!--{{ 7 * 7 }}"}
    settings = case.settings.model_copy(update={"name": EVIL_NAME, "description": EVIL})
    contract = case.contracts[0].contract
    contracts = tuple(
        row.model_copy(update={"contract": EVIL_NAME} if row.contract == contract else {})
        for row in case.contracts
    )
    training = tuple(
        row.model_copy(update={"run": f"{row.run}{EVIL_NAME}"}) for row in case.training
    )
    supply = tuple(row.model_copy(update=said) for row in case.supply)
    evil = replace(case, settings=settings, contracts=contracts, training=training, supply=supply)
    return planner.solve(evil, gap=0.5)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as tools:
        opened = tools.chromium.launch(
            executable_path=chromium(tools.chromium.executable_path), args=["--no-sandbox"]
        )
        yield opened
        opened.close()


class Opened:
    """A page with what it asked for and complained of."""

    def __init__(self, browser: Browser, file: Path) -> None:
        self.requests: list[str] = []
        self.complaints: list[str] = []
        self.page: Page = browser.new_page()
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("dialog", lambda dialog: self.complaints.append(dialog.message))
        self.page.goto(file.as_uri())


@pytest.fixture
def opened(browser: Browser, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Opened]:
    file = tmp_path / "report.html"
    file.write_text(report_html(request.param()), encoding="utf-8")
    found = Opened(browser, file)
    yield found
    found.page.close()


each_plan = pytest.mark.parametrize(
    "opened", [small_plan, survival_plan, evil_plan], indirect=True, ids=["small", "rules", "evil"]
)
one_plan = pytest.mark.parametrize("opened", [small_plan], indirect=True, ids=["small"])


@each_plan
def test_the_page_asks_for_nothing_and_complains_of_nothing(opened: Opened) -> None:
    assert [url for url in opened.requests if not url.startswith(("file:", "data:"))] == []
    assert len([url for url in opened.requests if url.startswith("file:")]) == 1
    assert opened.complaints == []
    assert opened.page.title().startswith("Capacity plan: ")
    assert opened.page.locator("img, iframe, object, link[rel=stylesheet]").count() == 0
    assert opened.page.locator("script").count() == 1


@each_plan
def test_axe_finds_nothing_serious(opened: Opened) -> None:
    found = Axe().run(opened.page).response
    assert found["passes"], "axe did not look"
    assert [v["id"] for v in found["violations"] if v["impact"] in ("serious", "critical")] == []


def column(page: Page, table: int, place: int) -> list[str]:
    cells = page.locator("table").nth(table).locator(f"tbody tr td:nth-child({place + 1})")
    return [str(cell) for cell in cells.evaluate_all("all => all.map(c => c.dataset.key)")]


@one_plan
def test_tables_sort_by_number_and_by_text_both_ways(opened: Opened) -> None:
    page = opened.page
    captions = page.locator("caption").all_inner_texts()
    at = next(i for i, c in enumerate(captions) if c.startswith("Cash by period, not discounted"))
    headings = page.locator("table").nth(at).locator("thead th")
    total = headings.count() - 1
    before = column(page, at, total)
    assert sorted(before, key=float) != before, "sorting would change nothing"
    headings.nth(total).get_by_role("button").click()
    assert column(page, at, total) == sorted(before, key=float)
    assert headings.nth(total).get_attribute("aria-sort") == "ascending"
    headings.nth(total).get_by_role("button").press("Enter")
    assert column(page, at, total) == sorted(before, key=float, reverse=True)
    assert headings.nth(total).get_attribute("aria-sort") == "descending"
    headings.nth(0).get_by_role("button").click()
    periods = column(page, at, 0)
    assert periods == sorted(periods)
    assert headings.nth(total).get_attribute("aria-sort") == "none"
    assert sorted(column(page, at, total)) == sorted(before)


def test_without_a_browser_ci_fails_and_others_skip(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    nowhere = str(tmp_path / "chrome")
    monkeypatch.setattr(shutil, "which", lambda _name: None)
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="no chromium here: install"):
        chromium(nowhere)
    monkeypatch.delenv("CI")
    with pytest.raises(pytest.skip.Exception, match="no chromium here: install"):
        chromium(nowhere)
    (tmp_path / "chrome").touch()
    assert chromium(nowhere) == nowhere


@one_plan
def test_print_shows_whole_tables(opened: Opened) -> None:
    opened.page.emulate_media(media="print")
    boxes = opened.page.locator(".scroll")
    cut = boxes.evaluate_all("all => all.filter(b => b.scrollHeight > b.clientHeight + 1).length")
    assert boxes.count() > 10
    assert cut == 0
    assert not opened.page.locator("nav").is_visible()
    assert opened.page.pdf(prefer_css_page_size=True).startswith(b"%PDF")


@pytest.mark.parametrize("opened", [evil_plan], indirect=True, ids=["evil"])
def test_text_of_the_case_is_never_markup(opened: Opened) -> None:
    assert "owned" not in opened.page.title().replace(EVIL_NAME, "")
    body = opened.page.locator("body").inner_text()
    assert EVIL in body
    assert EVIL_NAME in body
    assert "{{ 7 * 7 }}" in body


def test_escaping_without_a_browser() -> None:
    html = report_html(evil_plan())
    assert EVIL not in html
    assert "<img" not in html
    assert "&lt;script&gt;" in html
    assert html.count("<script>") == 1
    assert html.count("</table>") == html.count("<table>")


def test_ids_are_unique_and_references_lead_somewhere() -> None:
    html = report_html(survival_plan())
    ids = re.findall(r'\sid="([^"]+)"', html)
    assert len(ids) == len(set(ids))
    wanted = re.findall(r'(?:href="#|url\(#|aria-labelledby=")([^")]+)', html)
    assert len(wanted) > 20
    assert set(wanted) <= set(ids)
    assert not re.search(r'(?:src|href)="(?:https?:)?//', html)


def cells(html: str) -> list[str]:
    return [unescape(text) for text in re.findall(r"<td[^>]*>([^<]*)</td>", html)]


def test_the_report_says_what_the_plan_does() -> None:
    plan = survival_plan()
    html = report_html(plan)
    assert report_html(plan) == html, "equal plans give equal reports"
    for part in sections(plan):
        assert f'id="{part.key}"' in html
    assert html.index('id="decisions"') < html.index('id="cash"') < html.index('id="sites"')
    found = cells(html)
    for row in plan.tables["contracts_signed"].to_dict("records"):
        assert f"{row['offer']}, {row['cloud']}/{row['region']}/{row['chip']}" in found
        assert str(row["sign_by"]) in found
    for row in plan.tables["contingencies"].to_dict("records"):
        assert row["contingency"] in found
        served = row["least_share_served"]
        assert (f"{served:.1%}" if served else "–") in found
    owed = plan.tables["obligations"]
    cash = money_unit(float(owed.drop(columns="period").abs().max().max()))
    for period, usd in owed[["period", "total_usd"]].itertuples(index=False):
        assert period in found
        assert cash.number(usd) in found
    assert money_unit(plan.objective_usd).say(plan.objective_usd) in html
    assert html.count("<svg") == len(available(plan))
    assert "and agrees" in html


def test_prices_stand_in_the_report_of_a_priced_plan(tmp_path: Path) -> None:
    run = tmp_path / "run"
    small_plan().save(run)
    found = prices(planner.load_plan(run))
    save_prices(run, found)
    html = report_html(planner.load_plan(run))
    section = html[html.index("What one more unit of a limit is worth") :].split("</table>")[0]
    shown = pd.concat([found.investment, found.operating]).query("shown")
    assert len(shown) > 10
    assert section.count("<tr>") - 1 == min(len(shown), 60)
    for row in shown.head(20).to_dict("records"):
        assert f"{row['price_usd']:,.2f}" in section
    assert {"saves", "costs"} == {*shown.sense} <= set(cells(section))


def test_sums_stand_below_and_nothing_is_a_dash() -> None:
    plan = survival_plan()
    cash = finance.obligations(plan)
    owed = plan.tables["obligations"]
    unit = money_unit(float(owed.drop(columns="period").abs().max().max()))
    assert unit.size < 1e9, "a small case is not told in billions"
    assert cash.sums[-1].text == unit.number(owed.total_usd.sum())
    assert cash.sums[0].text == "total"
    assert len(cash.sums) == len(cash.headings)
    shown = {heading for heading, _ in cash.headings}
    for column, heading in finance.KINDS.items():
        if column in plan.tables["obligations"]:
            assert (heading in shown) == (plan.tables["obligations"][column] != 0).any()
    costs = {row[0].text: row[1].text for row in finance.costs(plan).rows}
    unit = money_unit(max(map(abs, plan.summary["cost_usd"].values())))
    for term, usd in plan.summary["cost_usd"].items():
        said = unit.number(usd).replace("-", "−") if usd else "–"
        assert costs[term.replace("_", " ")] == said
    assert finance.costs(plan).sums[-1].text == unit.number(plan.objective_usd)
    html = report_html(plan)
    assert html.count("<tfoot>") >= 2


def test_what_a_notice_saves_is_not_to_be_paid() -> None:
    plan = small_plan()
    soon, later = finance.decisions(plan)
    rows = [tuple(cell.text for cell in row) for row in (*soon.rows, *later.rows)]
    notices = [row for row in rows if row[2] == "give notice"]
    assert notices
    assert all(row[-1].startswith("−") for row in notices)
    count, usd = finance.due(plan)
    assert count == soon.total
    paid = sum(float(row[-1].text.replace(",", "")) for row in soon.rows if row[2].text in
               finance.PAID and row[-1].text != "–")  # fmt: skip
    assert usd / 1e6 == pytest.approx(paid, abs=0.05 * max(1, count))


def test_a_plan_that_fails_its_audit_says_so() -> None:
    plan = small_plan()
    wrong: dict[str, Any] = {**plan.summary, "objective_usd": plan.objective_usd * 0.9}
    html = report_html(Plan(plan.case, plan.tables, wrong))
    assert "The audit does not agree" in html
    assert "and agrees" not in html
