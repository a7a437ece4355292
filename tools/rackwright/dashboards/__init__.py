"""Dashboards for Grafana, as data: what is asked, how it is shown, and what a site needs for it."""
