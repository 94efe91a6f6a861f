"""ASGI middleware: access, rate limits, errors."""
