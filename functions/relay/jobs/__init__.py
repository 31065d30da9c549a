"""What the functions and the client library share of jobs: names, states, documents, decisions.

Pure: the time is passed in, and nothing here reads, writes or calls. No other room is imported.
"""

JOBS = "jobs"
"""The collection of the jobs' documents, in the database `JOBS_DATABASE`."""

JOB_NAMES = "job_names"
"""The collection beside it that knows each job by its names."""

DELIVERIES = "deliveries"
"""The dispatcher's collection of deliveries, in the database `FIRESTORE_DATABASE`."""
