"""What the attackers do to the network: the lab's only home of ZeroMQ and of sockets."""
