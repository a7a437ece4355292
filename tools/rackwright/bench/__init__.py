"""How fast the toolkit is beside a plain shell script that does the same work: `rackwright bench`."""
