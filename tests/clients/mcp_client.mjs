// A command line around the TypeScript MCP SDKs, for the tests: clients that this project did not write.
//
//   MODULES=FOLDER-WITH-node_modules node mcp_client.mjs URL MODE TOKEN list | call TOOL JSON | cancel TOOL JSON
//
// MODE is auto (2026-07-28), default or legacy (both initialize), v1 (the SDK's first version), or remote (mcp-remote as
// a program beside the client), or connect and connect-v1 (ROUTING_BIN connect as that program). Prints the result as
// JSON; an error ends it with exit code 1. call also prints the progress messages; cancel ends the call once its first
// one is there and standard input has ended, and prints what the caller got.
import { mkdtempSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";

const load = createRequire(`${process.env.MODULES}/`);
const [url, mode, token, command, tool, json] = process.argv.slice(2);
const headers = token === "" ? {} : { Authorization: `Bearer ${token}` };
const beside = { remote, connect, "connect-v1": connect }[mode];
const client = ["v1", "remote", "connect-v1"].includes(mode) ? await first() : await second();
console.log(JSON.stringify(await run()));
await client.close();

async function first() {
  const { Client } = load("@modelcontextprotocol/sdk/client/index.js");
  const client = new Client({ name: "routing-tests", version: "0" });
  const sdk = beside ? load("@modelcontextprotocol/sdk/client/stdio.js") : load("@modelcontextprotocol/sdk/client/streamableHttp.js");
  await client.connect(beside ? beside(sdk) : http(sdk));
  return { ...bound(client), callTool: (call, options) => client.callTool(call, undefined, options) };
}

async function second() {
  const sdk = load("@modelcontextprotocol/client");
  const options = mode === "default" ? undefined : { versionNegotiation: { mode: beside ? "auto" : mode } };
  const client = new sdk.Client({ name: "routing-tests", version: "0" }, options);
  await client.connect(beside ? beside(load("@modelcontextprotocol/client/stdio")) : http(sdk));
  return { ...bound(client), callTool: (call, options) => client.callTool(call, options) };
}

function bound(client) {
  return { listTools: () => client.listTools(), close: () => client.close() };
}

function http({ StreamableHTTPClientTransport }) {
  return new StreamableHTTPClientTransport(new URL(url), { requestInit: { headers } });
}

function connect({ StdioClientTransport }) {
  const env = { ...process.env, ROUTING_MCP_TOKEN: token };
  return new StdioClientTransport({ command: process.env.ROUTING_BIN, args: ["connect", "--url", url], env });
}

function remote({ StdioClientTransport }) {
  const program = `${process.env.MODULES}/node_modules/mcp-remote/dist/proxy.js`;
  const args = [program, url, "--allow-http", ...Object.entries(headers).flatMap(([name, value]) => ["--header", `${name}: ${value}`])];
  // It keeps what it learns of a server below the home folder.
  const env = { ...process.env, MCP_REMOTE_CONFIG_DIR: mkdtempSync(join(tmpdir(), "mcp-remote-")) };
  return new StdioClientTransport({ command: process.execPath, args, env, stderr: "inherit" });
}

async function run() {
  if (command === "list") return (await client.listTools()).tools.map((each) => each.name);
  const call = { name: tool, arguments: JSON.parse(json) };
  return command === "call" ? answered(call) : cancelled(call);
}

async function answered(call) {
  const progress = [];
  const result = await client.callTool(call, { onprogress: ({ message }) => progress.push(message), timeout: 60000 });
  return { ...result, progress };
}

async function cancelled(call) {
  const stop = new AbortController();
  const ended = new Promise((resolve) => process.stdin.resume().once("end", resolve));
  const onprogress = () => ended.then(() => stop.abort("no longer needed"));
  const options = { signal: stop.signal, onprogress, timeout: 60000 };
  try {
    return { answered: await client.callTool(call, options) };
  } catch (error) {
    return { cancelled: String(error.message ?? error) };
  }
}
