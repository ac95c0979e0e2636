"""A bridge: a front end before it, a kernel that somebody else wrote behind it."""
