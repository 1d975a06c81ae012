"""What a problem rests on, in sentences: sources, vintages, and what was assumed because nobody measured it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timezone

from multi_x_serverless.model.carbon_signal import CarbonSignal
from multi_x_serverless.model.performance_signal import PerformanceSignal
from multi_x_serverless.model.price_signal import PriceSignal
from multi_x_serverless.model.robust import RobustCase
from multi_x_serverless.model.run import ObservedRun, number_of_runs
from multi_x_serverless.model.signals import known_at
from multi_x_serverless.solving.model_constants import TransmissionPreset
from multi_x_serverless.solving.robust import CARBON_SUBJECT, TRANSMISSION_SUBJECT


def provenance(
    carbon: Sequence[CarbonSignal],
    prices: Sequence[PriceSignal],
    performance: Sequence[PerformanceSignal],
    runs: Sequence[ObservedRun],
    preset: TransmissionPreset,
    case: RobustCase | None = None,
    remark_on_runs: str = "",
) -> dict[str, str]:
    """Subject -> what is known of it and what is assumed, for the same regions in the same order; runs oldest first.

    Sources and vintages, and apart from them, where there is something to say, what was assumed, with its regions; of a
    robust plan also where its intervals come from.
    """
    carbon_factors, moved = (None, None) if case is None else (case.carbon_factors, case.transmission_kwh_per_gb)
    subjects = {
        "carbon": _origin(carbon),
        "carbon_method": _by_region({signal.region: signal.method for signal in carbon}),
        "carbon_without_hourly_data": ", ".join(
            # One mean for all hours; a forecast is an estimate as well, but has hours.
            signal.region
            for signal in carbon
            if signal.is_estimated and len(set(signal.intensity_gco2eq_per_kwh)) == 1
        ),
        "carbon_forecast_error": _forecast_error(carbon),
        CARBON_SUBJECT: "" if carbon_factors is None else carbon_factors.origin,
        "prices": _origin(prices),
        "prices_of_another_region": _assumed_prices(prices),
        "latency": _origin_of_round_trips(performance),
        "latency_estimated_from_distance": _estimated_round_trips(performance),
        "relative_speed": _relative_speed(performance),
        "runs": f"{len(runs)} observed runs{_stand_for(runs)}, {_time(runs[0].started_at)} to "
        f"{_time(runs[-1].started_at)} UTC{f'; {remark_on_runs}' if remark_on_runs else ''}",
        "energy": "modelled from time, memory and CPU use; no meter was read",
        "transmission": f"preset '{preset}'",
        TRANSMISSION_SUBJECT: "" if moved is None else moved.origin,
    }
    return {subject: text for subject, text in subjects.items() if text}


def _stand_for(runs: Sequence[ObservedRun]) -> str:
    count = number_of_runs(runs)
    return "" if count == len(runs) else f" that stand for about {count}"


def _forecast_error(signals: Sequence[CarbonSignal]) -> str:
    """Errors by region; those of forecasts of another year's hours apart from those of today's grid."""
    unknown = [signal.region for signal in signals if signal.forecast_error is None]
    if len(unknown) == len(signals):
        return "not known yet: no hour of an earlier forecast was measured since"
    of_own_time, of_another = (
        ", ".join(
            f"{signal.region} {error.relative * 100:.1f} % ({error.hours} h)"
            for signal in signals
            if (error := signal.forecast_error) is not None and signal.is_of_its_own_time != is_of_another
        )
        for is_of_another in (False, True)
    )
    what = "mean absolute error of the first 24 hours of the forecasts of the last 7 days"
    parts = [
        f"{what}: {of_own_time}" if of_own_time else "",
        f"{what}, on the hours of the embedded trace's year: {of_another}" if of_another else "",
        f"not known yet: {', '.join(unknown)}" if unknown else "",
    ]
    return "; ".join(part for part in parts if part)


def _assumed_prices(signals: Sequence[PriceSignal]) -> str:
    return ", ".join(
        f"{signal.region} ({', '.join(sorted(signal.prices.assumed))})" for signal in signals if signal.prices.assumed
    )


def _estimated_round_trips(signals: Sequence[PerformanceSignal]) -> str:
    """Pairs of regions; a region that was measured from nowhere is named once and not with each of the others."""
    regions = [signal.region for signal in signals]
    pairs = {
        frozenset((signal.region, trip.to_region))
        for signal in signals
        for trip in signal.round_trips
        if not trip.is_measured and trip.to_region in regions and trip.to_region != signal.region
    }
    unmeasured = [
        region
        for region in regions
        if len(regions) > 2 and all(frozenset((region, other)) in pairs for other in regions if other != region)
    ]
    single = sorted(" to ".join(sorted(pair)) for pair in pairs if not pair & set(unmeasured))
    return ", ".join([f"all of {region}" for region in unmeasured] + single)


def _relative_speed(signals: Sequence[PerformanceSignal]) -> str:
    measured = ", ".join(
        f"{signal.region} {signal.relative_speed:.2f} ({interval.low:.2f} to {interval.high:.2f})"
        for signal in signals
        if (interval := signal.relative_speed_interval) is not None
    )
    by_runs = f"; by own runs, with what else they wait for: {measured}" if measured else ""
    assumed = [signal.region for signal in signals if signal.relative_speed_is_assumed]
    if not assumed:
        return f"measured in all regions{by_runs}"
    if len(assumed) == len(signals):
        same = len({signal.relative_speed for signal in signals}) == 1
        return "assumed" + (" to be the same in all regions" if same else " in all regions") + ": nobody measured it"
    return f"assumed in {', '.join(assumed)}: nobody measured it there{by_runs}"


def _round_trips(count: int) -> str:
    return "1 round trip" if count == 1 else f"{count} round trips"


def _origin_of_round_trips(signals: Sequence[PerformanceSignal]) -> str:
    """For each source of round trips between the regions: how many of them, and which time they describe."""
    regions = {signal.region for signal in signals}
    vintages: dict[str, list[str]] = {}
    for signal in signals:
        for trip in signal.round_trips:
            if trip.to_region in regions:
                source, vintage = signal.origin_of(trip)
                vintages.setdefault(source, []).append(vintage)
    parts = []
    for source, found in sorted(vintages.items(), key=lambda item: (-len(item[1]), item[0])):
        first, last = min(found), max(found)
        span = first if first == last else f"{first} to {last}"
        parts.append(f"{source}, {span}" + (f" ({_round_trips(len(found))})" if len(vintages) > 1 else ""))
    return f"{'; '.join(parts)}; collected {_time(min(signal.collected_at for signal in signals))} UTC"


def _origin(signals: Sequence[CarbonSignal | PriceSignal]) -> str:
    """Sources and vintages, by region where they differ, and when the oldest signal, or price of one, was collected."""
    oldest = min(known_at(signal) if isinstance(signal, PriceSignal) else signal.collected_at for signal in signals)
    origins = _by_region({signal.region: f"{signal.source}, {signal.vintage}" for signal in signals})
    return f"{origins}; collected {_time(oldest)} UTC"


def _by_region(texts: Mapping[str, str]) -> str:
    """What is said of regions, each text once; with its regions where it is not said of all."""
    regions: dict[str, list[str]] = {}
    for region, text in texts.items():
        regions.setdefault(text, []).append(region)
    if len(regions) == 1:
        return next(iter(regions))
    return "; ".join(f"{', '.join(named)}: {text}" for text, named in sorted(regions.items()))


def _time(moment: float) -> str:
    return datetime.fromtimestamp(moment, tz=timezone.utc).strftime("%Y-%m-%d %H:%M")
