"""The entry point of every deployed function: ``multi_x_serverless.sdk.lambda_handler.handler``.

Importing this module is the function's initialisation: package and developer's module are loaded here, so that Lambda
counts and accelerates it as such, and a package that does not fit together fails before it gets a message.
"""

from __future__ import annotations

from multi_x_serverless.sdk.application import Answer, Application, LambdaContext

_application = Application.from_environment()


def handler(event: object, context: LambdaContext | None) -> Answer:
    """Handle one event; see `Application.handle`."""
    return _application.handle(event, context)
