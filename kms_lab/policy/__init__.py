"""Who may use a key: pure functions from policies and a request to a verdict that explains itself."""
