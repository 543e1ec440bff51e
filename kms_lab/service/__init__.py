"""The corridor: one call passes the gates, reaches its handler and leaves one entry in the log."""
