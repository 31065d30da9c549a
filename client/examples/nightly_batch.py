"""A batch each night, its results in a bucket.

    BUCKET=my-results python nightly_batch.py files/my-requests

A second run of the same night waits for the same batch, and finds its results in the bucket. With
the relay's `collect`, the results come into its bucket without the second half of this.
"""

import os
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

import google.auth
import google.auth.transport.requests
import httpx2

from gemini_relay import Job, JobFailed, Jobs

MODEL = "gemini-3-flash-preview"
_SCOPE = "https://www.googleapis.com/auth/devstorage.read_write"
_THERE_ALREADY = 412


def run(jobs: Jobs, src: str, bucket: str, night: str) -> Job:
    """Run the batch of a night, and put its results into a bucket; raises `JobFailed`."""
    job = jobs.wait(jobs.batch(model=MODEL, src=src, key=f"nightly-{night}"))
    if not job.succeeded:
        raise JobFailed(job)
    with tempfile.TemporaryDirectory() as directory:
        for path in jobs.download(job, directory):
            upload(path, bucket, f"batch/{night}/{path.name}")
    return job


def upload(path: Path, bucket: str, name: str) -> None:
    """Put a file into a bucket, unless it is there.

    https://cloud.google.com/storage/docs/json_api/v1/objects/insert
    """
    emulator = os.environ.get("STORAGE_EMULATOR_HOST", "")
    headers = {} if emulator else {"authorization": f"Bearer {_token()}"}
    url = f"{emulator or 'https://storage.googleapis.com'}/upload/storage/v1/b/{bucket}/o"
    query = f"uploadType=media&ifGenerationMatch=0&name={quote(name, safe='')}"
    with path.open("rb") as file:
        reply = httpx2.post(f"{url}?{query}", content=file, headers=headers, timeout=600)
    if reply.status_code != _THERE_ALREADY:
        reply.raise_for_status()


def _token() -> str:
    credentials, _ = google.auth.default(scopes=[_SCOPE])
    credentials.refresh(google.auth.transport.requests.Request())
    return str(credentials.token)


if __name__ == "__main__":
    with Jobs.from_environ() as opened:
        run(opened, sys.argv[1], os.environ["BUCKET"], f"{datetime.now(UTC):%Y-%m-%d}")
