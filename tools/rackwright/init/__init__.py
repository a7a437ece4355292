"""A new site: questions and answers turned into an inventory."""
