"""Multi-X-Serverless: serverless workflows that run where carbon, cost or latency is lowest.

This module is the whole surface a workflow's source file needs. It imports only the run-time SDK (standard
library; boto3 lazily), because the same module is packed into every deployed function.

Example:
    >>> from multi_x_serverless import MultiXServerlessWorkflow
    >>> workflow = MultiXServerlessWorkflow(name="hello", version="0.0.1")
    >>> @workflow.serverless_function(name="greet", entry_point=True)
    ... def greet(event):
    ...     return {"hello": event}
"""

from multi_x_serverless.sdk.workflow import MultiXServerlessWorkflow

__all__ = ["MultiXServerlessWorkflow"]
