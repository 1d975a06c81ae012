"""What plans saved, what that took, and what is left, on a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from multi_x_serverless.cli.output import write_tables
from multi_x_serverless.cli.session import Settings
from multi_x_serverless.report.savings_tables import net_parts

if TYPE_CHECKING:
    from multi_x_serverless.adaptation.net_savings import NetSaving


def show_net(settings: Settings, net: NetSaving) -> None:
    """Gross, overhead and net: expected beside observed."""
    write_tables(settings, net_parts(net))
