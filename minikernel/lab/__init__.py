"""Attacks on every scheme, over real sockets, beside what was expected of them."""
