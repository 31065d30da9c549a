"""`hooks events`: the ledger's events, listed, shown and replayed.

Imports the shared modules of `hooks`, `relay` and `localcloud.core`.
"""
