"""Reusable Textual widgets: plain data in, messages out. They know `themes`, never the studio."""
