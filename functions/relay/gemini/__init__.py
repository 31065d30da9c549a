"""Gemini's API, through the google-genai SDK.

Imports the shared modules alone.
"""
