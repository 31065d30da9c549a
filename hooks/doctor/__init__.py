"""`hooks doctor`: one check for each thing that must hold between Gemini and a subscriber.

Imports the shared modules of `hooks`, `hooks.webhook`, and `relay`.
"""
