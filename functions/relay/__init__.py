"""The relay: from a signed Gemini delivery to a clean stream of events on Pub/Sub."""
