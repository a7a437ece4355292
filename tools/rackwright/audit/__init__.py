"""The audit of a site: what its hosts are like, judged and mapped to what auditors ask."""
