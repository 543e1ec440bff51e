"""Nouns and physics: what exists in the lab. No I/O, no wall clock, no global state."""
