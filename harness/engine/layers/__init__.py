"""Parts that model families are built from: linear maps, attention, layers, decoders."""
