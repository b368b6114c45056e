"""A self-hosted voice call center: calls, queues, agents, live transcripts and exact figures."""

__version__ = "0.1.0"
