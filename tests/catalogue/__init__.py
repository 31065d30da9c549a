"""The event catalogue, `schemas/`: that it is sound, and what is made of it."""
