#!/bin/sh
# Claude Code hook: +1 or -1 at the start of a prompt reports how the last routed answer turned out.
#
#   PostToolUse, mcp__routing__*           remembers skill and decision of the answer
#   PostToolUse, mcp__brain__session_log   records that Claude has reported a decision itself
#   UserPromptSubmit, "+1 …" or "-1 …"     runs: routing outcome SKILL pass|fail --decision ID --source human --session S
#
# A decision is reported at most once. The hook never holds up the prompt: it always exits with 0, and reports errors on
# standard error. It needs only python3.
#
#   ROUTING_BIN              the routing binary (default: routing, from PATH)
#   BRAIN_URL, BRAIN_TOKEN   read by `routing outcome`
#   XDG_STATE_HOME           state is kept in $XDG_STATE_HOME/routing (default: ~/.local/state/routing)

umask 077
if ! command -v python3 >/dev/null 2>&1; then
    echo "report-outcome: python3 is not in PATH, nothing was done" >&2
    exit 0
fi

# -I: modules of the project's folder are not used. The program contains no single quote, so that every sh reads it the
# same way.
python3 -I -c '
import fcntl, hashlib, json, os, re, shlex, subprocess, sys, time

UUID = "[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
KEEP_STATE_SECONDS = 30 * 24 * 3600
REPORTED_MAX = 200
OUTCOME_TIMEOUT_SECONDS = 5


def main():
    hook = json.load(sys.stdin.buffer)
    event = hook.get("hook_event_name")
    if event == "PostToolUse":
        skill = str(hook.get("tool_name", "")).rpartition("__")[2]
        if skill == "session_log":
            note_reported_by_claude(hook)
        else:
            remember(hook, skill)
    elif event == "UserPromptSubmit":
        verdict = re.match(r"\s*([+-])1(?!\.?\w)", str(hook.get("prompt", "")))
        if verdict:
            report(hook, "pass" if verdict.group(1) == "+" else "fail")


def remember(hook, skill):
    decision = decision_of(hook.get("tool_response"))
    if decision and re.fullmatch(r"[a-z][a-z0-9_-]{0,47}", skill):
        with State(hook) as state:
            state["last"] = {"skill": skill, "decision": decision}


def decision_of(response):
    """The decision that the server names: in _meta, or in the line after the answer. The answer itself may imitate both."""
    if isinstance(response, dict):
        decisions = (response.get("_meta") or {}).get("routing.hyperguild.io/decisions")
        # An attempt that failed has no answer, even if it was the last one.
        answered = [decision for decision in decisions or [] if not decision.get("error")] or decisions
        last = str(answered[-1].get("id")) if answered else ""
        return last if re.fullmatch(UUID, last) else decision_of(response.get("content"))
    line = ""
    if isinstance(response, list) and len(response) > 1:
        line = str(response[-1].get("text"))
    elif isinstance(response, str):
        # All blocks in one text. The server quotes a line of the answer that starts like its own.
        line = response.rstrip("\n").rpartition("\n")[2]
    found = re.fullmatch("routing: .*; decision_id (" + UUID + r")\. .*", line)
    return found and found.group(1)


def note_reported_by_claude(hook):
    decision = (hook.get("tool_input") or {}).get("decision_id")
    if decision and "nothing was logged" not in json.dumps(hook.get("tool_response")):
        with State(hook) as state:
            state["reported"].append(str(decision))


def report(hook, outcome):
    with State(hook) as state:
        last = state["last"]
        if last is None or last["decision"] in state["reported"]:
            return
        binary = os.environ.get("ROUTING_BIN") or "routing"
        command = [binary, "outcome", last["skill"], outcome, "--decision", last["decision"], "--source=human"]
        # The name is that of the tool that answered, and nobody typed it.
        command.append("--new-skill")
        session = str(hook.get("session_id", ""))
        if session and len(session) <= 256 and session.isprintable():
            command.append("--session=" + session)
        # Recorded before the brain has answered: an outcome that counts twice is worse than a lost one.
        state["reported"].append(last["decision"])
        try:
            done = subprocess.run(
                command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=OUTCOME_TIMEOUT_SECONDS
            )
        except OSError as error:
            state["reported"].pop()
            raise SystemExit(f"{binary} cannot be run ({error.strerror}); set ROUTING_BIN. Nothing was reported")
    if done.returncode != 0:
        raise SystemExit(done.stderr.strip() + "\nTo try again: " + shlex.join(command))
    print("Outcome reported to routing: {} {}, decision {}".format(last["skill"], outcome, last["decision"]))


class State:
    """The state file of a session, locked while it is used."""

    def __init__(self, hook):
        session = str(hook.get("session_id", ""))
        # A session id is used as a file name only if it is a safe one.
        plain = re.fullmatch(r"[A-Za-z0-9_-]{1,100}", session)
        name = session if plain else hashlib.sha256(session.encode("utf-8", "replace")).hexdigest()
        base = os.environ.get("XDG_STATE_HOME") or os.path.expanduser("~/.local/state")
        self.folder = os.path.join(base, "routing")
        self.path = os.path.join(self.folder, name + ".json")

    def __enter__(self):
        os.makedirs(self.folder, exist_ok=True)
        self.forget_old_sessions()
        self.file = open(self.path, "a+", encoding="utf-8")
        fcntl.flock(self.file, fcntl.LOCK_EX)
        self.file.seek(0)
        try:
            self.state = json.loads(self.file.read())
        except ValueError:
            self.state = {"last": None, "reported": []}
        return self.state

    def __exit__(self, *_):
        del self.state["reported"][:-REPORTED_MAX]
        self.file.truncate(0)
        json.dump(self.state, self.file)
        self.file.close()

    def forget_old_sessions(self):
        oldest = time.time() - KEEP_STATE_SECONDS
        for entry in os.scandir(self.folder):
            try:
                if entry.name.endswith(".json") and entry.stat().st_mtime < oldest:
                    os.unlink(entry.path)
            except OSError:
                pass  # Another hook was faster.


try:
    main()
except SystemExit as failure:
    print(f"report-outcome: {failure}", file=sys.stderr)
except Exception as error:
    print(f"report-outcome: {type(error).__name__}: {error}", file=sys.stderr)
'
exit 0
