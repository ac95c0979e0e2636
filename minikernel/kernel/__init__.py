"""The kernel: requests in, effects out."""
