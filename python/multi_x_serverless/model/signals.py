"""What the outside world is like in a region: carbon intensity, prices, speed and distances.

A collector makes one signal per region and stores it as a document; `solving` reads it back. Every signal
says where its values come from (`source`), which time they describe (`vintage`) and when they were fetched
(`collected_at`, seconds since the epoch, UTC), so that a plan can say what it rests on.
"""

from __future__ import annotations

from typing import TypeAlias

from multi_x_serverless.model.carbon_signal import CarbonSignal
from multi_x_serverless.model.performance_signal import PerformanceSignal
from multi_x_serverless.model.price_signal import PriceSignal
from multi_x_serverless.model.regions import RegionSignal

Signal: TypeAlias = RegionSignal | CarbonSignal | PriceSignal | PerformanceSignal


def known_at(signal: Signal) -> float:
    """Time that what a signal rests on was known, seconds since the epoch: a signal may be made anew of old values.

    Of intensities it is the end of the newest measured hour, of prices when the one was asked for that was not for
    longest.
    """
    if isinstance(signal, CarbonSignal) and signal.measured_until is not None:
        return min(signal.measured_until, signal.collected_at)
    if isinstance(signal, PriceSignal):
        asked = (origin.collected_at for origin in signal.origins.values() if origin.collected_at is not None)
        return min((signal.collected_at, *asked))
    return signal.collected_at
