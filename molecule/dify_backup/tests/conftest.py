"""The scenario's machines, and Dify as a browser in the site asks it."""

from dify_pages import browser, machines, sql, variables

__all__ = ["browser", "machines", "sql", "variables"]
