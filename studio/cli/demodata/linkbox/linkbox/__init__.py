"""A box for links."""
