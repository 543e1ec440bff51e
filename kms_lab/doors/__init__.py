"""Doors: the ways in.

Each turns its own kind of request into a ``Call`` and the answer into its own kind of response.
"""
