"""Start a long job at Gemini once, and be told once how it ended.

Imports of the functions `relay.jobs` alone, which its wheel carries.
"""

from gemini_relay.asynchronous import AsyncJobs
from gemini_relay.errors import (
    ConfigurationError,
    JobFailed,
    JobsError,
    KeyTaken,
    NotFound,
    Refused,
    StartUnknown,
    Unavailable,
    WaitTimeout,
)
from gemini_relay.job import Job
from gemini_relay.synchronous import Jobs

__all__ = [
    "AsyncJobs",
    "ConfigurationError",
    "Job",
    "JobFailed",
    "Jobs",
    "JobsError",
    "KeyTaken",
    "NotFound",
    "Refused",
    "StartUnknown",
    "Unavailable",
    "WaitTimeout",
]
