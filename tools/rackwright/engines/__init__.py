"""What a site says of its engines, turned into what containers are told: files, arguments, environment."""
