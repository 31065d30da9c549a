"""The usual handler: a synchronous function that verifies, publishes, and waits for the result."""

import os

import functions_framework
from flask import Request
from google.cloud.pubsub_v1 import PublisherClient
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

webhook = Webhook(os.environ["WEBHOOK_SIGNING_SECRET"])
topic = os.environ["INGRESS_TOPIC"]
clients: list[PublisherClient] = []


def publisher() -> PublisherClient:
    # Not at import: the framework forks its worker afterwards, which gRPC does not survive.
    if not clients:
        clients.append(PublisherClient())
    return clients[0]


@functions_framework.http
def receive(request: Request) -> tuple[dict[str, str], int]:
    body = request.get_data()
    try:
        webhook.verify(body, dict(request.headers))
    except WebhookVerificationError:
        return {"error": "refused"}, 401
    attributes = {"webhook-id": request.headers["webhook-id"]}
    publisher().publish(topic, body, **attributes).result(timeout=10)
    return {"status": "received"}, 200
