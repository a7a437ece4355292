"""What is judged to be wrong with a site, and who is told."""
