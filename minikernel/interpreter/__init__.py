"""Runs code; knows no message and no socket."""
