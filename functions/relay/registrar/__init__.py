"""The registrar: a controller that keeps the webhook at Gemini, and its secret, as declared.

Imports the shared modules, `relay.web`, `relay.gcp` and `relay.gemini`; no other hop.
"""
