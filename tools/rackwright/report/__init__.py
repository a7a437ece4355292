"""The weekly report: how a site is, and how its week was, as one page for a meeting."""
