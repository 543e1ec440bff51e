"""Widgets: what can be pushed and turned. One file each: a state, a picture of it, and the wiring in ``base``."""
