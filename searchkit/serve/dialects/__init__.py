"""The routes of the HTTP server: a module for each dialect."""
