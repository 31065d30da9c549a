"""The framework's limit for a synchronous function: it does nothing."""

import functions_framework
from flask import Request


@functions_framework.http
def receive(request: Request) -> tuple[str, int, dict[str, str]]:
    request.get_data()
    return '{"status":"received"}', 200, {"content-type": "application/json"}
