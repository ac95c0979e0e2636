"""The only home of jupyter_client: launches kernels, talks to them, verifies what they say."""
