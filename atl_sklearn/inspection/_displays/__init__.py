"""Drawings: an object each that remembers what it has drawn."""
