"""AppArmor profiles of the platform's services: what each needs, as data, and the text made of it."""
