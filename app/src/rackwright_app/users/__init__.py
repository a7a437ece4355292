"""Who may sign in, and how a page stays signed in."""
