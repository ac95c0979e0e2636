"""Who said these bytes? No sockets, no clock."""
