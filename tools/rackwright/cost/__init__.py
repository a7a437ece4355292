"""What a private platform costs beside a rented model: pure functions over a site's own numbers."""
