"""The node: messages in, messages out, and nothing computed in between."""
