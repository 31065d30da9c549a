"""A simulator of the Gemini API's webhooks, with the jobs whose end they announce."""

from hooks.local.gemini.app import Gemini
from hooks.local.gemini.settings import Scheme, Settings

__all__ = ["Gemini", "Scheme", "Settings"]
