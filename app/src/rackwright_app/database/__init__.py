"""PostgreSQL: the connections, the tables and what is asked of them."""
