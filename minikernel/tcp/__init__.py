"""Plain TCP, for the one-time challenge alone: no Jupyter and no ZeroMQ."""
