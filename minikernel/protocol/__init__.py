"""Sans-I/O state machines."""
