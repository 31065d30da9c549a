"""Hostile requests in any number against the real receiver, honest deliveries beside them."""
