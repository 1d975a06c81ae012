"""Joins in their smallest form: two calls of the same sync node, and a sync node that feeds another.

    initial_function --execute_1--> sync_function ------> second_sync_function
    initial_function --execute_2--> sync_function             ^
    initial_function --execute_3------------------------------+

`sync_function` runs if and only if `execute_1` or `execute_2`, `second_sync_function` if and only if any of the three.
"""

from multi_x_serverless import MultiXServerlessWorkflow

workflow = MultiXServerlessWorkflow(name="small_sync_example", version="0.0.1")


@workflow.serverless_function(name="initial_function", entry_point=True)
def initial_function(event):
    """Make each call on demand: `{"execute_1": true, "execute_2": false, "execute_3": true}`."""
    workflow.invoke_serverless_function(sync_function, "first", bool(event["execute_1"]))
    workflow.invoke_serverless_function(sync_function, "second", bool(event["execute_2"]))
    workflow.invoke_serverless_function(second_sync_function, "third", bool(event["execute_3"]))


@workflow.serverless_function(name="sync_function")
def sync_function():
    """Join the first two calls."""
    joined = workflow.get_predecessor_data()
    workflow.invoke_serverless_function(second_sync_function, {"sync_function": joined})
    return joined


@workflow.serverless_function(name="second_sync_function")
def second_sync_function():
    """Join what came directly and what came through the first join."""
    return workflow.get_predecessor_data()
