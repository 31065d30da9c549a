"""The dispatcher: claims an event in the ledger and fans it out to every matching route.

Imports the shared modules, `relay.web` and `relay.gcp`; no other hop, no key.
"""
