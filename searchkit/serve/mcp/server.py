"""The MCP server: lists the tools, calls them in the pool, and words errors so that a model can act on them."""

import json
import logging
from collections.abc import Sequence
from typing import Any

import mcp_types as types
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel import Server
from mcp.shared.exceptions import MCPError

from searchkit import __version__
from searchkit.display import on_one_line
from searchkit.errors import SearchkitError
from searchkit.serve.mcp.arguments import read_arguments, schema_of
from searchkit.serve.mcp.output import Answer, error_text
from searchkit.serve.mcp.tools import INSTRUCTIONS, TOOLS, Tool
from searchkit.serve.pool import LibraryPool

_log = logging.getLogger(__name__)
_ONLY_READS = types.ToolAnnotations(
    read_only_hint=True, destructive_hint=False, idempotent_hint=True, open_world_hint=False
)


def mcp_server(pool: LibraryPool, collections: Sequence[str] = ()) -> Server[Any]:
    """Return a server whose tools work on the pool's libraries. `collections`: the only ones it shows; none named means all."""
    tools = {tool.name: tool for tool in TOOLS}
    listed = [_listed(tool) for tool in TOOLS]

    async def list_tools(
        _: ServerRequestContext[Any], __: types.PaginatedRequestParams | None
    ) -> types.ListToolsResult:
        return types.ListToolsResult(tools=listed)

    async def call_tool(_: ServerRequestContext[Any], params: types.CallToolRequestParams) -> types.CallToolResult:
        tool = tools.get(params.name)
        if tool is None:
            raise MCPError(types.INVALID_PARAMS, f"There is no tool {params.name[:60]!r}. Tools: {', '.join(tools)}.")
        try:
            return _result(await _call(pool, tool, params.arguments or {}, collections))
        except SearchkitError as error:
            return _failed(error_text(error))
        except Exception as error:  # noqa: BLE001 (the model learns that it failed, the log why)
            _log.exception("%s failed", tool.name)
            return _failed(
                f"{tool.name} failed inside searchkit ({type(error).__name__}); its log says where. Try another query."
            )

    server: Server[Any] = Server(
        "searchkit",
        version=__version__,
        title="searchkit: the user's own files",
        instructions=INSTRUCTIONS,
        on_list_tools=list_tools,
        on_call_tool=call_tool,
    )
    server.middleware = []  # the SDK's own middleware reports each call wherever OpenTelemetry is set up
    return server


async def _call(pool: LibraryPool, tool: Tool, given: dict[str, Any], collections: Sequence[str]) -> Answer:
    values = read_arguments(tool.name, tool.arguments, given)
    return await pool.run(lambda library: tool.answer(library, values, collections))


def _listed(tool: Tool) -> types.Tool:
    return types.Tool(
        name=tool.name,
        title=tool.title,
        description=tool.description,
        input_schema=schema_of(tool.arguments),
        output_schema=dict(tool.output),
        annotations=_ONLY_READS,
    )


def _result(answer: Answer) -> types.CallToolResult:
    """Return the answer both as text, which every client reads, and as structured content."""
    text = json.dumps(answer, ensure_ascii=False)
    return types.CallToolResult(content=[types.TextContent(text=text)], structured_content=answer)


def _failed(message: str) -> types.CallToolResult:
    return types.CallToolResult(content=[types.TextContent(text=on_one_line(message))], is_error=True)
