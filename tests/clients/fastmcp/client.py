"""A command line around fastmcp's client, for the tests.

  client.py URL TOKEN list | call TOOL JSON | cancel TOOL JSON

Prints the result as JSON. call also prints the progress messages; cancel ends the call once its first one is there and
standard input has ended. An error ends it with exit code 1.
"""

import asyncio
import json
import sys

from fastmcp import Client
from fastmcp.client.transports import StreamableHttpTransport

URL, TOKEN, COMMAND, *CALL = sys.argv[1:]


async def list_tools(client):
    return [tool.name for tool in await client.list_tools()]


async def call(client, on_progress):
    tool, arguments = CALL
    return await client.call_tool(tool, json.loads(arguments), progress_handler=on_progress, raise_on_error=False)


async def answered(client):
    messages = []

    async def on_progress(_progress, _total, message):
        messages.append(message)

    result = await call(client, on_progress)
    content = [{"text": block.text} for block in result.content]
    return {"isError": result.is_error, "content": content, "progress": messages}


async def cancelled(client):
    began = asyncio.Event()

    async def on_progress(_progress, _total, _message):
        began.set()

    running = asyncio.create_task(call(client, on_progress))
    await began.wait()
    await asyncio.to_thread(sys.stdin.read)
    running.cancel()
    try:
        return {"answered": str(await running)}
    except asyncio.CancelledError:
        return {"cancelled": "by its caller"}


async def main():
    headers = {"Authorization": f"Bearer {TOKEN}"} if TOKEN else {}
    run = {"list": list_tools, "call": answered, "cancel": cancelled}[COMMAND]
    async with Client(StreamableHttpTransport(URL, headers=headers)) as client:
        print(json.dumps(await run(client)))


try:
    asyncio.run(main())
except Exception as error:
    sys.exit(f"{type(error).__name__}: {error}")
