"""What runs inside a deployed function: standard library and (lazily) boto3, nothing else of the package.

=================== ===============================================================================================
what developers use `workflow`, `predecessors`, `errors`
shared formats      `manifest` (what a function knows of its workflow), `envelope` and `payload` (messages between
                    functions), `plan_replica` (the plan as functions read it), `records` (what functions log),
                    `tables` and `dynamodb_items` (run-time state), `environment` (variables of a function)
a function          `lambda_handler` -> `application` (package, events, entry) -> `routing` (where a run goes),
                    `execution` (one node) -> `node_run`, `call_sites`, `sending`, `joins`
the rules           `protocol`: what follows from what in a run, without I/O
the clouds          `backend` (what is needed), `local_backend`, `aws_backend`
measuring           `telemetry`, `network`
=================== ===============================================================================================
"""
