"""Authenticated Jupyter messaging: a kernel, a client, and a verdict for every message."""
