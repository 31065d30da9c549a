"""The local cloud: Google's REST control planes, IAM, and the functions that are deployed to it.

May import `core`, `pubsub`, `firestore`, `secretmanager` and `runner`; never `laptop` or `gemini`.

It answers the REST calls that the google Terraform provider makes for `infra/`, in front of the
embedded emulators, and runs the functions that are deployed to it. IAM is enforced: on every gRPC
call of a function, at every function's door, where a token is minted, where a build reads its
source, where Pub/Sub pushes, sets dead letters aside or is given a bucket or a table, and where a
service uses a key. Calls of the REST APIs themselves are the deployer's, who owns the project.

It does not imitate: billing, quotas, organisation policies, audit logs and metrics; delays (every
operation is done when it is answered, and every grant counts at once); scaling (one instance of
each function); builds (the archive's own code runs on this machine's packages); encryption (a key
must be usable, and is not used); what Pub/Sub writes to BigQuery and Cloud Storage by itself;
alert policies' and metrics' evaluation. Firestore answers only queries that the declared indexes
serve, and expires by its TTL policies once an hour.
"""

from localcloud.controlplane.cloud import Cloud, Settings

__all__ = ["Cloud", "Settings"]
