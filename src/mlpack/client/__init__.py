"""Talks HTTP to a deployment: one request of mlpack.yaml, a load of them, or a wait for health; compares answers."""
