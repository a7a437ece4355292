"""The site's certificate authority: made once, signs what the hosts ask for, knows what expires when."""
