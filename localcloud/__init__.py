"""A laptop's Google Cloud and Gemini: small imitations, exact in what the relay relies on.

Imports nothing of `hooks`, and of `relay` only what it must run. Its folders import in one
direction: core, then pubsub, firestore, secretmanager, gemini and runner, which do not know each
other, then controlplane, then laptop.
"""
