"""The MCP tool `search` as a client calls it: arguments that it does not give have their defaults."""

from searchkit.library import Library
from searchkit.serve.mcp.arguments import read_arguments
from searchkit.serve.mcp.output import Answer
from searchkit.serve.mcp.tools import TOOLS


def search_by_mcp(library: Library, query: str, limit: int) -> Answer:
    """Ask for so many results in all collections."""
    tool = next(tool for tool in TOOLS if tool.name == "search")
    return tool.answer(library, read_arguments(tool.name, tool.arguments, {"query": query, "limit": limit}), ())
