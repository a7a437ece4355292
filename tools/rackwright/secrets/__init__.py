"""A site's secrets: drawn at random, kept in one vault file per site, rotated one at a time."""
