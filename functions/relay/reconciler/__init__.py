"""The reconciler: asks Gemini about jobs whose event has not come, and announces it in its place.

Imports the shared modules, `relay.web`, `relay.gcp`, `relay.gemini` and `relay.jobs`; no other hop.
"""
