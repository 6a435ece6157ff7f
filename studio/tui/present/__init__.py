"""Pure functions: folded state in, plain widget data out. No Textual app, no loop, no clock of their own."""
