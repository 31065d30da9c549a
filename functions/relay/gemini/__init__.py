"""Gemini's API over HTTP: the client, and the services that are called through it.

Imports the shared modules alone.
"""
