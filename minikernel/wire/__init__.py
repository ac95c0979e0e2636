"""Bytes and messages: no keys, no sockets."""
