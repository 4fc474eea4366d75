"""Valid deals, commitments, limits and contingencies beside the tables of data/small."""

from __future__ import annotations

import csv
import io
import shutil
import tempfile
from functools import cache
from pathlib import Path

from planner.case import Case, load_case

SMALL = Path(__file__).parents[2] / "data" / "small"

RULE_TABLES = {
    "options.csv": """\
option,contract,cloud,region,chip,kind,lot_chips,max_lots,price_usd_per_chip_hour,term_months,\
exercise_by_days,window_from,window_to,lead_days,upfront_share,source,basis
h200-again,alder-h200,*,us-1,*,renewal,500,6,2.1,12,90,,,,0.1,invented,assumption
h200-again,alder-h200,*,eu-1,*,renewal,500,,2.2,6,30,,,,,invented,assumption
tpu-more,birch-tpu,*,*,tpu-v6e,expansion,250,4,1.3,6,,2027-01-01,2027-04-01,30,,invented,published
""",
    "deals.csv": """\
deal,status,signing_cost_usd,prepayment_usd,prepayment_credited_months,minimum_spend_usd,\
earliest_signing,ready_for_service,source,basis
cedar-frame,negotiating,2000000,5000000,12,20000000,2026-12-01,2027-03-01,invented,assumption
alder-block,signed,,,,1000000,,2027-02-01,invented,assumption
birch-frame,rejected,1000000,,,,,,invented,assumption
""",
    "commitments.csv": """\
commitment,cloud,period_from,period_to,minimum_usd,carry_over_share,counts,source,basis
alder-spend,alder,2026-Q4,2027-Q1,90000000,0.5,all,invented,assumption
alder-spend,alder,2027-Q2,2027-Q3,95000000,,contracts,invented,assumption
birch-hours,birch,2027-Q1,2027-Q3,1000000,,pay_as_you_go,invented,assumption
""",
    "tiers.csv": """\
cloud,tier,year,from_usd,discount,source,basis
alder,list,2027,0,0,invented,assumption
alder,gold,2027,150000000,0.03,invented,assumption
alder,platinum,2027,300000000,0.05,invented,assumption
cedar,list,2026,0,0.01,invented,assumption
""",
    "qualification.csv": """\
chip,generation,purpose,done,cost_usd,engineers,lead_months,source,basis
tpu-v6e,1,serving,false,3000000,10,3,invented,assumption
gb200,1,training,,2000000,6,6,invented,assumption
h200,1,serving,true,,,,invented,assumption
""",
    "limits.csv": """\
limit,kind,dimension,member,measure,model,count,bound,period_from,period_to,\
penalty_usd_per_unit,source,basis
cloud-share,share,cloud,*,spend,,,0.9,2027-Q1,,,invented,assumption
h200-peak,share,chip,h200,training_peak,,,0.7,2027-Q2,2027-Q3,1000000,invented,assumption
site-power,power,,alder/us-1,,,,30,,,50000,invented,assumption
site-power,power,,cedar/us-2,,,,2,2027-Q1,2027-Q1,,invented,assumption
site-power,power,,cedar/us-2,,,,3,2027-Q2,,,invented,assumption
cash,budget,,,,,,300000000,2027-Q1,2027-Q2,0.5,invented,assumption
two-homes,placement,region,*,,pro,2,0.2,2027-Q2,,,invented,assumption
""",
    "contingencies.csv": """\
contingency,kind,dimension,member,months,period_from,period_to,source,basis
cloud-lost,outage,cloud,*,,,2027-Q2,invented,assumption
nvidia-stops,supply_stop,vendor,nvidia,6,2027-Q1,,invented,assumption
""",
    "survival.csv": """\
class,kind,dimension,share,source,basis
interactive,outage,cloud,0.7,invented,assumption
batch,outage,cloud,0.1,invented,assumption
interactive,supply_stop,vendor,0.9,invented,assumption
""",
}
"""Files that data/small may lack, with every column of theirs in use."""
OFFER_CELLS = {
    6: ("deal", "cedar-frame"),
    7: ("deal", "alder-block"),
    8: ("guaranteed", "true"),
}
"""Line of offers.csv -> column and value that go with them."""
ENGINEERS = "qualification_engineers = 12.0\n"


def write_rules(folder: Path) -> Path:
    """Add the tables to a copy of data/small."""
    for name, text in RULE_TABLES.items():
        (folder / name).write_text(text)
    rows = list(csv.reader(io.StringIO((folder / "offers.csv").read_text(), newline="")))
    for column in ("deal", "guaranteed"):
        if column not in rows[0]:
            for i, row in enumerate(rows):
                row.append("" if i else column)
    for line, (column, value) in OFFER_CELLS.items():
        rows[line - 1][rows[0].index(column)] = value
    with (folder / "offers.csv").open("w", newline="") as out:
        csv.writer(out, lineterminator="\n").writerows(rows)
    settings = (folder / "case.toml").read_text()
    (folder / "case.toml").write_text(ENGINEERS + settings)
    return folder


@cache
def rules_case() -> Case:
    """data/small with the tables."""
    with tempfile.TemporaryDirectory() as folder:
        return load_case(write_rules(Path(shutil.copytree(SMALL, Path(folder) / "case"))))
