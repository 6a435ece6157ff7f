"""The story from brief to change set, as durable workflows, and the worker process that runs them."""
