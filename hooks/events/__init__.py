"""`hooks events`: the ledger's events, listed, shown and replayed.

Imports the shared modules of `hooks`, `hooks.dlq`'s held messages, `relay` and `localcloud.core`.
"""
