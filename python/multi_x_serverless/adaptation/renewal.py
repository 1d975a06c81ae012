"""When a plan is due to be renewed."""

from __future__ import annotations

from multi_x_serverless.model.plan import Plan
from multi_x_serverless.model.units import DAY_S

RENEW_BEFORE_S = DAY_S
"""A plan that expires within a day counts as none: it is compared with going home, and so renewed while it pays."""


def renewal_at(plan: Plan) -> float:
    """From when on a plan counts as none, in seconds since the epoch."""
    return plan.expires_at - RENEW_BEFORE_S
