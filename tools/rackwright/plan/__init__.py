"""What a run of `apply` would change, told before it is done."""
