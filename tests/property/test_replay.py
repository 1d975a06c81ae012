"""Replays of random problems: no policy beats the oracle in any hour, and sums stay sums."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from multi_x_serverless.adaptation.replay.intensities import LEAD_HOURS, Intensities
from multi_x_serverless.adaptation.replay.load import Load
from multi_x_serverless.adaptation.replay.replay import ReplaySettings, replay
from multi_x_serverless.adaptation.replay.results import POLICIES, Replay
from tests.oracles.problems import random_problem
from tests.unit.adaptation.replay.worlds import days

ROUNDING = 1e-9
"""Relative: means of carbon are sums in double precision."""


def random_replay(seed: int, *, limits: bool = False, home_share: float = 0.0) -> Replay:
    problem = random_problem(seed, max_nodes=4, scenarios=60, limits=limits)
    problem["intensity_interval"] = None
    if not limits:
        problem["constraints"] = {"priority_order": ["carbon"]}
    return replay(
        json.dumps(problem).encode(),
        random_intensities(problem, seed),
        Load(np.random.default_rng(seed).integers(0, 5000, 48).astype(float) + 1.0, "random"),
        ReplaySettings(home_share=home_share, solve_cpu_s=0.01, threads=1, hysteresis=0.0),
    )


def random_intensities(problem: dict[str, Any], seed: int) -> Intensities:
    source, stretch = np.random.default_rng(seed), days(2)
    count = len(problem["regions"])
    level = source.uniform(100, 600, (count, 1))
    swing = source.uniform(0, 90, (count, 1)) * np.sin(np.arange(LEAD_HOURS + 48) / 24 * 2 * np.pi)
    values = level + swing + source.normal(0, 40, (count, LEAD_HOURS + 48))
    return Intensities(
        stretch,
        tuple(problem["regions"]),
        np.clip(values, 1.0, None),
        np.ones(values.shape, dtype=np.bool_),
        origins=dict.fromkeys(problem["regions"], "random"),
    )


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000))
def test_nobody_emits_less_than_the_oracle_in_any_hour(seed: int) -> None:
    found = random_replay(seed)
    oracle = found.policy("oracle").hours.carbon_gross_gco2eq
    for policy in POLICIES:
        assert (oracle <= found.policy(policy).hours.carbon_gross_gco2eq * (1 + ROUNDING)).all(), policy


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000), st.floats(0.0, 1.0))
def test_nor_any_planning_policy_that_keeps_as_many_controls(seed: int, share: float) -> None:
    found = random_replay(seed, home_share=share)
    oracle = found.policy("oracle").hours.carbon_gross_gco2eq
    for policy in ("single", "system"):
        assert (oracle <= found.policy(policy).hours.carbon_gross_gco2eq * (1 + ROUNDING)).all(), policy
    assert found.regret_of_forecast() >= -ROUNDING


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000))
def test_whatever_the_limits_sums_are_sums(seed: int) -> None:
    found = random_replay(seed, limits=True, home_share=0.2)
    for name in POLICIES:
        policy = found.policy(name)
        assert policy.carbon.net == policy.carbon.gross + policy.carbon.overhead
        assert policy.carbon.overhead == pytest.approx(sum(part.carbon_gco2eq for part in policy.overhead.values()))
        assert policy.hours.carbon_gross_gco2eq.sum() == pytest.approx(policy.carbon.gross)
        assert sum(policy.region_shares.values()) == pytest.approx(1.0)
        assert policy.runtime_mean_s > 0
        assert policy.runtime_tail_s <= policy.hours.runtime_tail_s.max() * (1 + 1e-6)
    assert found.policy("home").overhead["cold_starts"].carbon_gco2eq == 0.0
    oracle = found.policy("oracle")
    # Where something keeps the hard limits, what the oracle places does; where nothing does, home does not either.
    assert oracle.hours_over_hard_limits == oracle.infeasible_hours
