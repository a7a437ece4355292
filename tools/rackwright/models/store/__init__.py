"""The store of models' files: fetched once, checked, shared by models and engines."""
