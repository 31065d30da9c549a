"""Keys: how they are parsed, loaded and cached (JWKS, signing secrets).

Imports the shared words and `relay.gcp`; no hop.
"""
