"""A double of FastChat: modules by the names of the engine's own, so that they are started as the engine is."""
