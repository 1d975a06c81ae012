"""Tables of a replay, 80 columns wide."""

from __future__ import annotations

from typing import TYPE_CHECKING

from multi_x_serverless.adaptation.replay.framework import JOBS_OF_CAUSE
from multi_x_serverless.adaptation.replay.results import HOME, ORACLE, STATIC, SYSTEM, saving
from multi_x_serverless.cli.output import (
    Column,
    brief,
    percent,
    percentile,
    seconds,
    write_table,
    write_text,
    write_wrapped,
)

if TYPE_CHECKING:
    from multi_x_serverless.adaptation.replay.results import PolicyResult, Replay
    from multi_x_serverless.cli.session import Settings

SHOWN_REGIONS = 4

SMALLEST_SHOWN = 0.0005
"""Share of which a tenth of a per cent is left once it is rounded."""


def show_replay(settings: Settings, replay: Replay) -> None:
    """Print what a replay found."""
    stretch = replay.stretch
    home, static = replay.policy(HOME), replay.policy(STATIC)
    _write_line(
        f"Replay of {replay.workflow} from {stretch.first_day} to {stretch.last_day}: simulated, nothing was run. "
        f"{len(replay.regions)} regions, home {replay.home}, {replay.load}, {replay.scenarios} scenarios."
    )
    write_text("")
    write_table(
        settings,
        "Carbon in gCO2eq; saved: net of overhead",
        [
            Column("policy"),
            *(Column(name, is_number=True) for name in ("gross", "overhead", "net", "vs home", "vs static")),
        ],
        [
            [
                policy.name,
                _amount(policy.carbon.gross),
                _amount(policy.carbon.overhead),
                _amount(policy.carbon.net),
                "-" if policy.name == HOME else _saved(saving(policy.carbon, home.carbon).net),
                "-" if policy.name in {HOME, STATIC} else _saved(saving(policy.carbon, static.carbon).net),
            ]
            for policy in replay.policies
        ],
    )
    write_table(
        settings,
        "Cost in USD and run time; saved: net of overhead",
        [
            Column("policy"),
            *(Column(name, is_number=True) for name in ("gross", "overhead", "net", "vs home")),
            *(Column(name, is_number=True) for name in ("mean", percentile(replay.tail))),
        ],
        [
            [
                policy.name,
                _amount(policy.cost.gross),
                _amount(policy.cost.overhead),
                _amount(policy.cost.net),
                "-" if policy.name == HOME else _saved(saving(policy.cost, home.cost).net),
                seconds(policy.runtime_mean_s),
                seconds(policy.runtime_tail_s),
            ]
            for policy in replay.policies
        ],
    )
    write_table(
        settings,
        "Plans, and where they place nodes (controls at home are not counted)",
        [
            Column("policy"),
            *(Column(name, is_number=True) for name in ("solves", "changes", "switches")),
            Column("nodes and hours"),
        ],
        [
            [policy.name, str(policy.solves), str(policy.changes), str(policy.switches), _regions(policy)]
            for policy in replay.policies
        ],
    )
    for line in _remarks(replay):
        _write_line(line)


def _remarks(replay: Replay) -> list[str]:
    system, oracle = replay.policy(SYSTEM), replay.policy(ORACLE)
    lines = [f"{policy.name}: {policy.description}." for policy in replay.policies]
    verb = {"carbon": "emit", "cost": "cost", "runtime": "take"}[replay.objective]
    regret = _compared(replay.regret_of_forecast())
    lines.append(f"Regret of the forecast: this system's runs {verb} {regret} the oracle's.")
    lines.append(
        f"Plans every {replay.replan_hours} h. changes: plans put in force that place otherwise than the one before; "
        "switches: hours placed otherwise than the hour before."
    )
    lines += _of_controls(replay)
    lines.append(_of_framework(replay))
    if system.hours_without_plan:
        lines.append(
            f"In {system.hours_without_plan} of {replay.stretch.hours} hours this system had no plan, and all was home."
        )
    if oracle.infeasible_hours:
        lines.append(
            f"In {oracle.infeasible_hours} of {replay.stretch.hours} hours no placement keeps the hard limits: home."
        )
    over = {policy.name: policy.hours_over_hard_limits for policy in replay.policies if policy.hours_over_hard_limits}
    if over:
        counts = ", ".join(f"{name} {count}" for name, count in over.items())
        lines.append(f"Hours over a hard limit, by what came true: {counts}.")
    by_origin: dict[str, list[str]] = {}
    for region, origin in replay.origins.items():
        by_origin.setdefault(origin, []).append(region)
    for origin, regions in by_origin.items():
        of = "" if len(by_origin) == 1 else f" of {', '.join(regions)}"
        lines.append(f"Carbon intensity{of}: {origin}. Forecast: {replay.forecaster}.")
    lines += [f"{name.replace('_', ' ').capitalize()}: {brief(text)}" for name, text in replay.provenance.items()]
    return [*lines, *replay.notes]


def _of_controls(replay: Replay) -> list[str]:
    if replay.home_share <= 0:
        return []
    share = percent(replay.home_share)
    said = f"{share} of the runs of single, system and oracle stay home as controls, and none of static"
    routed = replay.routed_saving_against_static(SYSTEM)
    if routed is None:
        return [f"{said}."]
    emitted = _compared(-routed)
    return [f"{said}. Runs of this system that follow the plan emit {emitted} those of static, gross."]


def _of_framework(replay: Replay) -> str:
    if replay.framework_region is None:
        return "What the jobs of the framework take is left out."
    parts = [replay.policy(SYSTEM).overhead[cause] for cause in JOBS_OF_CAUSE]
    carbon, cost = sum(part.carbon_gco2eq for part in parts), sum(part.cost_usd for part in parts)
    return (
        f"{_amount(carbon)} gCO2eq and {_amount(cost)} USD of the overhead are of the framework's jobs in "
        f"{replay.framework_region}, assumed and whatever the load. With these plans this system's net "
        f"emissions are {_pays(replay, HOME)}, and {_pays(replay, STATIC)}."
    )


def _pays(replay: Replay, baseline: str) -> str:
    rate = replay.pays_from_runs_per_hour(baseline)
    if rate is None:
        return f"never below those of {baseline}"
    return f"below those of {baseline} from {_rate(rate)} runs per hour on"


def _rate(runs_per_hour: float) -> str:
    return f"{runs_per_hour:,.0f}" if runs_per_hour >= 100 else f"{runs_per_hour:.3g}"


def _compared(excess: float) -> str:
    if abs(excess) < SMALLEST_SHOWN:
        return "as much as"
    return f"{percent(abs(excess))} {'more' if excess > 0 else 'less'} than"


def _write_line(line: str) -> None:
    write_wrapped(line, hanging="  ")


def _amount(value: float) -> str:
    """Four significant digits; what is next to nothing still shows that it is something."""
    return "0" if value == 0 else f"{value:.4g}"


def _saved(fraction: float) -> str:
    return percent(fraction, signed=True) if abs(fraction) >= SMALLEST_SHOWN else "0.0 %"


def _regions(policy: PolicyResult) -> str:
    ordered = sorted(policy.region_shares.items(), key=lambda entry: (-entry[1], entry[0]))
    shown = [f"{region} {percent(share)}" for region, share in ordered[:SHOWN_REGIONS]]
    rest = len(ordered) - len(shown)
    return ", ".join([*shown, f"{rest} more"] if rest > 0 else shown)
