"""The studio in a terminal: Textual over the protocol. It paints first and connects then."""
