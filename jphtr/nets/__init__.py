"""Nets: gray pixels in, log-probabilities out."""
