"""Which NVIDIA driver a machine gets: a pure function over its facts and the site's wishes."""
