"""A laptop's Google Cloud and Gemini: small imitations, exact in what the kit relies on.

Imports nothing of `hooks`, and of `relay` only what it must run.
"""
