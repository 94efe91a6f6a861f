"""What other programs talk to: over HTTP, and as an MCP server."""
