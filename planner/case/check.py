"""Rules between rows and tables. Every fault is collected; none stops the others.

Each `_check_*` function holds the rules of one table; a rule within one field is in its record.
The tables of deals, commitments, limits and contingencies are in `check_rules.py`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet

from planner.case.calendar import MONTHS
from planner.case.case import Case
from planner.case.check_options import check_options
from planner.case.check_rules import RULES
from planner.case.checker import Checker
from planner.case.commercial import Offer
from planner.case.tables import SETTINGS_FILE
from planner.errors import Fault

PAY_AS_YOU_GO = ("on_demand", "spot")
APART = 1.35
"""How far the weights that a token passes may be from what is published: who publishes them counts
embeddings or not, but a rounded total changes the weights outside the experts severalfold."""


def check(
    case: Case, lines: Mapping[str, Sequence[int]], broken: AbstractSet[str] = frozenset()
) -> list[Fault]:
    """Every fault between rows and tables of a case; `lines` holds the line of each row.

    Rules that look at a `broken` table, one of whose rows could not be read, are left out.
    """
    checker = Checker(case, lines)
    for rule, tables in (
        (_check_settings, "chips"),
        (_check_hardware, "chips"),
        (_check_architectures, "architectures"),
        (_check_places, "geographies regions chips pools supply"),
        (_check_network, "geographies regions pools serving network"),
        (_check_offers, "regions chips pools offers"),
        (_check_contracts, "pools contracts"),
        (check_options, "contracts offers options"),
        (_check_serving, "architectures geographies regions classes models serving"),
        (_check_work, "serving training"),
        (_check_demand, "models serving demand"),
        (_check_profile, "geographies classes serving profile"),
        (_check_training, "chips training"),
        (_check_rates, "chips classes models serving throughput efficiency"),
        *RULES,
    ):
        if broken.isdisjoint(tables.split()):
            rule(checker)
    return checker.faults


def _check_settings(c: Checker) -> None:
    settings = c.case.settings

    def fault(key: str, rule: str) -> None:
        c.faults.append(Fault(SETTINGS_FILE, rule, None, key))

    if settings.start.day != 1 or (settings.start.month - 1) % MONTHS[settings.period]:
        fault("start", f"{settings.start} is not the first day of a {settings.period}")
    if not c.calendar.starts[0] <= settings.as_of < c.calendar.starts[-1]:
        fault("as_of", f"{settings.as_of} is outside the horizon")
    if settings.reference_chip not in c.names["chip"]:
        fault("reference_chip", f"there is no chip '{settings.reference_chip}'")
    times: dict[int, int] = defaultdict(int)
    for slice_ in settings.slices:
        for hour in slice_.hours_of_week():
            times[hour] += 1
        if slice_.from_hour_utc >= slice_.to_hour_utc:
            fault("slices", f"slice '{slice_.name}' ends before it starts")
    if len({s.name for s in settings.slices}) < len(settings.slices):
        fault("slices", "two slices have one name")
    missing = sum(times[hour] == 0 for hour in range(168))
    twice = sum(times[hour] > 1 for hour in range(168))
    if missing or twice:
        rule = f"{missing} hours of the week are in no slice, {twice} in more than one"
        fault("slices", rule)


def _check_hardware(c: Checker) -> None:
    for i, chip in enumerate(c.case.chips):
        if chip.mfu_includes_goodput and chip.mfu is None:
            c.add("chips", i, "mfu_includes_goodput", "has no meaning without mfu")
        if chip.announced > c.case.settings.as_of:
            c.add("chips", i, "announced", f"{chip.announced} is after as_of")
        if chip.ready_for_service and chip.ready_for_service < chip.announced:
            rule = f"{chip.ready_for_service} is before the announcement"
            c.add("chips", i, "ready_for_service", rule)


def _check_architectures(c: Checker) -> None:
    for i, arch in enumerate(c.case.architectures):
        if arch.active_params_b > arch.total_params_b:
            c.add("architectures", i, "active_params_b", "is above total_params_b")
        if arch.full_attention_layers > arch.layers:
            c.add("architectures", i, "full_attention_layers", "is above layers")
        if arch.experts_per_token > arch.experts:
            c.add("architectures", i, "experts_per_token", "is above experts")
        if (arch.experts > 0) != (arch.routed_params_b > 0):
            c.add("architectures", i, "routed_params_b", "is above 0 just when there are experts")
        if arch.routed_params_b >= arch.total_params_b:
            c.add("architectures", i, "routed_params_b", "is not below total_params_b")
        if (arch.attention == "mla") != (arch.kv_latent_dim > 0):
            c.add("architectures", i, "kv_latent_dim", "is above 0 just for latent attention")
        rest = arch.total_params_b - arch.routed_params_b
        sound = arch.active_params_b <= arch.total_params_b and rest > 0 < arch.routed_params_b
        if sound and 0 < arch.experts_per_token <= arch.experts:
            passed = rest + arch.routed_params_b * arch.experts_per_token / arch.experts
            if not 1.0 / APART < passed / arch.active_params_b < APART:
                rule = (
                    f"a token passes {passed:.4g} by the other columns ({rest:.4g} outside the "
                    f"experts), not {arch.active_params_b:g}: is total_params_b rounded?"
                )
                c.add("architectures", i, "active_params_b", rule)


def _check_places(c: Checker) -> None:
    for i, region in enumerate(c.case.regions):
        c.refer("regions", i, "geography", region.geography)
    known = {(r.cloud, r.region) for r in c.case.regions}
    for i, pool in enumerate(c.case.pools):
        c.refer("pools", i, "chip", pool.chip)
        if (pool.cloud, pool.region) not in known:
            rule = f"there is no region {pool.cloud} / {pool.region}"
            c.add("pools", i, "cloud/region", rule)
    for i, supply in enumerate(c.case.supply):
        c.refer_pool("supply", i, supply)
        c.refer_period("supply", i, "period", supply.period)
    supplied: dict[tuple[str, ...], set[str]] = defaultdict(set)
    for row in c.case.supply:
        supplied[row.cloud, row.region, row.chip].add(row.period)
    ready = {chip.chip: chip.ready_for_service for chip in c.case.chips}
    for i, pool in enumerate(c.case.pools):
        stated = supplied.get((pool.cloud, pool.region, pool.chip))
        day = ready.get(pool.chip)
        needed = c.calendar.labels[c.calendar.first_from(day) if day else 0 :]
        missing = [name for name in needed if name not in (stated or set())]
        if not stated:
            c.add("pools", i, None, "has no row in supply.csv")
        elif missing and "*" not in stated:
            more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
            rule = f"supply.csv has no row for {missing[0]}{more}; where there is none, state 0"
            c.add("pools", i, None, rule)


def _check_network(c: Checker) -> None:
    for i, path in enumerate(c.case.network):
        c.refer("network", i, "geography", path.geography)
        known = [c.refer("network", i, key, getattr(path, key)) for key in ("cloud", "region")]
        if all(known) and not any(
            path.cloud in ("*", r.cloud) and path.region in ("*", r.region) for r in c.case.regions
        ):
            c.add("network", i, "cloud/region", "fits no region")
    users = sorted({w.geography for w in c.case.serving} & c.names["geography"])
    sites = sorted({(p.cloud, p.region) for p in c.case.pools})
    targets = [(user, *site) for user in users for site in sites]
    covered = c.ties("network", ("geography", "cloud", "region"), targets)
    for target in targets:
        if target not in covered:
            c.add("network", None, None, f"no row fits {' / '.join(target)}")


def _check_offers(c: Checker) -> None:
    keys = ("cloud", "region", "chip")
    for i, offer in enumerate(c.case.offers):
        fine = [c.refer("offers", i, key, getattr(offer, key)) for key in keys]
        fits = any(
            all(getattr(offer, k) in ("*", v) for k, v in zip(keys, pool, strict=True))
            for pool in c.pools
        )
        if all(fine) and not fits:
            c.add("offers", i, "cloud/region/chip", "fits no pool")
        _check_terms(c, i, offer)
    c.ties("offers", keys, sorted(c.pools), same="offer")
    kinds: dict[str, str] = {}
    for i, offer in enumerate(c.case.offers):
        if kinds.setdefault(offer.offer, offer.kind) != offer.kind:
            c.add("offers", i, "kind", f"offer '{offer.offer}' has another kind elsewhere")


def _check_terms(c: Checker, i: int, offer: Offer) -> None:
    """Rules between the columns of one offer."""
    blank = Offer.model_fields
    if offer.kind in PAY_AS_YOU_GO:
        idle = ("term_months", "lot_chips", "min_lots", "max_lots", "ramp", "upfront_share")
        for name in (*idle, "floating", "deal"):
            if getattr(offer, name) != blank[name].default:
                c.add("offers", i, name, f"has no meaning for kind {offer.kind}")
    else:
        own = ("goodput_share", "max_chips", "max_supply_share", "interruptible", "guaranteed")
        for name in own:
            if getattr(offer, name) != blank[name].default:
                c.add("offers", i, name, f"has no meaning for kind {offer.kind}")
        if offer.term_months == 0 or offer.term_months % c.calendar.months:
            rule = f"{offer.term_months} is not a positive multiple of {c.calendar.months} months"
            c.add("offers", i, "term_months", rule)
        if offer.max_lots is not None and offer.max_lots < offer.min_lots:
            c.add("offers", i, "max_lots", f"{offer.max_lots} is below min_lots")
        if not offer.ramp:
            c.add("offers", i, "ramp", "the list is empty")
        elif list(offer.ramp) != sorted(offer.ramp):
            c.add("offers", i, "ramp", "shares fall over time")
    if offer.window_from and offer.window_to and offer.window_from > offer.window_to:
        c.add("offers", i, "window_to", f"{offer.window_to} is before window_from")


def _check_contracts(c: Checker) -> None:
    firsts = set(c.calendar.starts)
    horizon = (c.calendar.starts[0], c.calendar.starts[-1])
    terms: dict[str, tuple[object, ...]] = {}
    for i, line in enumerate(c.case.contracts):
        c.refer_pool("contracts", i, line)
        if line.end <= line.start:
            c.add("contracts", i, "end", f"{line.end} is not after start")
        for column, day in (("start", line.start), ("end", line.end)):
            if horizon[0] < day < horizon[1] and day not in firsts:
                c.add("contracts", i, column, f"{day} is not the first day of a period")
        if not line.take_or_pay and line.notice_days is None:
            c.add("contracts", i, "notice_days", "a contract that can be left needs it")
        if line.take_or_pay and (line.notice_days is not None or line.exit_fee_usd):
            rule = "a take-or-pay contract cannot be left: notice_days and exit_fee_usd say it can"
            c.add("contracts", i, "take_or_pay", rule)
        if not line.ramp or list(line.ramp) != sorted(line.ramp):
            c.add("contracts", i, "ramp", "needs shares that do not fall over time")
        term = (line.take_or_pay, line.notice_days, line.start, line.end)
        if terms.setdefault(line.contract, term) != term:
            rule = f"lines of contract '{line.contract}' differ in dates or terms"
            c.add("contracts", i, "take_or_pay", rule)


def _check_serving(c: Checker) -> None:
    for i, model in enumerate(c.case.models):
        c.refer("models", i, "architecture", model.architecture)
        c.refer_period("models", i, "served_from", model.served_from)
        c.refer_period("models", i, "served_to", model.served_to)
        if model.served_from and model.served_to and model.served_from > model.served_to:
            c.add("models", i, "served_to", f"{model.served_to} is before served_from")
    for i, w in enumerate(c.case.serving):
        c.refer("serving", i, "model", w.model)
        c.refer("serving", i, "geography", w.geography)
        c.refer("serving", i, "class", w.service_class)
        for cloud in w.allowed_clouds:
            c.refer("serving", i, "allowed_clouds", cloud, "cloud")
        for geography in w.allowed_geographies:
            c.refer("serving", i, "allowed_geographies", geography, "geography")
        for column in ("allowed_clouds", "allowed_geographies"):
            if not getattr(w, column):
                c.add("serving", i, column, "the list is empty")
        if w.cached_tokens >= w.input_tokens:
            rule = f"{w.cached_tokens:g} is not below input_tokens"
            c.add("serving", i, "cached_tokens", rule)


def _check_work(c: Checker) -> None:
    if not c.case.serving and not c.case.training:
        c.add("serving", None, None, "neither it nor training.csv has a row: nothing to plan")


def _check_demand(c: Checker) -> None:
    models = {m.model: m for m in c.case.models}
    model_of = {w.workload: models.get(w.model) for w in c.case.serving}
    have: set[tuple[str, str]] = set()
    for i, row in enumerate(c.case.demand):
        c.refer("demand", i, "workload", row.workload)
        c.refer_period("demand", i, "period", row.period)
        have.add((row.workload, row.period))
        model = model_of.get(row.workload)
        if model and row.period in c.periods and row.period not in _served(c, model):
            rule = f"model '{model.model}' is not served in {row.period}"
            c.add("demand", i, "period", rule)
    for workload, model in model_of.items():
        if model is None:
            continue
        for period in _served(c, model):
            if (workload, period) not in have:
                c.add("demand", None, None, f"workload '{workload}' has no row for {period}")


def _served(c: Checker, model: object) -> tuple[str, ...]:
    """Labels of the periods in which a model is served."""
    low = getattr(model, "served_from", None) or c.calendar.labels[0]
    high = getattr(model, "served_to", None) or c.calendar.labels[-1]
    return tuple(name for name in c.calendar.labels if low <= name <= high)


def _check_profile(c: Checker) -> None:
    hours: dict[tuple[str, str], list[float]] = defaultdict(list)
    for i, point in enumerate(c.case.profile):
        c.refer("profile", i, "geography", point.geography)
        c.refer("profile", i, "class", point.service_class)
        hours[point.geography, point.service_class].append(point.factor)
    for shape, factors in hours.items():
        if len(factors) != 168:
            c.add("profile", None, None, f"{' / '.join(shape)} has {len(factors)} of 168 hours")
        elif sum(factors) <= 0:
            c.add("profile", None, None, f"{' / '.join(shape)} is zero all week")
    for w in sorted({(w.geography, w.service_class) for w in c.case.serving}):
        fits = [s for s in hours if all(a in ("*", b) for a, b in zip(s, w, strict=True))]
        named = [sum(part != "*" for part in shape) for shape in fits]
        if not fits:
            c.add("profile", None, None, f"no rows fit {' / '.join(w)}")
        elif named.count(max(named)) > 1:
            c.add("profile", None, None, f"two shapes are equally specific for {' / '.join(w)}")


def _check_training(c: Checker) -> None:
    chips = {chip.chip: chip for chip in c.case.chips}
    for i, run in enumerate(c.case.training):
        wanted, other = ("training_flop", "held_eflop_per_s")
        if run.kind == "standing":
            wanted, other = other, wanted
            if run.pause_overhead:
                c.add("training", i, "pause_overhead", "has no meaning for a standing load")
            if run.max_chips is not None:
                c.add("training", i, "max_chips", "has no meaning for a standing load")
        if getattr(run, wanted) is None:
            c.add("training", i, wanted, f"kind {run.kind} needs it")
        if getattr(run, other) is not None:
            c.add("training", i, other, f"has no meaning for kind {run.kind}")
        if run.pause_overhead and not run.can_pause:
            c.add("training", i, "pause_overhead", "the run cannot pause")
        c.refer_period("training", i, "earliest", run.earliest)
        c.refer_period("training", i, "deadline", run.deadline)
        if run.earliest > run.deadline:
            c.add("training", i, "deadline", f"{run.deadline} is before earliest")
        if not run.allowed_chips:
            c.add("training", i, "allowed_chips", "the list is empty")
        for name in run.allowed_chips:
            known = c.refer("training", i, "allowed_chips", name, "chip") and name != "*"
            if known and not chips[name].training_capable:
                rule = f"chip '{name}' is not training capable"
                c.add("training", i, "allowed_chips", rule)


def _check_rates(c: Checker) -> None:
    shapes = {
        (w.model, w.service_class, w.input_tokens, w.cached_tokens, w.output_tokens)
        for w in c.case.serving
    }
    for i, rate in enumerate(c.case.throughput):
        known = [
            c.refer("throughput", i, "model", rate.model),
            c.refer("throughput", i, "chip", rate.chip),
            c.refer("throughput", i, "class", rate.service_class),
        ]
        if not rate.low <= rate.requests_per_s_per_chip <= rate.high:
            c.add("throughput", i, "low", "low, requests_per_s_per_chip, high are not in order")
        shape = (
            rate.model,
            rate.service_class,
            rate.input_tokens,
            rate.cached_tokens,
            rate.output_tokens,
        )
        if all(known) and shape not in shapes:
            c.add("throughput", i, "input_tokens", "no workload has this model, class and tokens")
    for i, row in enumerate(c.case.efficiency):
        c.refer("efficiency", i, "model", row.model)
        c.refer("efficiency", i, "chip", row.chip)
        if not row.gain_per_year_low <= row.gain_per_year <= row.gain_per_year_high:
            rule = "gain_per_year_low, gain_per_year, gain_per_year_high are not in order"
            c.add("efficiency", i, "gain_per_year_low", rule)
    pairs = [(m, chip) for m in sorted(c.names["model"]) for chip in sorted(c.names["chip"])]
    c.ties("efficiency", ("model", "chip"), pairs)
