"""Replay: what the loop would have saved over a stretch of past intensities; see `replay.replay`."""
