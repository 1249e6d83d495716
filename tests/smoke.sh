#!/usr/bin/env bash
# Live smoke test: a real LiteLLM, a real brain, and the data plane between them.
set -euo pipefail

usage() {
  cat <<'TEXT'
Usage: tests/smoke.sh [--output text|json]

Lists the tools, calls each once, and checks that the brain counted the decisions.
Prints one line a step, then PASS, "FAIL: <what>" (exit 1), or "SKIP: <reason>"
(exit 0) when LiteLLM or the brain cannot be reached. Needs curl and python3.

  ROUTING_URL        data plane to test, with or without /mcp; unset: starts one
  ROUTING_BIN        binary to start; unset: routing on PATH
  ROUTING_MCP_TOKEN  token of the data plane
  LITELLM_BASE_URL   default http://piguard:4000
  LITELLM_API_KEY    key of LiteLLM
  BRAIN_URL          default http://koala:30330

A data plane that it starts reads its other variables from the environment, too.
With ROUTING_URL, name the LiteLLM and the brain that this data plane uses.
TEXT
}

readonly DECISIONS=4           # of four calls; a trainer call makes two, so there are more
readonly CONNECT_SECONDS=5     # to connect
readonly PROBE_SECONDS=10      # for an answer of a probe, of the brain, of tools/list
readonly CALL_SECONDS=300      # for a tool call: clients give up then
readonly START_SECONDS=30      # for the data plane to start
readonly BRAIN_SECONDS=15      # for the brain to have counted, after the first 2
readonly END_SECONDS=10        # for the data plane to end

litellm=${LITELLM_BASE_URL:-http://piguard:4000}
brain=${BRAIN_URL:-http://koala:30330}
brain=${brain%/}
token=${ROUTING_MCP_TOKEN:-}
output=text
steps=()
folder=
pid=

# ---- what is printed ----

ok() {
  steps+=("$1")
  if [[ $output == text ]]; then echo "ok $1"; fi
}

finish() { # RESULT REASON EXIT-CODE
  if [[ $output == json ]]; then
    python3 -c 'import json, sys
result, reason, *steps = sys.argv[1:]
outcome = {"result": result, "steps": [{"ok": True, "step": step} for step in steps]}
if result == "FAIL":
    outcome["steps"].append({"ok": False, "step": reason})
if reason:
    outcome["reason"] = reason
print(json.dumps(outcome))' "$1" "$2" ${steps[@]+"${steps[@]}"}
  else
    echo "$1${2:+: $2}"
  fi
  exit "$3"
}

skip() { finish SKIP "$1" 0; }

fail() {
  if [[ -n $folder && -s $folder/log ]]; then
    echo "The last lines of the data plane's log:" >&2
    tail -n 20 "$folder/log" >&2
  fi
  finish FAIL "$1" 1
}

# ---- HTTP and JSON ----

# Sets status (000: no answer), content_type, body and curl_error.
request() { # TOKEN SECONDS CURL-ARGUMENT...
  local bearer=$1 seconds=$2 answer
  shift 2
  # The token comes by standard input, so that the process list does not show it.
  answer=$(printf '%s' "${bearer:+Authorization: Bearer $bearer}" |
    curl -sS -H @- --connect-timeout "$CONNECT_SECONDS" --max-time "$seconds" \
      -w '\n%{http_code} %{content_type}' "$@" 2>"$folder/curl") || true
  curl_error=$(<"$folder/curl")
  body=${answer%$'\n'*}
  answer=${answer##*$'\n'}
  status=${answer%% *}
  content_type=${answer#* }
}

answered() { # what came back, for a reader
  if [[ $status == 000 ]]; then
    echo "${curl_error:-no answer}"
  else
    echo "HTTP $status"
  fi
}

rpc() { # SECONDS JSON
  request "$token" "$1" -X POST "$routing/mcp" -H 'Content-Type: application/json' -d "$2"
}

# Runs Python over the body's JSON, `answer`. What it prints is the result; what begins with "!" is a failure.
from_body() { # PYTHON
  printf '%s' "$body" | python3 -c "import json, sys
answer = json.load(sys.stdin)
$1" 2>/dev/null || echo "!not the expected JSON: ${body:0:300}"
}

read_total() { # WINDOW: sets total, or total_error
  total_error=
  request "" "$PROBE_SECONDS" "$brain/pass-rate?skill=_routing&window=$1"
  if [[ $status == 200 ]]; then
    total=$(from_body 'print(int(answer["total"]))')
    if [[ $total == !* ]]; then total_error=${total#!}; fi
  else
    total_error=$(answered)
  fi
}

# ---- the data plane ----

start() {
  local binary=${ROUTING_BIN:-routing} ports deadline
  if ! command -v "$binary" >/dev/null; then
    fail "there is no $binary: build it with 'cargo build --release' and set ROUTING_BIN to target/release/routing, or set ROUTING_URL to a running one"
  fi
  # Both are held at once, so they differ.
  ports=$(python3 -c 'import socket
sockets = [socket.socket() for _ in range(2)]
for s in sockets:
    s.bind(("127.0.0.1", 0))
print(*(s.getsockname()[1] for s in sockets))')
  routing=http://127.0.0.1:${ports% *}
  # A policy file would override the variables that are probed here.
  env -u ROUTING_POLICY_FILE ROUTING_BIND=127.0.0.1 ROUTING_PORT="${ports% *}" ROUTING_ADMIN_PORT="${ports#* }" \
    LITELLM_BASE_URL="$litellm" BRAIN_URL="$brain" "$binary" >"$folder/log" 2>&1 &
  pid=$!
  deadline=$((SECONDS + START_SECONDS))
  while request "" 2 "$routing/healthz" && [[ $status != 200 ]]; do
    if ! kill -0 "$pid" 2>/dev/null; then fail "the data plane ended while it started"; fi
    if ((SECONDS >= deadline)); then fail "the data plane did not answer /healthz within $START_SECONDS s"; fi
    sleep 0.1
  done
  ok "started $binary on $routing"
}

# shellcheck disable=SC2317,SC2329 # called by the trap
end() {
  if [[ -n $pid ]]; then
    # After SIGTERM it would keep serving for 10 s.
    kill -INT "$pid" 2>/dev/null || true
    local deadline=$((SECONDS + END_SECONDS))
    while kill -0 "$pid" 2>/dev/null && ((SECONDS < deadline)); do sleep 0.1; done
    kill -KILL "$pid" 2>/dev/null || true
    wait "$pid" 2>/dev/null || true
  fi
  if [[ -n $folder ]]; then rm -rf "$folder"; fi
}

# ---- the steps ----

probe() {
  local base=${litellm%/}
  request "${LITELLM_API_KEY:-}" "$PROBE_SECONDS" "${base%/v1}/v1/models"
  # A gateway answers 5xx for a LiteLLM that is down; any other answer has to be the right one.
  if [[ $status == 000 || $status == 5?? ]]; then skip "LiteLLM at $(shown "$litellm") (LITELLM_BASE_URL): /v1/models: $(answered)"; fi
  if [[ $status != 2?? ]]; then fail "LiteLLM at $(shown "$litellm"): /v1/models: $(answered); is LITELLM_API_KEY right?"; fi
  ok "LiteLLM answers /v1/models"
  read_total 1h
  if [[ $status == 000 || $status == 5?? ]]; then skip "the brain at $(shown "$brain") (BRAIN_URL): /pass-rate: $total_error"; fi
  if [[ -n $total_error ]]; then fail "the brain: /pass-rate?skill=_routing&window=1h: $total_error"; fi
  before=$total
  began=$SECONDS
  ok "the brain answers /pass-rate: _routing has $before entries of the last hour"
}

shown() { # URL without its user part
  if [[ $1 =~ ^([a-z]+://)[^/]*@(.*)$ ]]; then echo "${BASH_REMATCH[1]}…@${BASH_REMATCH[2]}"; else echo "$1"; fi
}

check_answer() { # WHAT: the rpc answer is 200, JSON, a result
  if [[ $status != 200 ]]; then fail "$1: $(answered)${body:+: ${body:0:300}}"; fi
  if [[ $content_type != application/json* ]]; then fail "$1: content type $content_type, not application/json"; fi
}

list_tools() {
  local names expected="code_review debug retrospective trainer"
  rpc "$PROBE_SECONDS" '{"jsonrpc":"2.0","id":1,"method":"tools/list"}'
  check_answer tools/list
  names=$(from_body 'print(*sorted(tool["name"] for tool in answer["result"]["tools"]))')
  if [[ $names != "$expected" ]]; then fail "tools/list: ${names#!}; expected $expected"; fi
  ok "tools/list: $names"
}

call_tool() { # NAME ARGUMENTS
  local seen
  rpc "$CALL_SECONDS" '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"'"$1"'","arguments":'"$2"'}}'
  check_answer "$1"
  seen=$(from_body '
result = answer.get("result") or {"isError": True, "content": [{"type": "text", "text": answer["error"]["message"]}]}
for_people = [block for block in result["content"] if block.get("annotations", {}).get("audience") != ["assistant"]]
texts = [block["text"].strip() for block in for_people if block["type"] == "text"]
decisions = result.get("_meta", {}).get("routing.hyperguild.io/decisions", [])
routes = ["{decision} ({model})".format(**decision) for decision in decisions]
if result.get("isError", False):
    print("!" + " ".join(texts).replace("\n", " ")[:500])
elif not texts or not texts[0]:
    print("!an empty answer")
else:
    print(len(texts[0]), "characters from", ", then ".join(routes) or "a model that is not shown")')
  if [[ $seen == !* ]]; then fail "$1: ${seen#!}"; fi
  ok "$1: $seen"
}

counted() { # sets now and grown, or total_error; true when the calls are in the brain's total
  read_total 1h
  if [[ -n $total_error ]]; then return 1; fi
  now=$total
  grown=$((now - before))
  if ((now < DECISIONS)); then return 1; fi
  if ((grown >= DECISIONS)); then return 0; fi
  # Entries of an hour ago may have left that window since. This window begins where the first one began.
  read_total "$((3600 + SECONDS - began + 1))s"
  if [[ -n $total_error ]]; then total_error= && return 1; fi
  grown=$((total - before))
  ((grown >= DECISIONS))
}

check_brain() {
  local deadline=$((SECONDS + 2 + BRAIN_SECONDS))
  sleep 2
  until counted; do
    if ((SECONDS >= deadline)); then
      if [[ -n $total_error ]]; then fail "the brain: /pass-rate?skill=_routing&window=1h: $total_error"; fi
      fail "the brain has $now entries of _routing and had $before before the calls: expected at least $DECISIONS more"
    fi
    sleep 0.5
  done
  ok "the brain has $grown entries of _routing more than before the calls, $now of the last hour"
}

while (($#)); do
  case $1 in
    --output) output=${2:-} && shift "$(($# > 1 ? 2 : 1))" ;;
    --output=*) output=${1#*=} && shift ;;
    -h | --help) usage && exit 0 ;;
    *) echo "unknown argument $1; see --help" >&2 && exit 2 ;;
  esac
done
if [[ $output != text && $output != json ]]; then
  echo "--output must be text or json" >&2
  exit 2
fi

trap end EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
folder=$(mktemp -d)

probe
if [[ -n ${ROUTING_URL:-} ]]; then
  routing=${ROUTING_URL%/}
  routing=${routing%/mcp}
  routing=${routing%/}
else
  start
fi
list_tools
call_tool code_review '{"project_root":"/tmp","files":["README.md"],"session_id":"s"}'
call_tool debug '{"project_root":"/tmp","problem":"text","session_id":"s"}'
call_tool retrospective '{"project_root":"/tmp","session_id":"s"}'
call_tool trainer '{"project_root":"/tmp","session_id":"s"}'
check_brain
finish PASS "" 0
