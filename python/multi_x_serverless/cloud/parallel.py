"""Many requests to a cloud at once, so many and no more."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from typing import TypeVar

Result = TypeVar("Result")

PARALLEL_STEPS = 8
"""Steps at once: enough to hide the time of a round trip, few enough for the rates of AWS's control planes."""


def run_all(steps: Sequence[Callable[[], Result]], *, limit: int | None = None) -> list[Result]:
    """Results of all steps in their order; after a failure no further step is started.

    Args:
        steps: What to do.
        limit: Steps at once; `PARALLEL_STEPS` by default.

    Raises:
        Exception: What the first of the failed steps raised; those under way have ended.
    """
    threads = min(limit or PARALLEL_STEPS, len(steps))
    if threads <= 1:
        return [step() for step in steps]
    with ThreadPoolExecutor(threads, thread_name_prefix="cloud") as pool:
        futures = [pool.submit(step) for step in steps]
        wait(futures, return_when=FIRST_EXCEPTION)
        for future in futures:
            future.cancel()
    failed = [future for future in futures if not future.cancelled() and future.exception() is not None]
    if failed:
        return [failed[0].result()]
    return [future.result() for future in futures]
