"""The hours of a replay as CSV: one line per hour and policy."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from multi_x_serverless.adaptation.replay.results import Replay

COLUMNS = (
    "datetime_utc",
    "policy",
    "runs",
    "carbon_gross_gco2eq",
    "carbon_overhead_gco2eq",
    "carbon_net_gco2eq",
    "cost_gross_usd",
    "cost_overhead_usd",
    "cost_net_usd",
    "runtime_mean_s",
    "runtime_tail_s",
    "placement",
    "regions",
)


def hourly_csv(replay: Replay) -> str:
    """All hours, policy by policy; `regions` is the share of the nodes in each, as ``us-east-1=0.25 us-west-2=0.75``.

    `placement` is its place among the placements of the result document. Tails are of the problem's percentile.
    """
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    times = [replay.stretch.in_words(hour) for hour in range(replay.stretch.hours)]
    for policy in replay.policies:
        hours = policy.hours
        columns = zip(
            times,
            replay.runs.tolist(),
            hours.carbon_gross_gco2eq.tolist(),
            hours.carbon_overhead_gco2eq.tolist(),
            hours.cost_gross_usd.tolist(),
            hours.cost_overhead_usd.tolist(),
            hours.runtime_mean_s.tolist(),
            hours.runtime_tail_s.tolist(),
            hours.placements.tolist(),
            hours.shares.tolist(),
            strict=True,
        )
        for time, runs, carbon, carbon_more, cost, cost_more, mean, tail, placement, shares in columns:
            regions = " ".join(
                f"{region}={share:.4g}" for region, share in zip(replay.regions, shares, strict=True) if share > 0
            )
            writer.writerow(
                (
                    time,
                    policy.name,
                    f"{runs:.10g}",
                    *(f"{value:.10g}" for value in (carbon, carbon_more, carbon + carbon_more)),
                    *(f"{value:.10g}" for value in (cost, cost_more, cost + cost_more)),
                    f"{mean:.6g}",
                    f"{tail:.6g}",
                    placement,
                    regions,
                )
            )
    return text.getvalue()
