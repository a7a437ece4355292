"""The page that the edge serves: ours, or a customer's own static build, as one archive."""
