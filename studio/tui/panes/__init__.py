"""The six panes: each presents the store with a widget of its own and asks the host for what its keys do."""
