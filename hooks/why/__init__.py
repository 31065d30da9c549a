"""`hooks why`: one timeline of one event or job, and the likely cause why nobody heard of it.

Imports the shared modules of `hooks`, `hooks.events`, `hooks.webhook` and `relay`.
"""
