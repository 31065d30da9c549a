"""The deployed code: a folder for each hop, the folders that hops share, and the shared modules.

The shared modules are `environment`, `errors` and `log`. Imports nothing of `hooks`, `localcloud`.
"""
