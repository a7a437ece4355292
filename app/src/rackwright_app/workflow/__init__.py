"""Workflows: typed steps, checked before they run, with nothing that opens an address.

Not built on LangGraph: it adds 61 MB to every worker and 40 packages to the archive, among them a client of a
hosted tracing service. Four kinds of steps that only go forward are a loop over a list.
"""
