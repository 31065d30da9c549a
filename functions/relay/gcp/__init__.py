"""Google Cloud's services as the functions use them: channels, publishing, documents, secrets.

Imports the shared modules alone.
"""
