"""Noting in the ledger what was done: that went as it went, and must not fail for the sake of its account."""

from __future__ import annotations

from collections.abc import Callable

from multi_x_serverless.adaptation.failure import sentence_and_code
from multi_x_serverless.adaptation.ledger import Ledger
from multi_x_serverless.adaptation.signals import read_signals
from multi_x_serverless.cloud.ports import Cloud
from multi_x_serverless.model.ledger import LedgerEntry
from multi_x_serverless.solving.problem import Signals


def note(
    cloud: Cloud,
    what: str,
    price: Callable[[Signals], LedgerEntry],
    *,
    in_day: bool = False,
    read: Callable[[], Signals] | None = None,
) -> str:
    """Put what something took into the ledger.

    Args:
        what: Was done, for the sentence: "the solve".
        price: Makes the entry by the signals of now.
        in_day: Whether it is added to the entry of its kind and day (see `Ledger.add_to_day`).
        read: Gives the signals, for whoever notes for many and reads them once.

    Returns:
        A sentence if it could not be noted, for whoever tells of what was done; empty if it was.
    """
    try:
        ledger, entry = Ledger(cloud), price(read_signals(cloud) if read is None else read())
        if in_day:
            ledger.add_to_day(entry)
        else:
            ledger.add(entry)
    except Exception as error:  # noqa: BLE001  # also a defect in the account is no failure of what is accounted for
        return f"What {what} took is not in the ledger: {sentence_and_code(error)[0]}"
    return ""
