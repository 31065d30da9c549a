"""The `webhook-signature` header: a list of entries, none of them trusted."""

MAX_ENTRIES = 16
"""A rotation signs with two or three secrets; entries beyond this many are ignored."""

TOKEN = "jwt"  # noqa: S105 - a scheme's name
"""The kind of an entry that is a bare compact JWT."""


def parse_entries(header: bytes) -> dict[str, list[bytes]]:
    """Return the values by kind, for example `{"v1": [b"…", b"…"], "v1a": [b"…"]}`.

    `header` is ASCII. An entry is `<version>,<value>`, or a compact JWT, which has no version of
    its own and is filed under `jwt`. Malformed and repeated entries are skipped; unknown versions
    are returned for the caller to ignore.

    https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md#signature-scheme
    """
    found: dict[str, list[bytes]] = {}
    for entry in header.split(b" ", MAX_ENTRIES)[:MAX_ENTRIES]:
        version, comma, value = entry.partition(b",")
        if comma:
            kind = version.decode("ascii", "replace")
        elif entry.count(b".") == 2:
            kind, value = TOKEN, entry
        if not value or (comma and kind == TOKEN):
            continue
        values = found.setdefault(kind, [])
        if value not in values:
            values.append(value)
    return found
