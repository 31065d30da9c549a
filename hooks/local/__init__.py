"""The laptop stack: embedded emulators, a Gemini simulator and the functions themselves."""
