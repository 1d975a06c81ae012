"""Delivers queued messages to their functions: when they are due, so many at once, again if it failed."""

from __future__ import annotations

import heapq
import json
import threading
import time
import uuid
from collections.abc import Callable, Collection
from datetime import datetime, timezone

from multi_x_serverless.cloud.local.database import Database
from multi_x_serverless.cloud.local.faults import FaultInjector
from multi_x_serverless.cloud.local.functions import LocalFunctionService
from multi_x_serverless.cloud.local.logs import LocalLogService
from multi_x_serverless.cloud.local.messages import (
    NO_TOPIC,
    LocalMessageService,
    QueuedMessage,
    QueueEntry,
    topic_id,
)
from multi_x_serverless.cloud.local.runtime import LocalRuntime
from multi_x_serverless.cloud.local.settings import LocalSettings
from multi_x_serverless.cloud.local.worker import Worker
from multi_x_serverless.cloud.ports import InvocationResult

_OUTAGE_LOOK_S = 0.1  # a message for a region that is out is looked at again after this time


class Dispatcher:
    """Delivers while it is open. One thread looks at the queue, each delivery has its own.

    The queue in the database is the truth; the heap here only knows what is due when. A message leaves the database
    when its function has answered, in the transaction that also writes the log of the invocation.
    """

    def __init__(
        self,
        database: Database,
        messages: LocalMessageService,
        functions: LocalFunctionService,
        logs: LocalLogService,
        runtime: LocalRuntime,
        faults: FaultInjector,
        settings: LocalSettings,
        *,
        time_scale: float,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._database = database
        self._messages = messages
        self._functions = functions
        self._logs = logs
        self._runtime = runtime
        self._faults = faults
        self._settings = settings
        self._time_scale = time_scale
        self._clock = clock
        self._changed = threading.Condition()
        self._due: list[tuple[float, int, QueueEntry]] = []
        self._known: set[int] = set()  # queued or being delivered
        self._dropped: set[int] = set()  # deliveries that the fault plan has lost once
        self._active = 0
        self._stopping = False
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="dispatcher", daemon=True)

    def open(self) -> None:
        """Begin to deliver, first of all what was left over."""
        self._messages.listen(self)
        for entry in self._messages.entries():
            self.enqueue(entry)
        self._thread.start()

    def close(self) -> None:
        """Deliver no more; what is under way gets a moment to end, then it is interrupted and stays queued."""
        self._messages.listen(None)
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
            ended = self._changed.wait_for(lambda: self._active == 0, self._settings.termination_grace_s)
        if not ended:
            self._runtime.kill_busy("the host was closed")
        with self._changed:
            self._changed.wait_for(lambda: self._active == 0)
        if self._thread.ident is not None:  # it was started
            self._thread.join()

    def wake(self) -> None:
        """Look again whether there is room for a delivery."""
        with self._changed:
            self._changed.notify_all()

    def wait_until_idle(self, timeout_s: float) -> bool:
        """Wait until no message is queued or being worked on; `False` on time-out."""
        limit_s = min(timeout_s, threading.TIMEOUT_MAX)
        with self._changed:
            idle = self._changed.wait_for(lambda: self._failure is not None or not self._known, limit_s)
            if self._failure is not None:
                raise self._failure
            return idle

    def pending(self) -> int:
        """Messages queued or being worked on."""
        with self._changed:
            return len(self._known)

    def enqueue(self, entry: QueueEntry) -> None:
        """Deliver a message when it is due."""
        with self._changed:
            if entry.id not in self._known:
                self._known.add(entry.id)
                heapq.heappush(self._due, (entry.available_at, entry.id, entry))
                self._changed.notify_all()

    def forget(self, entry_ids: Collection[int]) -> None:
        """Deliver messages no more; a delivery that is under way ends first, and is waited for."""
        with self._changed:
            waiting = {entry_id for _, entry_id, _ in self._due}.intersection(entry_ids)
            self._due = [due for due in self._due if due[1] not in waiting]
            heapq.heapify(self._due)
            self._known -= waiting
            self._dropped -= waiting
            self._changed.notify_all()

    def _requeue(self, entry: QueueEntry) -> None:
        with self._changed:
            heapq.heappush(self._due, (entry.available_at, entry.id, entry))
            self._changed.notify_all()

    def _end(self, entry_id: int) -> None:
        with self._changed:
            self._known.discard(entry_id)
            self._dropped.discard(entry_id)
            self._changed.notify_all()

    def _run(self) -> None:
        try:
            self._schedule()
        except BaseException as error:  # noqa: BLE001  # handed to whoever waits for the queue
            self._fail(error)

    def _fail(self, error: BaseException) -> None:
        with self._changed:
            self._failure = error
            self._changed.notify_all()

    def _schedule(self) -> None:
        with self._changed:
            while not self._stopping:
                now = self._clock()
                if not self._due:
                    self._changed.wait()
                elif self._due[0][0] > now:
                    self._changed.wait(min(self._due[0][0] - now, threading.TIMEOUT_MAX))
                elif not self._has_room():
                    self._changed.wait()
                else:
                    _, _, entry = heapq.heappop(self._due)
                    self._begin(entry, now)

    def _has_room(self) -> bool:
        computing = self._active - self._runtime.endpoint.waiting_callers()
        return computing < self._settings.concurrency and self._active < self._settings.maximum_workers

    def _begin(self, entry: QueueEntry, now: float) -> None:
        """Start one delivery, or put it off. Called with the lock held."""
        delay_s = self._put_off(entry)
        if delay_s > 0:
            later = QueueEntry(entry.id, entry.region, entry.function, now + delay_s)
            heapq.heappush(self._due, (later.available_at, later.id, later))
            return
        self._active += 1
        threading.Thread(target=self._deliver, args=(entry,), name=f"delivery-{entry.id}", daemon=True).start()

    def _put_off(self, entry: QueueEntry) -> float:
        """Seconds for which the region or the fault plan withholds a delivery that is due."""
        if self._faults.region_is_out(entry.region):
            return _OUTAGE_LOOK_S
        faults = self._faults.plan.delivery
        if entry.id not in self._dropped and self._faults.happens("drop", faults.drop):
            self._dropped.add(entry.id)
            return faults.redelivery_s
        return 0.0

    def _deliver(self, entry: QueueEntry) -> None:
        try:
            message = self._messages.read(entry.id)
            again = None if message is None else self._attempt(message)
            if again is None:
                self._end(entry.id)
            else:
                self._requeue(again)
        except BaseException as error:  # noqa: BLE001  # handed to whoever waits for the queue
            self._fail(error)
        finally:
            with self._changed:
                self._active -= 1
                self._changed.notify_all()

    def _attempt(self, message: QueuedMessage) -> QueueEntry | None:
        """Deliver once; what comes back is to be delivered again."""
        result = self._invoke(message)
        if result.error is not None and self._stopping:
            # The worker was killed because the host closes: no fault of the message, it keeps its attempts.
            return QueueEntry(message.id, message.region, message.function, self._clock())
        with self._database.transaction("deliver") as connection:
            self._logs.write_pending(connection)
            if result.error is None:
                self._messages.acknowledge(connection, message)
                return None
            if message.attempts < len(self._settings.retry_delays_s):
                delay_s = self._settings.retry_delays_s[message.attempts] * self._time_scale
                return self._messages.retry(connection, message, delay_s)
            self._messages.give_up(connection, message, result.error)
            return None

    def _invoke(self, message: QueuedMessage) -> InvocationResult:
        function = self._functions.find(message.region, message.function)
        if function is None:
            return InvocationResult(b"", f"there is no function '{message.function}' in {message.region}", 0.0)
        # The id stays the same over the retries of a message, as Lambda's does.
        request_id = str(uuid.uuid5(uuid.UUID(message.message_id), str(message.id)))
        may_be_crashed = message.attempts < self._faults.plan.delivery.crashed_attempts
        timers: list[threading.Timer] = []

        def take_worker(worker: Worker) -> None:
            worker.may_be_crashed = may_be_crashed
            if self._stopping:  # the worker was being started while the host closed
                worker.kill("the host was closed")
            faults = self._faults.plan.delivery
            if may_be_crashed and self._faults.happens("crash", faults.crash):
                delay_s = self._faults.draw("crash_delay") * faults.crash_within_s
                reason = "killed by the fault plan (delivery.crash)"
                timer = threading.Timer(delay_s, worker.kill, (reason,), {"request_id": request_id})
                timer.daemon = True
                timer.start()
                timers.append(timer)

        try:
            event = message.body if message.topic == NO_TOPIC else sns_event(message)
            return self._runtime.run(function, request_id, event, take_worker=take_worker)
        finally:
            for timer in timers:
                timer.cancel()


def sns_event(message: QueuedMessage) -> bytes:
    """The event that Lambda makes of a message from SNS."""
    published = datetime.fromtimestamp(message.published_at, tz=timezone.utc)
    topic = topic_id(message.region, message.topic)
    subscription = uuid.uuid5(uuid.NAMESPACE_URL, f"{topic}:{message.function}")
    record = {
        "EventSource": "aws:sns",
        "EventVersion": "1.0",
        "EventSubscriptionArn": f"{topic}:{subscription}",
        "Sns": {
            "Type": "Notification",
            "MessageId": message.message_id,
            "TopicArn": topic,
            "Subject": None,
            "Message": message.body.decode("utf-8"),
            "Timestamp": published.strftime("%Y-%m-%dT%H:%M:%S.") + f"{published.microsecond // 1000:03d}Z",
            "MessageAttributes": {},
        },
    }
    return json.dumps({"Records": [record]}, separators=(",", ":")).encode()
