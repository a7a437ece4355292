"""What is found on hosts before anything is installed: seen by module `host_preflight`, judged here."""
