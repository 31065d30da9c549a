"""`hooks jobs`: jobs at Gemini started and followed from a terminal, through the client library.

Imports the shared modules of `hooks`, and `gemini_relay`.
"""
