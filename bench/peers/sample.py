"""The documentation's sample: a synchronous function that verifies, and publishes nothing."""

import os

import functions_framework
from flask import Request
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

webhook = Webhook(os.environ["WEBHOOK_SIGNING_SECRET"])


@functions_framework.http
def receive(request: Request) -> tuple[dict[str, str], int]:
    try:
        webhook.verify(request.get_data(), dict(request.headers))
    except WebhookVerificationError:
        return {"error": "refused"}, 401
    return {"status": "received"}, 200
