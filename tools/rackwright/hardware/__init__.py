"""What machines are made of: facts read by `rackwright scan`, and what they mean."""
