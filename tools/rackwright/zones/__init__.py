"""The zones of a site, tried from every host."""
