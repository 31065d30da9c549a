"""The referee itself: what Google's discovery documents do not know is found."""

import json

import pytest

from localcloud.controlplane.journal import Exchange
from tests.infra.discovery import Referee

TOPIC = {"name": "projects/p/topics/t", "labels": {"a": "b"}, "messageRetentionDuration": "600s"}
PATH = "/pubsub/v1/projects/p/topics/t"


def exchange(
    method: str = "PUT",
    target: str = PATH,
    content: object = TOPIC,
    answer: object = TOPIC,
    *,
    status: int = 200,
) -> Exchange:
    def encoded(value: object) -> bytes:
        return b"" if value is None else json.dumps(value).encode()

    kind = "application/json"
    sent = (method, target, kind, encoded(content))
    return Exchange(*sent, status, encoded(answer), writes=method != "GET")


def found(one: Exchange) -> str:
    referee = Referee()
    referee(one)
    assert sum(referee.calls.values()) == 1
    return "; ".join(referee.disagreements)


def operation(field: str, value: object) -> dict[str, object]:
    kind = "type.googleapis.com/google.firestore.admin.v1.GoogleFirestoreAdminV1Database"
    return {
        "name": "projects/p/operations/o",
        "done": True,
        "response": {"@type": kind, field: value},
    }


DATABASES = "/firestore/v1/projects/p/databases?databaseId=ledger"
BUCKETS = "/storage/v1/b"
SESSIONS = "/upload/storage/v1/b/results/o?uploadType=resumable"


@pytest.mark.parametrize(
    "one",
    [
        exchange(),
        exchange(target=f"{PATH}?alt=json&prettyPrint=false"),
        exchange("GET", content=None),
        exchange("DELETE", content=None, answer={}),
        exchange(content={**TOPIC, "kmsKeyName": None}),
        exchange("PATCH", f"{PATH}?updateMask=labels", {"topic": TOPIC}),
        exchange("POST", DATABASES, {}, operation("uid", "1")),
        exchange("POST", f"{SESSIONS}&name=a&ifGenerationMatch=0", {"contentType": "a/b"}, None),
        exchange("PUT", f"{SESSIONS}&upload_id=u", "any bytes", {"name": "a"}),
        exchange(
            "POST", f"{BUCKETS}?project=p", {"name": "b"}, {"timeCreated": "2026-01-01T00:00:00Z"}
        ),
        exchange("DELETE", f"{BUCKETS}/b", None, None, status=204),
        exchange("GET", f"{BUCKETS}/b/o/a%2Fb?alt=media", None, None),
        exchange(
            "GET",
            content=None,
            answer={"error": {"code": 404, "status": "NOT_FOUND", "message": "none"}},
            status=404,
        ),
    ],
)
def test_what_google_documents_is_accepted(one: Exchange) -> None:
    assert found(one) == ""


@pytest.mark.parametrize(
    ("one", "finding"),
    [
        (exchange("POST"), "Google has no such method"),
        (exchange(target="/pubsub/v1/projects/p/topic/t"), "Google has no such method"),
        (exchange(status=501), "the local cloud does not answer"),
        (exchange(target=f"{PATH}?mask=a"), "unknown parameter mask"),
        (exchange("POST", f"{SESSIONS}&once=1", {}, None), "unknown parameter once"),
        (exchange("POST", BUCKETS, {"name": "b"}, {}), "the parameter project is missing"),
        (exchange(target=f"{PATH}?prettyPrint=2"), "should be boolean"),
        (exchange(content={"retention": "600s"}), "request has no field retention"),
        (exchange(content={"labels": {"a": 1}}), "request.labels[…] is 1, and should be string"),
        (exchange(content={"messageStoragePolicy": []}), "should be object"),
        (exchange(answer={"state": "RUNNING"}), "which is not among its values"),
        (exchange(answer={"messageRetentionDuration": "10 min"}), "the format google-duration"),
        (exchange(answer={"kmsKeyName": None}), "reply.kmsKeyName is null"),
        (exchange(answer=None), "a reply that is no JSON"),
        (exchange("GET"), "a request with a body, where none is taken"),
        (
            exchange("POST", DATABASES, {}, operation("owner", "me")),
            "is 'me', and should be nothing",
        ),
        (
            exchange("POST", f"{BUCKETS}?project=p", {}, {"timeCreated": "today"}),
            "the format date-time",
        ),
        (exchange("DELETE", f"{BUCKETS}/b", None, {}), "a reply with a body, where none is given"),
        (exchange(answer={}, status=404), "a reply of 404 without an error in it"),
        (exchange(answer={"error": {"code": 400, "message": ""}}, status=404), "has the code 400"),
    ],
)
def test_what_google_does_not_document_is_found(one: Exchange, finding: str) -> None:
    assert finding in found(one)
