"""Workloads, demand, profiles, training and trends of the reference case."""

from __future__ import annotations

from build.raw import PERIODS, Row, Table, copied, items, noted, num, read, scalar

DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
HOURS = 168


def workloads() -> tuple[Table, Table]:
    """Serving workloads and their demand: the channels' shares first, the rest first-party.

    The rows of one model, geography and class add to the raw table's demand, scaled.
    """
    scale = {row["class"]: float(row["demand_scale"]) for row in read("assumptions_classes")}
    channels = read("assumptions_channels")
    serving: Table = []
    demand: Table = []
    for row in read("assumptions_demand"):
        place = row["model"], row["geography"], row["class"]
        left = {q: float(row[f"{q}_requests_per_s"]) * scale[row["class"]] for q in PERIODS}
        total = dict(left)
        parts: list[tuple[Row, dict[str, float]]] = []
        for channel in channels:
            keys = ("models", "geographies", "classes")
            if all(key in items(channel[column]) for key, column in zip(place, keys, strict=True)):
                part = {q: round(total[q] * float(channel[f"{q}_share"]), 2) for q in PERIODS}
                left = {q: left[q] - part[q] for q in PERIODS}
                parts.append((channel, part))
        rest = {
            "channel": "first-party",
            "allowed_clouds": "*",
            "allowed_geographies": "*",
            "source": row["source"],
            "basis": row["basis"],
        }
        for channel, part in [(rest, left), *parts]:
            name = "/".join((*place, channel["channel"]))
            serving.append(
                {
                    "workload": name,
                    "model": row["model"],
                    "geography": row["geography"],
                    "class": row["class"],
                    "channel": channel["channel"],
                    "input_tokens": row["input_tokens"],
                    "cached_tokens": row["cached_tokens"],
                    "output_tokens": row["output_tokens"],
                    "allowed_clouds": channel["allowed_clouds"],
                    "allowed_geographies": channel["allowed_geographies"],
                    "source": channel["source"],
                    "basis": channel["basis"],
                }
            )
            demand += [
                {
                    "workload": name,
                    "period": period,
                    "requests_per_s": num(part[period], 2),
                    "source": "planning estimate of the reference case",
                    "basis": "assumption",
                }
                for period in PERIODS
            ]
    return serving, demand


def profile() -> Table:
    """Hour-of-week shapes of the Azure traces, moved from UTC to local time, mean 1."""
    offset = int(scalar("profile_utc_offset_hours"))
    trace = read("azure_llm_2024_hourly_profile")
    rows = []
    for row in read("assumptions_classes"):
        week = dict.fromkeys(range(HOURS), 1.0)
        for point in (point for point in trace if point["dataset"] == row["profile_dataset"]):
            hour = 24 * DAYS.index(point["dow"]) + int(point["hour_utc"])
            week[(hour + offset) % HOURS] = float(point["ratio_to_weekly_mean"])
        mean = sum(week.values()) / HOURS
        source = (
            f"{row['profile_dataset']} by hour (AzurePublicDataset@b469a11, digitised), "
            f"users taken to be at UTC{offset:+d}"
            if row["profile_dataset"]
            else "only the weekly volume counts: flat"
        )
        rows += [
            {
                "geography": "*",
                "class": row["class"],
                "hour_of_week": str(hour),
                "factor": num(week[hour] / mean, 4),
                "source": source,
                "basis": "derived" if row["profile_dataset"] else "assumption",
            }
            for hour in range(HOURS)
        ]
    return rows


def training() -> Table:
    """Training runs and standing research with the price of leaving them out."""
    multiple = scalar("training_value_multiple")
    per_flop, per_eflop = (
        scalar("training_usd_per_flop"),
        scalar("standing_usd_per_eflop_per_s_quarter"),
    )
    rows = copied("assumptions_training")()
    for row in rows:
        cost = (
            float(row["training_flop"]) * per_flop
            if row["kind"] == "run"
            else float(row["held_eflop_per_s"]) * per_eflop
        )
        source, basis = row.pop("source"), row.pop("basis")
        row["value_usd"] = num(round(cost * multiple / 1e6) * 1e6)
        row |= {"source": noted(source, f"value {num(multiple, 1)} times its cost"), "basis": basis}
    return rows


def efficiency() -> Table:
    """One software trend for every model and chip."""
    gains = ("gain_per_year", "gain_per_year_low", "gain_per_year_high")
    return [
        {"model": "*", "chip": "*"}
        | {name: num(scalar(f"efficiency_{name}"), 4) for name in gains}
        | {"source": "5 % a quarter assumed, with a wide band", "basis": "assumption"}
    ]
