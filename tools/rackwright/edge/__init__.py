"""The edge of a site: what it serves, to whom, and with which certificate."""
