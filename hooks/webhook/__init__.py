"""`hooks webhook`: the webhooks at Gemini, and the place that keeps their signing secrets.

Imports the shared modules of `hooks` and `relay`.
"""
