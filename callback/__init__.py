"""Callbacks: customers who keep their place in line, or choose a time, and are rung up.

A leaf: it knows nothing of queues, calls or telephones but by name and by its ports.
"""
