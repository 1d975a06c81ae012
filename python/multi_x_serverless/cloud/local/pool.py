"""The worker pool: warm workers are reused, and there are never more than so many."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from multi_x_serverless.cloud.local.worker import Worker
from multi_x_serverless.cloud.ports import FunctionDescription
from multi_x_serverless.errors import CloudError


class WorkerPool:
    """Lends workers. One that is lent runs one invocation and comes back.

    A worker serves the exact specification it was started with; after an update or deletion of its function (`retire`)
    it ends when it comes back.
    """

    def __init__(
        self, start_worker: Callable[[FunctionDescription], Worker], *, maximum_workers: int, grace_s: float
    ) -> None:
        self._start_worker = start_worker
        self._maximum_workers = maximum_workers
        self._grace_s = grace_s
        self._changed = threading.Condition()
        self._idle: list[Worker] = []  # the one that has been idle for longest first
        self._busy: set[Worker] = set()
        self._count = 0  # idle, busy and being started
        self._closed = False

    @contextmanager
    def lend(self, function: FunctionDescription) -> Iterator[Worker]:
        """A worker for this function, warm if there is one, for the time of the block.

        Raises:
            WorkerStartError: A new one was needed and did not start.
            CloudError: The pool is closed, or the package of the function cannot be used.
        """
        worker = self._take(function)
        try:
            yield worker
        finally:
            self._give_back(worker)

    def retire(self, region: str, function: str) -> None:
        """End the idle workers of a function, and the busy ones when they come back."""
        with self._changed:
            retired = [worker for worker in self._idle if _serves(worker, region, function)]
            self._idle = [worker for worker in self._idle if worker not in retired]
            for worker in self._busy:
                if _serves(worker, region, function):
                    worker.is_usable = False
        for worker in retired:
            self._end(worker)

    def kill_busy(self, reason: str) -> None:
        """Kill the workers that run an invocation; it fails with this reason."""
        with self._changed:
            busy = list(self._busy)
        for worker in busy:
            worker.kill(reason)

    def close(self) -> None:
        """End all workers and wait until they are gone."""
        with self._changed:
            self._closed = True
            idle, self._idle = self._idle, []
            self._changed.notify_all()
        self.kill_busy("the embedded cloud is closing")
        threads = [threading.Thread(target=self._end, args=(worker,), daemon=True) for worker in idle]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        with self._changed:
            self._changed.wait_for(lambda: self._count == 0)

    def _take(self, function: FunctionDescription) -> Worker:
        victim: Worker | None = None
        with self._changed:
            while True:
                if self._closed:
                    raise CloudError("the embedded cloud is closed.", operation="invoke", region=function.region)
                warm = self._warm_worker(function)
                if warm is not None:
                    self._busy.add(warm)
                    return warm
                if self._count < self._maximum_workers:
                    self._count += 1
                    break
                if self._idle:
                    victim = self._idle.pop(0)
                    self._count += 1
                    break
                self._changed.wait()
        if victim is not None:
            self._end(victim)
        return self._start(function)

    def _warm_worker(self, function: FunctionDescription) -> Worker | None:
        """Take the worker that was used last, so that those not needed grow old and can go."""
        for worker in reversed(self._idle):
            if worker.function == function and worker.is_alive():
                self._idle.remove(worker)
                return worker
        return None

    def _start(self, function: FunctionDescription) -> Worker:
        try:
            worker = self._start_worker(function)
        except BaseException:
            with self._changed:
                self._count -= 1
                self._changed.notify_all()
            raise
        with self._changed:
            self._busy.add(worker)
            if self._closed:
                worker.kill("the embedded cloud is closing")
        return worker

    def _give_back(self, worker: Worker) -> None:
        with self._changed:
            self._busy.discard(worker)
            if worker.is_alive() and not self._closed:
                self._idle.append(worker)
                self._changed.notify_all()
                return
        self._end(worker)

    def _end(self, worker: Worker) -> None:
        worker.close(self._grace_s)
        with self._changed:
            self._count -= 1
            self._changed.notify_all()


def _serves(worker: Worker, region: str, function: str) -> bool:
    return worker.function.region == region and worker.function.specification.name == function
