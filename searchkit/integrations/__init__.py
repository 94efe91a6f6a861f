"""Retrievers for frameworks around language models; each needs the framework of its name."""
