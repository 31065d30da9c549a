"""`hooks dlq`: dead letters, listed, shown, replayed and purged.

Imports the shared modules of `hooks`, `relay` and `localcloud.core`.
"""
