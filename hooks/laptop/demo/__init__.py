"""`hooks demo`: one event of every kind from Gemini to a subscriber, and an account of them all.

Imports the shared modules of `hooks`, and `localcloud`.
"""
