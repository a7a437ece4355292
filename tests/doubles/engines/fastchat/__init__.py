"""A double of FastChat, by the names of the engine's own modules: it is started as the engine is."""
