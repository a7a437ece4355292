"""What Traefik is told of a site's edge, in the words of its file provider (routing configuration)."""
