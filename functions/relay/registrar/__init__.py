"""The registrar: a controller that keeps the webhook at Gemini, and its secret, as declared.

Imports the shared words, `relay.web` and `relay.gcp`; no other hop.
"""
