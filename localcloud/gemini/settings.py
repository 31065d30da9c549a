"""What Google does not publish about Gemini's webhooks, as settings of the simulator."""

from dataclasses import dataclass
from typing import Literal

Scheme = Literal["v1", "v1a", "jwt", "mixed"]
"""How a delivery is signed; `mixed` is a list with `v1`, `v1a` and a version nobody knows."""

DAY = 24 * 60 * 60


@dataclass(frozen=True, kw_only=True)
class Settings:
    """All thresholds and choices of the simulator; times are in seconds of its clock.

    `time_scale` makes the waits between attempts, the time after which a failing delivery is given
    up, the length of jobs, and how late a webhook is that many times shorter; it touches neither
    timestamps nor the overlap of signing secrets.
    """

    api_keys: frozenset[str] | None = None
    """Accepted API keys; `None` accepts any that is not empty."""
    time_scale: float = 1.0

    ping_event_type: str = "webhook.ping"
    dynamic_scheme: Scheme = "v1a"
    """What signs for `webhook_config.uris`: `v1a` was observed, `jwt` is documented."""
    user_metadata_in: Literal["top", "data"] = "top"
    batch_event_id: Literal["batch_{id}", "batches/{id}", "{id}"] = "batch_{id}"
    announce_cancellations: bool = False
    """Whether jobs that are cancelled send `batch.cancelled` and `interaction.cancelled`."""

    jwt_audience: str | None = None
    """`aud` of a token; `None` puts the endpoint's URL there."""
    jwt_issuer: str = "https://generativelanguage.googleapis.com"
    jwt_lifetime_seconds: int = 300
    jwt_with_jti: bool = True
    jwks_max_age_seconds: int = 3600
    ed25519_keys: int = 3

    attempt_timeout_seconds: float = 10.0
    """How long an endpoint may take to answer: real time, since the network knows no other."""
    retry_initial_seconds: float = 10.0
    retry_multiplier: float = 2.0
    retry_maximum_seconds: float = 3600.0
    retry_for_seconds: float = DAY
    disable_after_failed_attempts: int = 100
    """Failed attempts in a row, over all its deliveries, that disable a registered webhook."""
    secret_overlap_seconds: float = DAY

    job_seconds: float | None = None
    """How long a background job takes; `None`: until a control call ends it."""
    batch_expires_seconds: float = 2 * DAY
    stuck_jobs: float = 0.0
    """The share of jobs, 0 to 1, that the clock never ends."""
    inline_results_shuffled: bool = False
    """Whether the results of a batch of inline requests lose their order and metadata."""
    managed_agent_prefixes: tuple[str, ...] = ("antigravity",)
    environment_seconds: float = 7 * DAY
    """How long the environment of a managed agent is kept."""
    interaction_seconds: float = 55 * DAY
    """How long an interaction is kept: 55 days, or one on the free tier."""
    lookup_lag_seconds: float = 0.0
    """How long a new interaction that runs in the background cannot be found."""
    cancel_lag_seconds: float = 0.0
    """How long a lookup of a cancelled interaction or batch still says that it runs."""
    agents_can_be_cancelled: bool = True
    """Whether `cancel` knows the interactions of agents; else it answers 404 "Method not found"."""
    usage_lag_seconds: float = 0.0
    """How long after its end an interaction shows no `usage`."""

    deltas_without_ids: bool = False
    """Whether the deltas of a stream lack their `event_id`."""
    stream_states_as: Literal["status_update", "completed", "type"] = "status_update"
    """What a stream says of a state other than `completed`: `interaction.status_update`,
    `interaction.completed` with that status for an end, or an event of the type
    `interaction.<status>`, which the SDK does not know."""

    lost_webhooks: float = 0.0
    """The share of jobs' events, 0 to 1, that are never sent."""
    late_webhooks: float = 0.0
    """The share that is sent `late_webhook_seconds` late."""
    doubled_webhooks: float = 0.0
    """The share that is sent twice, under one `webhook-id`."""
    late_webhook_seconds: float = 3600.0
    seed: int = 0
    """Decides which jobs and webhooks the shares strike."""

    file_seconds: float = 2 * DAY
    """How long a file is kept."""
    missing_file_status: Literal[403, 404, 410] = 404
    """What answers for a file that has expired or never was."""
    downloads_redirect: bool = False
    """Whether `…/files/F:download` answers with a redirect to `/download/…`."""
    max_files: int = 10_000
    max_file_bytes: int = 64 << 20
    """The largest file that can be uploaded."""

    omit_times: bool = False
    """Leaves times out of the replies of WebhookService, as has been seen."""

    max_webhooks: int = 10_000
    max_jobs: int = 10_000
    max_deliveries_kept: int = 20_000
    max_concurrent_attempts: int = 64
    max_requests_kept: int = 5_000
    max_body_bytes: int = 4 << 20
