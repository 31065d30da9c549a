"""What every function needs of HTTP: the body, replies, the server, the caller's identity.

Imports the shared modules and `relay.keys`; no hop.
"""
