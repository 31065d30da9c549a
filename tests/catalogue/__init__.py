"""The event catalogue, `schemas/`: that it is sound, and the table that the docs show of it."""
