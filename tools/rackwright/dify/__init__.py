"""Dify community as the platform runs it: what its containers are told.

`options` is what a site says, `environment` the variables of each service, `containers` their definitions for
`container_service`, `stores` the vector stores that both sides know, `models` the site's models. Names and
meanings of the variables are those of the release's compose file and of the plugin daemon (docs/dify.md).
"""
