"""Views: what can be read from a world's log and keys. Pull only; nothing here keeps an account of its own."""
