"""What the library reads from the environment."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self
from urllib.parse import urlsplit

from gemini_relay.errors import ConfigurationError

GEMINI = "https://generativelanguage.googleapis.com"

# https://firebase.google.com/docs/firestore/manage-databases#database_name
_DATABASE = re.compile(r"\(default\)|[a-z][a-z0-9-]{2,61}[a-z0-9]")


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Where Gemini and the ledger are. `database` is empty without a ledger."""

    api_key: str = field(repr=False)
    base_url: str = GEMINI
    project: str = ""
    database: str = ""
    emulator: str = ""
    webhook_uris: tuple[str, ...] = ()

    @classmethod
    def of(cls, environ: Mapping[str, str]) -> Self:
        """Read the variables that the README lists; an empty one counts as unset.

        Raises `ConfigurationError`, whose text names the variable and not its value.
        """

        def text(name: str) -> str:
            return environ.get(name, "").strip()

        settings = cls(
            api_key=text("GEMINI_API_KEY"),
            base_url=(text("GOOGLE_GEMINI_BASE_URL") or GEMINI).rstrip("/"),
            project=text("GOOGLE_CLOUD_PROJECT"),
            database=text("JOBS_DATABASE"),
            emulator=text("FIRESTORE_EMULATOR_HOST"),
            webhook_uris=tuple(uri for uri in re.split(r"[,\s]+", text("WEBHOOK_URIS")) if uri),
        )
        settings._check()
        return settings

    def _check(self) -> None:
        if not self.api_key:
            raise ConfigurationError("GEMINI_API_KEY is not set")
        if not urlsplit(self.base_url).hostname:
            raise ConfigurationError("GOOGLE_GEMINI_BASE_URL is not a URL")
        if self.database and not _DATABASE.fullmatch(self.database):
            raise ConfigurationError(
                "JOBS_DATABASE is not a database id: (default), or 4 to 63 lower-case letters,"
                " digits and -; for example JOBS_DATABASE=gemini-jobs"
            )
        if self.database and not self.project:
            raise ConfigurationError("JOBS_DATABASE needs GOOGLE_CLOUD_PROJECT, which is not set")
        for uri in self.webhook_uris:
            if urlsplit(uri).scheme not in {"https", "http"} or not urlsplit(uri).hostname:
                raise ConfigurationError("WEBHOOK_URIS is not a list of https URIs")
