"""Retrieval: documents are taken apart, kept in pieces, found again and cited."""
