"""What the batch blocks run on the target: standard library only, Python 3.10 and later."""
