"""The study of spread-out training: see __main__.py."""
