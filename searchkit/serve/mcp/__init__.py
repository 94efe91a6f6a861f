"""The MCP server: how chat programs and agents search what is indexed. Nothing here changes anything."""
