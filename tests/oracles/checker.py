"""Recomputes cost, carbon and time of placements from the problem document alone.

Written from `docs/problem-document.md`, not from the engine: scenario by scenario, in plain loops and double
precision, with the events of a run followed one after the other. Slow and simple on purpose.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from statistics import NormalDist
from typing import Any, TypeAlias

from tests.oracles import counters
from tests.oracles.counters import uniform

GB = 2.0**30

Sample: TypeAlias = list[tuple[float, float]]
"""Observed values in order, each with how many runs it stands for."""


@dataclass(frozen=True)
class Fate:
    """What happens in one scenario, wherever nodes are placed."""

    ran: Mapping[str, bool]
    called: tuple[bool, ...]
    duration_position: Mapping[str, float]
    latency_position: tuple[float, ...]
    cpu_utilization: Mapping[str, float]
    data_bytes: Mapping[str, float]
    sent_bytes: Mapping[str, Mapping[str, float]]
    received_bytes: Mapping[str, Mapping[str, float]]
    payload_bytes: tuple[float, ...]
    offset_fraction: tuple[float, ...]
    awaited_round_trips: tuple[float, ...]
    slack_s: tuple[float, ...]
    trigger_bytes: float


@dataclass(frozen=True)
class Outcome:
    """What one placement does in one scenario, per run."""

    carbon: float
    cost: float
    runtime: float


@dataclass(frozen=True)
class Departure:
    """A call or decline leaves a node this fraction of its duration after its start."""

    node: str
    fraction: float


class Checker:
    """Scenarios of a problem document and the outcome of placements in them."""

    def __init__(self, problem: dict[str, Any], *, first: int = counters.FIRST_PLANNING_SCENARIO) -> None:
        self.problem = problem
        self.regions: list[str] = problem["regions"]
        self.home: str = problem["home"]
        self.nodes = {node["name"]: node for node in problem["nodes"]}
        self.edges: list[dict[str, Any]] = problem["edges"]
        self.incoming: dict[str, list[int]] = {name: [] for name in self.nodes}
        for index, edge in enumerate(self.edges):
            self.incoming[edge["to"]].append(index)
        self.entry = next(name for name, edges in self.incoming.items() if not edges)
        self.joins = {name: node["sync"] or len(self.incoming[name]) > 1 for name, node in self.nodes.items()}
        self.order = self._topological_order()
        self.settings = {
            "seed": 0,
            "scenarios": 1000,
            "validation_scenarios": 4000,
            "min_samples": 20,
            "tail": 0.95,
            "confidence": 0.95,
            **problem.get("settings", {}),
        }
        self.speed = {region: problem.get("relative_speed", {}).get(region, 1.0) for region in self.regions}
        self.runs: int = problem["observations"]["runs"]
        self.weights: list[float] = problem["observations"].get("weights") or [1.0] * self.runs
        if self.runs:
            self._collect_samples()
        which = "scenarios" if first == counters.FIRST_PLANNING_SCENARIO else "validation_scenarios"
        self.count: int = self.settings[which]
        self.fates = [self._fate(first, number) for number in range(self.count)]

    # -- samples ---------------------------------------------------------------------------------------------------

    def _topological_order(self) -> list[str]:
        order: list[str] = []
        while len(order) < len(self.nodes):
            order.extend(
                name
                for name in self.nodes
                if name not in order and all(self.edges[edge]["from"] in order for edge in self.incoming[name])
            )
        return order

    def _region_of(self, node: str, run: int) -> str | None:
        index = self.problem["observations"]["nodes"][node]["region"][run]
        return None if index < 0 else self.regions[index]

    def _collect_samples(self) -> None:
        observations = self.problem["observations"]
        self.duration_samples: dict[tuple[str, str], Sample] = {}
        self.duration_reference: dict[str, Sample] = {}
        for node in self.nodes:
            columns = observations["nodes"][node]
            pooled: Sample = []
            for run in range(self.runs):
                region, duration = self._region_of(node, run), columns["duration_s"][run]
                if columns["ran"][run] and region is not None and duration is not None:
                    self.duration_samples.setdefault((node, region), []).append((duration, self.weights[run]))
                    pooled.append((duration / self.speed[region], self.weights[run]))
            for region in self.regions:
                self.duration_samples.setdefault((node, region), []).sort()
            at_home = self.duration_samples[node, self.home]
            enough = len(at_home) >= self.settings["min_samples"]
            self.duration_reference[node] = at_home if enough else sorted(pooled)
        self.latency_samples: dict[tuple[int, str, str], Sample] = {}
        self.latency_reference: list[Sample] = []
        for index, edge in enumerate(self.edges):
            columns = observations["edges"][index]
            reduced: Sample = []
            for run in range(self.runs):
                source, target = self._region_of(edge["from"], run), self._region_of(edge["to"], run)
                latency = columns["latency_s"][run]
                if columns["called"][run] and latency is not None and source is not None and target is not None:
                    self.latency_samples.setdefault((index, source, target), []).append((latency, self.weights[run]))
                    extra = self._distance(index, source, target)
                    extra += self._transfer(source, target, self._sent_bytes(index, columns["payload_bytes"][run]))
                    reduced.append((max(0.0, latency - extra), self.weights[run]))
            for values in self.latency_samples.values():
                values.sort()
            at_home = self.latency_samples.get((index, self.home, self.home), [])
            if len(at_home) >= self.settings["min_samples"]:
                self.latency_reference.append(at_home)
            else:
                self.latency_reference.append(sorted(reduced) or [(self._base_latency(index), 1.0)])

    def _round_trip(self, source: str, target: str) -> float:
        matrix: list[list[float]] = self.problem["latency"]["round_trip_s"]
        return matrix[self.regions.index(source)][self.regions.index(target)]

    def _base_latency(self, edge: int) -> float:
        round_trips: float = self.edges[edge]["round_trips"]
        return round_trips * self._round_trip(self.home, self.home)

    def _distance(self, edge: int, source: str, target: str) -> float:
        round_trips: float = self.edges[edge]["round_trips"]
        return round_trips * (self._round_trip(source, target) - self._round_trip(self.home, self.home))

    def _transfer(self, source: str, target: str, size: float) -> float:
        bandwidth: float = self.problem["latency"]["bandwidth_bytes_per_s"]
        return 0.0 if source == target else size / bandwidth

    @property
    def _envelope(self) -> float:
        size: float = self.problem["protocol"]["message_envelope_bytes"]
        return size

    def _sent_bytes(self, edge: int, payload: float) -> float:
        return payload if self.joins[self.edges[edge]["to"]] else payload + self._envelope

    # -- scenarios -------------------------------------------------------------------------------------------------

    def _fate(self, first: int, number: int) -> Fate:
        seed, counter = self.settings["seed"], first + number
        edge_keys = self._edge_keys()
        if not self.runs:
            return self._imagined_fate(seed, counter, edge_keys)
        run = self._run_of(number, counter)
        nodes = self.problem["observations"]["nodes"]
        edges = self.problem["observations"]["edges"]
        ran = {name: bool(nodes[name]["ran"][run]) for name in self.nodes}
        called = tuple(bool(edge["called"][run]) for edge in edges)
        positions = {}
        for name in self.nodes:
            draw = uniform(seed, counters.DURATION, counter, counters.key(name))
            region, duration = self._region_of(name, run), nodes[name]["duration_s"][run]
            known = ran[name] and region is not None and duration is not None
            values = self.duration_samples[name, region] if known and region is not None else None
            positions[name] = _position(values, duration, draw)
        latency_positions = []
        for index, edge in enumerate(self.edges):
            draw = uniform(seed, counters.LATENCY, counter, edge_keys[index])
            source, target = self._region_of(edge["from"], run), self._region_of(edge["to"], run)
            latency = edges[index]["latency_s"][run]
            known = called[index] and latency is not None and source is not None and target is not None
            values = self.latency_samples[index, source, target] if known and source and target else None
            latency_positions.append(_position(values, latency, draw))
        default = self.problem["power"]["cpu_utilization_default"]

        def exchanged(name: str) -> dict[str, dict[str, float]]:
            return {
                node: {end: column[run] if ran[node] else 0.0 for end, column in nodes[node].get(name, {}).items()}
                for node in self.nodes
            }

        return Fate(
            ran=ran,
            called=called,
            duration_position=positions,
            latency_position=tuple(latency_positions),
            cpu_utilization={
                name: default if nodes[name]["cpu_utilization"][run] is None else nodes[name]["cpu_utilization"][run]
                for name in self.nodes
            },
            data_bytes={name: self._data_bytes(nodes[name], run) for name in self.nodes},
            sent_bytes=exchanged("sent_bytes"),
            received_bytes=exchanged("received_bytes"),
            payload_bytes=tuple(
                edge["payload_bytes"][run] if called[index] else 0.0 for index, edge in enumerate(edges)
            ),
            offset_fraction=tuple(
                edge["offset_fraction"][run] if called[index] else 1.0 for index, edge in enumerate(edges)
            ),
            awaited_round_trips=tuple(
                (edge.get("awaited_round_trips") or [None] * self.runs)[run] or 0.0 for edge in edges
            ),
            slack_s=tuple((edge.get("slack_s") or [None] * self.runs)[run] or 0.0 for edge in edges),
            trigger_bytes=self.problem["observations"]["trigger_bytes"][run],
        )

    def _run_of(self, number: int, counter: int) -> int:
        """The observed run that a scenario repeats."""
        seed, weights = self.settings["seed"], self.weights
        if len(set(weights)) == 1:
            if number < self.count // self.runs * self.runs:
                return number % self.runs
            return int(uniform(seed, counters.RUN, counter, 0) * self.runs)
        total = 0.0
        for weight in weights:
            total += weight
        shares = [self.count * weight / total for weight in weights]
        certain = 0
        for run, share in enumerate(shares):
            certain += int(share)
            if number < certain:
                return run
        remaining = list(accumulate(share - int(share) for share in shares))
        draw = uniform(seed, counters.RUN, counter, 0) * remaining[-1]
        return next(run for run, sum_so_far in enumerate(remaining) if sum_so_far > draw)

    def _data_bytes(self, columns: dict[str, Any], run: int) -> float:
        if not columns["ran"][run]:
            return 0.0
        value: float | None = columns["data_bytes"][run]
        if value is not None:
            return value
        known = [
            (weight * size, weight)
            for ran, size, weight in zip(columns["ran"], columns["data_bytes"], self.weights, strict=True)
            if ran and size is not None
        ]
        return sum(size for size, _ in known) / sum(weight for _, weight in known) if known else 0.0

    def _edge_keys(self) -> list[int]:
        seen: dict[tuple[str, str], int] = {}
        keys = []
        for edge in self.edges:
            ends = (edge["from"], edge["to"])
            keys.append(counters.key(f"{ends[0]}\n{ends[1]}\n{seen.get(ends, 0)}"))
            seen[ends] = seen.get(ends, 0) + 1
        return keys

    def _imagined_fate(self, seed: int, counter: int, edge_keys: list[int]) -> Fate:
        priors = self.problem["priors"]
        ran: dict[str, bool] = {}
        called = [False] * len(self.edges)
        for name in self.order:
            ran[name] = name == self.entry or any(called[edge] for edge in self.incoming[name])
            for index, edge in enumerate(self.edges):
                if edge["from"] == name and ran[name]:
                    draw = uniform(seed, counters.CALL, counter, edge_keys[index])
                    called[index] = draw < priors["edges"][index]["call_probability"]
        return Fate(
            ran=ran,
            called=tuple(called),
            duration_position={
                name: uniform(seed, counters.DURATION, counter, counters.key(name)) for name in self.nodes
            },
            latency_position=tuple(uniform(seed, counters.LATENCY, counter, key) for key in edge_keys),
            cpu_utilization={name: priors["nodes"][name]["cpu_utilization"] for name in self.nodes},
            data_bytes={name: priors["nodes"][name]["data_bytes"] if ran[name] else 0.0 for name in self.nodes},
            sent_bytes={name: {} for name in self.nodes},
            received_bytes={name: {} for name in self.nodes},
            payload_bytes=tuple(
                prior["payload_bytes"] if flag else 0.0 for prior, flag in zip(priors["edges"], called, strict=True)
            ),
            offset_fraction=tuple(
                prior["offset_fraction"] if flag else 1.0 for prior, flag in zip(priors["edges"], called, strict=True)
            ),
            awaited_round_trips=(0.0,) * len(self.edges),
            slack_s=(0.0,) * len(self.edges),
            trigger_bytes=priors["trigger_bytes"],
        )

    # -- one placement in one scenario -----------------------------------------------------------------------------

    def duration(self, fate: Fate, node: str, region: str) -> float:
        """Seconds a node that runs takes."""
        position = fate.duration_position[node]
        if not self.runs:
            prior = self.problem["priors"]["nodes"][node]["duration_s"]
            normal = NormalDist().inv_cdf(min(max(position, 2.0**-54), 1.0 - 2.0**-53))
            estimate: float = self.speed[region] * prior["median"] * math.exp(prior["sigma_log"] * normal)
            return estimate
        own = self.duration_samples[node, region]
        weight = min(1.0, len(own) / self.settings["min_samples"])
        seconds = 0.0
        if weight < 1.0:
            seconds += (1.0 - weight) * self.speed[region] * _quantile(self.duration_reference[node], position)
        if weight > 0.0:
            seconds += weight * _quantile(own, position)
        return seconds

    def latency(self, fate: Fate, edge: int, source: str, target: str) -> float:
        """Seconds between the end of a call (or decline) and its arrival."""
        position = fate.latency_position[edge]
        reference = self.latency_reference[edge] if self.runs else [(self._base_latency(edge), 1.0)]
        size = self._sent_bytes(edge, fate.payload_bytes[edge]) if fate.called[edge] else 0.0
        seconds = _quantile(reference, position) + self._distance(edge, source, target)
        seconds = max(0.0, seconds + self._transfer(source, target, size))
        own = self.latency_samples.get((edge, source, target), []) if self.runs else []
        weight = min(1.0, len(own) / self.settings["min_samples"])
        if weight > 0.0:
            seconds = (1.0 - weight) * seconds + weight * _quantile(own, position)
        return seconds

    def entry_start(self, fate: Fate, region: str) -> float:
        """Seconds from the trigger to the start of the entry in a region."""
        trigger = self.problem["trigger"]
        if region == trigger["region"]:
            return 0.0
        forwarded: float = trigger["forward_duration_s"] + self._round_trip(trigger["region"], region)
        return forwarded + self._transfer(trigger["region"], region, fate.trigger_bytes + self._envelope)

    def departures(self, fate: Fate) -> list[Departure | None]:
        """Where each edge's call or decline leaves from; `None` where nothing is sent.

        Only calls and reports to joins travel: a plain node whose edge was declined takes no time, and what it
        declines leaves from where its branch died.
        """
        found: list[Departure | None] = [None] * len(self.edges)
        died: dict[str, Departure] = {}
        for node in self.order:
            for edge in self.incoming[node]:
                caller = self.edges[edge]["from"]
                leaves = Departure(caller, fate.offset_fraction[edge]) if fate.ran[caller] else died[caller]
                if fate.called[edge] or self.joins[node]:
                    found[edge] = leaves
                else:
                    died[node] = leaves
            if self.joins[node] and not fate.ran[node]:
                died[node] = Departure(node, 0.0)
        return found

    def runtime(self, fate: Fate, placement: Mapping[str, str]) -> float:
        """Seconds from the trigger to the last finish of a node that ran."""
        departures = self.departures(fate)
        start = {self.entry: self.entry_start(fate, placement[self.entry])}
        latest = 0.0
        for node in self.order:
            arrivals = []
            for edge in self.incoming[node]:
                leaves = departures[edge]
                if leaves is None:
                    continue
                origin = placement[leaves.node]
                left = start[leaves.node]
                if leaves.fraction > 0.0:
                    left += leaves.fraction * self.duration(fate, leaves.node, origin)
                arrivals.append(left + self.latency(fate, edge, origin, placement[node]))
            if arrivals:
                start[node] = max(arrivals)
            if fate.ran[node]:
                latest = max(latest, start[node] + self.duration(fate, node, placement[node]))
        return latest

    def cost(self, fate: Fate, placement: Mapping[str, str]) -> float:
        """USD of a run: the terms of its nodes and edges."""
        nodes = (self.node_cost(fate, node, region) for node, region in placement.items())
        edges = (self.edge_cost(fate, *ends) for ends in self._placed_edges(placement))
        waits = (self.waiting_cost(fate, *ends) for ends in self._placed_waits(placement))
        return sum(nodes) + sum(edges) + sum(waits)

    def _placed_edges(self, placement: Mapping[str, str]) -> list[tuple[int, str, str]]:
        return [(index, placement[edge["from"]], placement[edge["to"]]) for index, edge in enumerate(self.edges)]

    def node_cost(self, fate: Fate, node: str, region: str) -> float:
        """USD that depend on the region of one node only; the trigger counts to the entry."""
        total = self._trigger_cost(fate, region) if node == self.entry else 0.0
        prices = self.problem["prices"][region]
        if fate.ran[node]:
            total += self._execution_cost(node, region, self.duration(fate, node, region))
            total += prices["lambda_usd_per_request"]
            total += self.problem["protocol"]["log_bytes_per_node"] / GB * prices["log_usd_per_gb"]
            for end, size in fate.sent_bytes[node].items():
                total += size / GB * self._egress(region, end)
            for end, size in fate.received_bytes[node].items():
                total += size / GB * self._egress(end, region) if end != "outside" else 0.0
        if self.joins[node]:
            total += self._join_cost(fate, node, region)
        return total

    def edge_cost(self, fate: Fate, edge: int, source: str, target: str) -> float:
        """USD that depend on the regions of both ends of one edge."""
        if not fate.called[edge]:
            return 0.0
        total = self._moved_gb(fate, edge) * self._egress(source, target)
        if not self.joins[self.edges[edge]["to"]]:
            total += self._message_cost(target, fate.payload_bytes[edge])
        return total

    def _trigger_cost(self, fate: Fate, region: str) -> float:
        trigger = self.problem["trigger"]
        total = self._message_cost(trigger["region"], fate.trigger_bytes)
        if region != trigger["region"]:
            total += self._message_cost(region, fate.trigger_bytes)
            total += self.problem["prices"][trigger["region"]]["lambda_usd_per_request"]
            total += self._execution_cost(self.entry, trigger["region"], trigger["forward_duration_s"])
            total += self._egress(trigger["region"], region) * (fate.trigger_bytes + self._envelope) / GB
        return total

    def _execution_cost(self, node: str, region: str, seconds: float) -> float:
        properties = self.nodes[node]
        price: float = self.problem["prices"][region]["lambda_usd_per_gb_s"][properties["architecture"]]
        billed = max(0, math.ceil(seconds * 1000.0 - 1e-6)) / 1000.0
        memory_gb: float = properties["memory_mb"] / 1024.0
        return price * memory_gb * billed

    def _egress(self, source: str, end: str) -> float:
        if source == end:
            return 0.0
        prices = self.problem["prices"][source]
        price: float = prices["egress_internet_usd_per_gb"] if end == "outside" else prices["egress_usd_per_gb"][end]
        return price

    def _message_cost(self, region: str, payload: float) -> float:
        prices = self.problem["prices"][region]
        large = payload > self.problem["protocol"]["inline_payload_limit_bytes"]
        size = self._envelope if large else payload + self._envelope
        cost: float = max(1, math.ceil(size / 65536.0)) * prices["message_usd_per_64kib"]
        return cost + (prices["object_usd_per_put"] + prices["object_usd_per_get"] if large else 0.0)

    def _join_cost(self, fate: Fate, node: str, region: str) -> float:
        prices, protocol = self.problem["prices"][region], self.problem["protocol"]
        writes = protocol["sync_report_write_units"] * len(self.incoming[node])
        reads, cost = 0.0, 0.0
        for edge in self.incoming[node]:
            if not fate.called[edge]:
                continue
            payload = fate.payload_bytes[edge]
            if payload > protocol["inline_payload_limit_bytes"]:
                cost += prices["object_usd_per_put"] + prices["object_usd_per_get"]
            else:
                writes += math.ceil(payload / 1024.0)
                reads += math.ceil(payload / 4096.0)
        if fate.ran[node]:
            writes += protocol["sync_closing_write_units"]
            reads += protocol["sync_closing_read_units"]
            cost += max(1, math.ceil(self._envelope / 65536.0)) * prices["message_usd_per_64kib"]
        total: float = cost + writes * prices["kv_usd_per_write_unit"] + reads * prices["kv_usd_per_read_unit"]
        return total

    def _moved_gb(self, fate: Fate, edge: int) -> float:
        siblings = sum(fate.called[other] for other in self.incoming[self.edges[edge]["to"]])
        return (fate.payload_bytes[edge] + self._envelope / siblings) / GB

    def carbon(self, fate: Fate, placement: Mapping[str, str], hour: int) -> float:
        """gCO2eq of a run: the terms of its nodes and edges."""
        nodes = (self.node_carbon(fate, node, region, hour) for node, region in placement.items())
        edges = (self.edge_carbon(fate, *ends, hour) for ends in self._placed_edges(placement))
        waits = (self.waiting_carbon(fate, *ends, hour) for ends in self._placed_waits(placement))
        return sum(nodes) + sum(edges) + sum(waits)

    def node_carbon(self, fate: Fate, node: str, region: str, hour: int) -> float:
        """gCO2eq that depend on the region of one node only; the trigger counts to the entry."""
        total = self._trigger_carbon(fate, region, hour) if node == self.entry else 0.0
        if not fate.ran[node]:
            return total
        seconds = self.duration(fate, node, region)
        total += self._energy(node, region, seconds, fate.cpu_utilization[node]) * self._intensity(region, hour)
        share: float = self.problem["transmission"].get("unattributed_home_share", 0.5)
        unattributed = fate.data_bytes[node] / GB
        total += unattributed * share * self._route(region, self.home, hour)
        total += unattributed * (1.0 - share) * self._route(region, "outside", hour)
        for exchanged in (fate.sent_bytes[node], fate.received_bytes[node]):
            for end, size in exchanged.items():
                total += size / GB * self._route(region, end, hour)
        return total

    def edge_carbon(self, fate: Fate, edge: int, source: str, target: str, hour: int) -> float:
        """gCO2eq that depend on the regions of both ends of one edge."""
        return self._moved_gb(fate, edge) * self._route(source, target, hour) if fate.called[edge] else 0.0

    # -- what is waited for ----------------------------------------------------------------------------------------

    @cached_property
    def waiting_pairs(self) -> list[tuple[str, str]]:
        """Nodes that may wait for another one's region, each with that one."""
        found = {
            (waits, edge["to"])
            for fate in self.fates
            for index, edge in enumerate(self.edges)
            if (waits := self._waits_for(fate, index)) is not None
        }
        return sorted(found)

    def _placed_waits(self, placement: Mapping[str, str]) -> list[tuple[str, str, str, str]]:
        return [(waits, other, placement[waits], placement[other]) for waits, other in self.waiting_pairs]

    def waiting_cost(self, fate: Fate, waits: str, other: str, source: str, target: str) -> float:
        """USD of a node while it waits for another region to take what it sends to a node there."""
        properties = self.nodes[waits]
        price: float = self.problem["prices"][source]["lambda_usd_per_gb_s"][properties["architecture"]]
        memory_gb: float = properties["memory_mb"] / 1024.0
        return self._waited(fate, waits, other, source, target) * price * memory_gb

    def waiting_carbon(self, fate: Fate, waits: str, other: str, source: str, target: str, hour: int) -> float:
        """gCO2eq of a node while it waits for another region to take what it sends to a node there."""
        waited = self._waited(fate, waits, other, source, target)
        return self._energy(waits, source, waited, 0.0) * self._intensity(source, hour)

    def _waits_for(self, fate: Fate, edge: int) -> str | None:
        """The node that waits until a call or decline over an edge is accepted; `None` if none does."""
        if not fate.awaited_round_trips[edge]:
            return None
        node: str = self.edges[edge]["from"]
        while not fate.ran[node]:
            if self.joins[node]:
                return None
            node = self.edges[self.incoming[node][0]]["from"]
        return node

    def _waited(self, fate: Fate, waits: str, other: str, source: str, target: str) -> float:
        """Seconds; first all calls go out together, then all declines, and each counts an equal part of its kind."""
        if source == target:
            return 0.0
        longer = max(0.0, self._round_trip(source, target) - self._round_trip(source, source))
        seconds = 0.0
        for kind in (True, False):
            mine = [
                index
                for index, called in enumerate(fate.called)
                if called == kind and self._waits_for(fate, index) == waits
            ]
            for index in mine:
                if self.edges[index]["to"] == other:
                    size = self._sent_bytes(index, fate.payload_bytes[index]) if kind else 0.0
                    trips = fate.awaited_round_trips[index]
                    late = trips * longer + self._transfer(source, target, size) - fate.slack_s[index]
                    seconds += max(0.0, late) / len(mine)
        return seconds

    def _trigger_carbon(self, fate: Fate, region: str, hour: int) -> float:
        trigger = self.problem["trigger"]
        if region == trigger["region"]:
            return 0.0
        default = self.problem["power"]["cpu_utilization_default"]
        energy = self._energy(self.entry, trigger["region"], trigger["forward_duration_s"], default)
        moved: float = (fate.trigger_bytes + self._envelope) / GB * self._route(trigger["region"], region, hour)
        return energy * self._intensity(trigger["region"], hour) + moved

    def _energy(self, node: str, region: str, seconds: float, utilization: float) -> float:
        power = self.problem["power"]
        memory_mb: float = self.nodes[node]["memory_mb"]
        per_vcpu = power["vcpu_min_kw"] + utilization * (power["vcpu_max_kw"] - power["vcpu_min_kw"])
        kilowatts = memory_mb / power["memory_mb_per_vcpu"] * per_vcpu
        kilowatts += memory_mb / 1024.0 * power["memory_kw_per_gb"]
        pue: float = power.get("pue", {}).get(region, power["pue_default"])
        energy: float = seconds / 3600.0 * kilowatts * pue
        return energy

    def _intensity(self, region: str, hour: int) -> float:
        if region == "outside":
            outside: float = self.problem["outside_intensity_gco2e_per_kwh"]
            return outside
        interval = self.problem.get("intensity_interval") or {"low_factor": 1.0, "high_factor": 1.0}
        factor: float = interval["low_factor" if region == self.home else "high_factor"]
        intensity: float = self.problem["intensity_gco2e_per_kwh"][region][hour]
        return intensity * factor

    def _route(self, source: str, target: str, hour: int) -> float:
        transmission = self.problem["transmission"]
        factor: float = transmission["intra_region_kwh_per_gb" if source == target else "inter_region_kwh_per_gb"]
        interval = transmission.get("interval")
        if interval is not None:
            of_its_own = interval.get("intra_high_factor") if source == target else None
            factor *= interval["high_factor"] if of_its_own is None else of_its_own
        return factor * (self._intensity(source, hour) + self._intensity(target, hour)) / 2.0

    # -- all scenarios ---------------------------------------------------------------------------------------------

    def samples(self, placement: Mapping[str, str], hour: int) -> dict[str, list[float]]:
        """Carbon, cost and run time of every scenario."""
        return {
            "carbon": [self.carbon(fate, placement, hour) for fate in self.fates],
            "cost": [self.cost(fate, placement) for fate in self.fates],
            "runtime": [self.runtime(fate, placement) for fate in self.fates],
        }

    def summaries(self, placement: Mapping[str, str], hour: int) -> dict[str, Summary]:
        """Mean and tail of every metric."""
        return {metric: self.summary(values) for metric, values in self.samples(placement, hour).items()}

    def summary(self, values: list[float]) -> Summary:
        """Mean and tail of a sample."""
        ranked = sorted(values)
        low, estimate, high = order_statistics(len(ranked), self.settings["tail"], self.settings["confidence"])
        return Summary(
            mean=math.fsum(ranked) / len(ranked),
            tail=ranked[estimate - 1],
            tail_upper=None if high is None else ranked[high - 1],
            tail_lower=None if low is None else ranked[low - 1],
        )


@dataclass(frozen=True)
class Summary:
    """Mean, tail percentile and its confidence bounds."""

    mean: float
    tail: float
    tail_upper: float | None
    tail_lower: float | None


def order_statistics(count: int, tail: float, confidence: float) -> tuple[int | None, int, int | None]:
    """Ranks of the percentile's lower bound, estimate and upper bound, from exact binomial coefficients."""
    estimate = max(1, math.ceil(tail * count - 1e-9))
    low = None
    below = 0.0
    for successes in range(count):
        below += math.comb(count, successes) * tail**successes * (1.0 - tail) ** (count - successes)
        if below <= 1.0 - confidence:
            low = successes + 1
        if below >= confidence:
            return low, estimate, successes + 1
    return low, estimate, None


def _quantile(sample: Sample, position: float) -> float:
    target = position * math.fsum(weight for _, weight in sample)
    passed = 0.0
    for value, weight in sample:
        passed += weight
        if passed > target:
            return value
    return sample[-1][0]


def _position(sample: Sample | None, value: float | None, draw: float) -> float:
    if sample is None or value is None:
        return draw
    below = math.fsum(weight for other, weight in sample if other < value)
    equal = math.fsum(weight for other, weight in sample if other == value)
    return (below + draw * equal) / math.fsum(weight for _, weight in sample)
