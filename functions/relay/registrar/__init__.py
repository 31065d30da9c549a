"""The registrar: a controller that keeps the webhook at Gemini, and its secret, as declared.

Imports the shared words, `relay.web`, `relay.gcp` and `relay.gemini`; no other hop.
"""
