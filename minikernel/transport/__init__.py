"""The only home of ZeroMQ."""
