// A command line around the TypeScript MCP SDK, for the tests: a client that this project did not write.
//
//   MODULES=FOLDER-WITH-node_modules node mcp_client.mjs URL MODE TOKEN list | call TOOL JSON
//
// MODE is auto (2026-07-28) or legacy (initialize). Prints the result as JSON; an error ends it with exit code 1.
import { createRequire } from "node:module";

const { Client, StreamableHTTPClientTransport } = createRequire(`${process.env.MODULES}/`)("@modelcontextprotocol/client");

const [url, mode, token, command, tool, json] = process.argv.slice(2);
const headers = token === "" ? {} : { Authorization: `Bearer ${token}` };
const client = new Client({ name: "routing-tests", version: "0" }, { versionNegotiation: { mode } });
await client.connect(new StreamableHTTPClientTransport(new URL(url), { requestInit: { headers } }));
const result =
  command === "list"
    ? (await client.listTools()).tools.map((each) => each.name)
    : await client.callTool({ name: tool, arguments: JSON.parse(json) });
console.log(JSON.stringify(result));
await client.close();
