"""A command line around the Python MCP SDK, for the tests: a client that this project did not write.

  mcp_client.py --url URL [--mode auto|legacy] [--token T] COMMAND

Results are JSON on standard output. An error is one line of JSON on standard error,
{"error": "...", "code": ...} (code: of a JSON-RPC error, otherwise null), and exit code 1.
A tool's own error is a result: isError is true, and the exit code 0.
"""

import argparse
import asyncio
import json
import logging
import sys

import httpx2
from mcp.client.client import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.client.subscriptions import ToolsListChanged


class Failure(Exception):
    """An error that is reported in one sentence."""


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", required=True, help="address of the MCP endpoint")
    parser.add_argument("--mode", choices=["auto", "legacy"], default="auto", help="auto: 2026-07-28; legacy: initialize")
    parser.add_argument("--token", help="sent as a bearer token")
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--timeout", type=float, default=60, help="seconds for everything together (60)")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(run, name, help):
        subparser = commands.add_parser(name, help=help, parents=[common])
        subparser.set_defaults(run=run)
        return subparser

    command(list_tools, "list", "prints the tools' names")
    call = command(call_tool, "call", "calls a tool and prints its result")
    call.add_argument("tool")
    call.add_argument("arguments", type=json.loads, metavar="JSON")
    call.add_argument("--progress", action="store_true", help="requests progress; its messages are printed with the result")
    cancel = command(cancel_call, "cancel", "calls a tool, and cancels the call once its first progress message is there and standard input has ended")
    cancel.add_argument("tool")
    cancel.add_argument("arguments", type=json.loads, metavar="JSON")
    listens = command(listen, "listen", "prints CHANGED once the server reports that its tools changed")
    listens.add_argument("--ready-line", action="store_true", help="prints LISTENING once the stream is open")
    log = command(session_log, "session-log", "reports outcomes to a brain")
    log.add_argument("count", type=int, metavar="N")
    log.add_argument("skill")
    log.add_argument("status")
    return parser.parse_args()


async def list_tools(client, _):
    tools = (await client.list_tools()).tools
    return [tool.name for tool in tools]


async def call_tool(client, options):
    messages = []

    async def on_progress(_progress, _total, message):
        messages.append(message)

    callback = on_progress if options.progress else None
    result = await client.call_tool(options.tool, options.arguments, progress_callback=callback)
    return {
        "isError": result.is_error,
        "content": [block_json(block) for block in result.content],
        "structured": result.structured_content,
        "meta": result.meta,
        "progress": messages,
    }


async def cancel_call(client, options):
    began = asyncio.Event()

    async def on_progress(_progress, _total, _message):
        began.set()

    call = asyncio.create_task(client.call_tool(options.tool, options.arguments, progress_callback=on_progress))
    await began.wait()
    await asyncio.to_thread(sys.stdin.read)
    call.cancel()
    try:
        await call
    except asyncio.CancelledError:
        return {"cancelled": True}
    return {"cancelled": False}


def block_json(block):
    block = block.model_dump(mode="json", by_alias=True, exclude_none=True)
    audience = block.pop("annotations", {}).get("audience")
    return block if audience is None else {**block, "audience": audience}


async def listen(client, options):
    async with client.listen(tools_list_changed=True) as subscription:
        if not subscription.honored.tools_list_changed:
            raise Failure("the server does not notify of changed tools")
        if options.ready_line:
            print("LISTENING", flush=True)
        async for event in subscription:
            if isinstance(event, ToolsListChanged):
                print("CHANGED", flush=True)
                return None
    raise Failure("the server closed the stream")


async def session_log(client, options):
    ids = []
    for _ in range(options.count):
        outcome = {"skill": options.skill, "phase": "outcome", "final_status": options.status}
        result = await client.call_tool("session_log", outcome)
        if result.is_error:
            raise Failure(" ".join(block.text for block in result.content if block.type == "text"))
        ids.append((result.structured_content or {}).get("id"))
    return {"logged": len(ids), "ids": ids}


async def run(options):
    headers = {"Authorization": f"Bearer {options.token}"} if options.token else {}
    async with (
        asyncio.timeout(options.timeout),
        httpx2.AsyncClient(headers=headers, timeout=options.timeout) as http,
        Client(streamable_http_client(options.url, http_client=http), mode=options.mode) as client,
    ):
        return await options.run(client, options)


def first(error):
    """The error itself, without the exception groups that task groups wrap it in."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def main():
    options = arguments()
    # Standard error is only for the line of the error.
    logging.disable()
    try:
        outcome = asyncio.run(run(options))
    except Exception as group:
        error = first(group)
        late = isinstance(error, TimeoutError)
        message = f"not done within {options.timeout:g} s" if late else str(error) or type(error).__name__
        print(json.dumps({"error": message, "code": getattr(error, "code", None)}), file=sys.stderr)
        return 1
    if outcome is not None:
        print(json.dumps(outcome))
    return 0


if __name__ == "__main__":
    sys.exit(main())
