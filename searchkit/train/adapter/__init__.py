"""Training, choosing and installing a linear adapter."""
