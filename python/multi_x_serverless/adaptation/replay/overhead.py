"""What planning and moving take, in gCO2eq and USD: solves, copies of the package, probes, cold starts.

Assumptions, beyond those of `adaptation.overhead` and `adaptation.cold_starts`, whose rules and prices these are:

* A function is made in a region when a plan that needs it is put in force, and probed once. It is deleted an hour after
  the last such plan was left (`adaptation.check_deployment`). The package is copied where no function is.
* A function that had nothing to do in a region in the hour before has no warm container there. The first hour then
  starts one cold for each execution that is expected to be under way at once (runs per second times seconds, rounded
  up), but never more than there are executions. What stays home as a control keeps no container for what returns.
* A cold start, and so a probe, takes `COLD_START_S` of a fully used processor, and is billed. Solving is not billed.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from multi_x_serverless.adaptation.cold_starts import start_kwh, start_usd
from multi_x_serverless.adaptation.day_schedule import NodeLoad
from multi_x_serverless.adaptation.overhead import Overhead
from multi_x_serverless.model import documents
from multi_x_serverless.model.config_types import ProviderSettings
from multi_x_serverless.model.documents import Fields, as_number
from multi_x_serverless.model.plan import Objective, Placement
from multi_x_serverless.model.units import BYTES_PER_GB, HOURS_PER_DAY, SECONDS_PER_HOUR
from multi_x_serverless.solving import model_constants as constants
from multi_x_serverless.solving.problem import PROBLEM_SCHEMA, PROBLEM_VERSION

FunctionPlace = tuple[str, str]
"""Function and region."""

NOTHING = Overhead(0.0, 0.0)


def total(parts: Iterable[Overhead]) -> Overhead:
    """The sum."""
    listed = list(parts)
    return Overhead(sum(part.carbon_gco2eq for part in listed), sum(part.cost_usd for part in listed))


@dataclass(frozen=True)
class _Function:
    """A function of the workflow: its nodes, and the seconds that these take per run of the workflow."""

    provider: ProviderSettings
    seconds_per_run: Mapping[str, float]
    executions_per_run: Mapping[str, float]


@dataclass(frozen=True)
class OverheadModel:
    """Prices a plan's overhead for one workflow.

    Attributes:
        home: Where plans are made and packages come from.
        package_bytes: Size of the package.
        kwh_per_gb: Energy of a byte between regions.
    """

    home: str
    package_bytes: float
    kwh_per_gb: float
    _functions: Mapping[str, _Function]
    _pue: Mapping[str, float]
    _usd_per_gb_s: Mapping[str, Mapping[str, float]]
    _usd_per_request: Mapping[str, float]
    _egress_usd_per_gb: Mapping[str, float]

    @property
    def loads(self) -> dict[str, NodeLoad]:
        """What each node brings with it when it comes to a region that was idle."""
        return {
            node: NodeLoad(
                runs_share=function.executions_per_run[node],
                duration_s=function.seconds_per_run[node] / executions,
                provider=function.provider,
            )
            for function in self._functions.values()
            for node, executions in function.executions_per_run.items()
            if executions > 0
        }

    def start(self, provider: ProviderSettings, region: str, gco2eq_per_kwh: float) -> Overhead:
        """One cold start."""
        return Overhead(
            start_kwh(constants.COLD_START_S, provider, self._pue[region]) * gco2eq_per_kwh,
            start_usd(constants.COLD_START_S, provider, self._usd_per_gb_s[region][provider.architecture]),
        )

    def solve(self, cpu_s: float, intensity: Mapping[str, float]) -> Overhead:
        """A solve that took so many processor seconds, at home."""
        kwh = cpu_s / SECONDS_PER_HOUR * constants.VCPU_MAXIMUM_KW
        return Overhead(kwh * self._pue[self.home] * intensity[self.home], 0.0)

    def places(self, placements: Iterable[Placement]) -> frozenset[FunctionPlace]:
        """Which functions placements need where, those at home left out: they are always there."""
        return frozenset(
            (function, region)
            for placement in placements
            for function, entry in self._functions.items()
            for region in {placement[node] for node in entry.seconds_per_run}
            if region != self.home
        )

    def copies(
        self, new: Iterable[FunctionPlace], present: Iterable[FunctionPlace], intensity: Mapping[str, float]
    ) -> Overhead:
        """Copies of the package to regions that had no function, and so no package, yet."""
        gigabytes = self.package_bytes / BYTES_PER_GB
        regions = {region for _, region in new} - {region for _, region in present}
        return total(
            Overhead(
                gigabytes * self.kwh_per_gb * (intensity[self.home] + intensity[region]) / 2.0,
                gigabytes * self._egress_usd_per_gb[region],
            )
            for region in sorted(regions)
        )

    def probes(self, new: Iterable[FunctionPlace], intensity: Mapping[str, float]) -> Overhead:
        """One probe of each function that is made."""
        return total(
            Overhead(start.carbon_gco2eq, start.cost_usd + self._usd_per_request[region])
            for function, region in sorted(new)
            for start in (self._cold_start(function, region, intensity),)
        )

    def cold_starts(self, before: Placement, after: Placement, runs: float, intensity: Mapping[str, float]) -> Overhead:
        """Cold starts of the first hour in another placement.

        Args:
            runs: Of that hour, those that follow the plan.
        """
        if before == after or runs <= 0:
            return NOTHING
        starts = []
        for name, function in self._functions.items():
            was_in = {before[node] for node in function.seconds_per_run}
            for region in sorted({after[node] for node in function.seconds_per_run} - was_in):
                nodes = [node for node in function.seconds_per_run if after[node] == region]
                at_once = runs / SECONDS_PER_HOUR * sum(function.seconds_per_run[node] for node in nodes)
                executions = runs * sum(function.executions_per_run[node] for node in nodes)
                count = min(float(math.ceil(at_once)), executions)
                one = self._cold_start(name, region, intensity)
                starts.append(Overhead(count * one.carbon_gco2eq, count * one.cost_usd))
        return total(starts)

    def _cold_start(self, name: str, region: str, intensity: Mapping[str, float]) -> Overhead:
        return self.start(self._functions[name].provider, region, intensity[region])


@dataclass(frozen=True)
class ExpectedStarts:
    """Cold starts by what is expected of a day.

    Attributes:
        expected: Region -> gCO2eq/kWh by UTC hour.
    """

    model: OverheadModel
    expected: Mapping[str, Sequence[float]]

    def of_start(self, load: NodeLoad, region: str, objective: Objective) -> NDArray[np.float64]:
        """See `StartPrices.of_start`."""
        one = self.model.start(load.provider, region, 1.0)
        match objective:
            case "carbon":
                return one.carbon_gco2eq * np.asarray(self.expected[region])
            case "cost":
                return np.full(HOURS_PER_DAY, one.cost_usd)
            case "runtime":
                return np.full(HOURS_PER_DAY, constants.COLD_START_S)


def read_overhead_model(document: bytes, package_bytes: float) -> OverheadModel:
    """What a problem document says of overhead; the engine has checked it before.

    Args:
        document: The problem document.
        package_bytes: Size of the workflow's package.
    """
    fields = documents.read(document, PROBLEM_SCHEMA, PROBLEM_VERSION)
    home, regions = fields.text("home"), fields.texts("regions")
    power = fields.section("power")
    pue = power.mapping("pue", as_number) if "pue" in power.values else {}
    prices = {region: fields.section("prices").section(region) for region in regions}
    return OverheadModel(
        home=home,
        package_bytes=package_bytes,
        kwh_per_gb=fields.section("transmission").number("inter_region_kwh_per_gb"),
        _functions=_read_functions(fields),
        _pue={region: pue.get(region, power.number("pue_default")) for region in regions},
        _usd_per_gb_s={region: entry.mapping("lambda_usd_per_gb_s", as_number) for region, entry in prices.items()},
        _usd_per_request={region: entry.number("lambda_usd_per_request") for region, entry in prices.items()},
        _egress_usd_per_gb=prices[home].mapping("egress_usd_per_gb", as_number),
    )


def _read_functions(fields: Fields) -> dict[str, _Function]:
    nodes = fields.sections("nodes")
    found: dict[str, _Function] = {}
    for node in nodes:
        function, name = node.text("function"), node.text("name")
        executions, seconds = _executions(fields, name)
        before = found.get(function)
        found[function] = _Function(
            provider=ProviderSettings(
                # A document may say less than a megabyte, though no function has that little.
                memory_mb=max(1, round(node.number("memory_mb"))),
                architecture="arm64" if node.text("architecture") == "arm64" else "x86_64",
            ),
            seconds_per_run={**(before.seconds_per_run if before else {}), name: executions * seconds},
            executions_per_run={**(before.executions_per_run if before else {}), name: executions},
        )
    return found


def _executions(fields: Fields, node: str) -> tuple[float, float]:
    """How often a node runs in a run of the workflow, and how many seconds it takes then, in the mean."""
    observations = fields.section("observations")
    runs = observations.integer("runs")
    if runs == 0:
        # By its declared estimate; how often it is called is left out, which counts too many cold starts.
        duration = fields.section("priors").section("nodes").section(node).section("duration_s")
        return 1.0, duration.number("median") * math.exp(duration.number("sigma_log") ** 2 / 2.0)
    weights = observations.sequence("weights", as_number) if "weights" in observations.values else (1.0,) * runs
    columns = observations.section("nodes").section(node)
    ran = columns.sequence("ran", as_number)
    durations = columns.sequence("duration_s", lambda value: None if value is None else as_number(value))
    known = [
        (weight, seconds)
        for weight, flag, seconds in zip(weights, ran, durations, strict=True)
        if flag and seconds is not None
    ]
    executions = sum(weight for weight, flag in zip(weights, ran, strict=True) if flag) / sum(weights)
    weight_known = sum(weight for weight, _ in known)
    seconds = sum(weight * seconds for weight, seconds in known) / weight_known if weight_known > 0 else 0.0
    return executions, seconds
