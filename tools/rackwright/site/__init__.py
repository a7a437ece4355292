"""A site: its inventory as Ansible reads it, what its variables mean, and whether they are sound."""
