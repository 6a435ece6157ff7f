"""What crosses the sockets: frames, messages, and how a client finds or starts its host."""
