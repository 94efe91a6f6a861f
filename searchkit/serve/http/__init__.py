"""The HTTP server: application, lifespan, and the middleware around it."""
