"""Put another model into service: prove it beside the old one, move the callers, keep the way back."""
