"""Measurements that anyone can repeat; modules with a ``main`` are commands."""
