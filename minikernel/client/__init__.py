"""The client; the only home of jupyter_client."""
