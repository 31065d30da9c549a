"""The receiver: verifies a delivery, has Pub/Sub store it, acknowledges it.

Imports the shared modules, `relay.keys`, `relay.web` and `relay.gcp`; no other hop.
"""
