"""A reconciler over documents in memory, a Gemini that answers as told, and a topic."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from relay.gcp.database import Write
from relay.jobs import documents, names
from relay.jobs.documents import Record
from relay.reconciler.adoption import Adoption
from relay.reconciler.asking import Asking
from relay.reconciler.report import Report
from relay.reconciler.run import Run
from relay.reconciler.settings import Settings
from relay.reconciler.worker import Worker
from tests.support.documents import MemoryDatabase
from tests.support.gemini import API_KEY, Gemini

NOW = datetime(2027, 1, 15, 8, tzinfo=UTC)
TOPIC = "projects/my-project/topics/gemini-webhooks-ingress"
SETTINGS = Settings(ingress_topic=TOPIC, api_key=API_KEY, per_second=100)
TOKEN = "t0ken"


@dataclass
class Topic:
    """A publisher that keeps what it gets; an error in `failure` is raised instead."""

    messages: list[tuple[dict[str, Any], dict[str, str]]] = field(default_factory=list)
    failure: Exception | None = None

    async def publish(
        self, topic: str, data: bytes, attributes: Mapping[str, str], *, timeout: float
    ) -> str:
        assert topic == TOPIC
        assert timeout > 0
        if self.failure:
            raise self.failure
        self.messages.append((json.loads(data), dict(attributes)))
        return str(len(self.messages))

    @property
    def types(self) -> list[str]:
        return [body["type"] for body, _ in self.messages]


@dataclass
class World:
    """Everything around a run; `now` stands still."""

    settings: Settings = SETTINGS
    now: datetime = NOW
    jobs: MemoryDatabase = field(default_factory=MemoryDatabase)
    ledger: MemoryDatabase = field(default_factory=MemoryDatabase)
    topic: Topic = field(default_factory=Topic)
    gemini: Gemini = field(default_factory=Gemini)

    def add(self, kind: str, name: str | None, *, age: float = 1, **fields: Any) -> str:
        """Add a due job that was started that many hours ago, and return its id."""
        job = fields.pop("id", None) or names.key_id(f"{kind} {name} {len(self.names())}")
        started = self.now - timedelta(hours=age)
        given = {
            "kind": kind,
            "name": name,
            "state": "running" if name else "starting",
            "token": TOKEN,
            "metadata": {"team": "blue"},
            "created_at": started,
            "started_at": started if name else None,
            "check_at": self.now,
            "shard": names.shard(job),
        }
        self.jobs.documents.commit([Write(f"jobs/{job}", {**given, **fields})])
        return job

    def deliver(self, subject: str, event_type: str, **fields: Any) -> None:
        """Add an event to the ledger of deliveries."""
        document = f"deliveries/{len(self.ledger.documents.find_all('deliveries'))}"
        given = {"subject": subject, "type": event_type, "state": "done"}
        self.ledger.documents.commit([Write(document, {**given, **fields})])

    def record(self, job: str) -> Record:
        """Return a job's document."""
        return Record.of(job, self.jobs.fields(f"jobs/{job}"))

    def names(self) -> list[str]:
        """Return the ids of all jobs."""
        return self.jobs.documents.find_all("jobs")

    def alias(self, kind: str, name: str) -> str | None:
        """Return the job that a name leads to."""
        found = self.jobs.documents.read(f"job_names/{names.document_id(kind, name)}")
        return documents.alias_job(found.fields) if found else None

    async def run(self, **changes: Any) -> Report:
        """Make a run and return its account."""
        settings = replace(self.settings, **changes)
        asking = Asking(self.gemini.api)
        worker = Worker(settings, self.jobs, self.ledger, self.topic, asking, lambda: self.now)
        adoption = Adoption(self.jobs, lambda: self.now) if settings.adopt else None
        return await Run(settings, self.jobs, asking, worker, adoption, lambda: self.now)()


def batch(name: str = "batches/b1", state: str = "BATCH_STATE_RUNNING", **more: Any) -> Any:
    """Return an answer about a batch; `more` are members of its metadata."""
    return {"name": name, "metadata": {"state": state, "model": "models/flash", **more}}


def video(*uris: str, **made: Any) -> Any:
    """Return an answer about a video that is done."""
    samples = [{"video": {"uri": uri}} for uri in uris]
    response = {"generateVideoResponse": {"generatedSamples": samples, **made}}
    return {"name": "models/veo/operations/o1", "done": True, "response": response}
