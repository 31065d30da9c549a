"""The local cloud: Google's REST control planes, IAM, and the functions that are deployed to it.

May import `core`, `pubsub`, `firestore`, `secretmanager` and `runner`; never `laptop` or `gemini`.

It answers the REST calls that the google Terraform provider makes for `infra/`, in front of the
embedded emulators, and runs the functions that are deployed to it. IAM decides on every gRPC call
of a function, at every function's door, where a token is minted, where a build reads its source,
where Pub/Sub pushes, sets dead letters aside or is given a bucket or a table, and where a service
uses a key. `realism.Realism` says which of Google's delays and refusals are imitated, and whether
IAM decides on REST calls as well.

Not imitated: billing, organisation policies, audit logs, metrics, quotas other than that of CPUs;
operations that take time; scaling (each function has one instance); builds (the archive's code runs
on this machine's packages); encryption (a key must be usable, and is not used); what Pub/Sub writes
to BigQuery and Cloud Storage by itself; the evaluation of alert policies and metrics. Firestore
answers only queries that the declared indexes serve, and applies TTL policies once an hour.
"""

from localcloud.controlplane.cloud import Cloud, Settings

__all__ = ["Cloud", "Settings"]
