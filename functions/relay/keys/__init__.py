"""Keys: how they are parsed, loaded and cached (JWKS, signing secrets).

Imports the shared modules and `relay.gcp`; no hop.
"""
