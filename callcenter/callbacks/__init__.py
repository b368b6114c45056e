"""Callbacks inside the program: what the settings mean to them, and the one door to them."""
