"""The embedded cloud: many regions on one machine, without an account.

`LocalCloud` is the whole of it::

    ports (key_value, objects, messages, functions, logs, identity)      what commands and tests call
        |  one SQLite file, bodies of objects beside it (database, schema, state_directory)
        |
    dispatcher   takes queued messages, retries, gives up      <- host() keeps it running
        |
    runtime      pool -> worker (process) <-> runtime_api      AWS's own runtime client runs the real package
        |                    |  output: stdout and stderr become the log
        |                    v
    endpoint     data_operations: how running functions reach the ports, after the round trip between the regions

State survives the process, messages are delivered at least once, `faults` lets all of that go wrong on purpose.
"""

from multi_x_serverless.cloud.local.cloud import LocalCloud
from multi_x_serverless.cloud.local.faults import DeliveryFaults, FaultPlan, OperationFaults, Outage
from multi_x_serverless.cloud.local.settings import LocalSettings

__all__ = ["DeliveryFaults", "FaultPlan", "LocalCloud", "LocalSettings", "OperationFaults", "Outage"]
