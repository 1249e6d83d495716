//! What the demo prints once it serves: where everything is, and commands to copy.

/// What is served where.
pub(super) struct Greeting {
    pub(super) mcp: String,
    pub(super) brain: String,
    pub(super) admin: String,
    /// Path of the brain's database.
    pub(super) database: String,
    /// What a user should know about that.
    pub(super) remark: &'static str,
    /// Whether callers need ROUTING_MCP_TOKEN.
    pub(super) with_token: bool,
    /// After how long a report counts at the latest.
    pub(super) ttl_seconds: u64,
    /// Whether reports need BRAIN_TOKEN.
    pub(super) brain_token: bool,
    /// What the models are.
    pub(super) models: &'static str,
}

fn quoted(word: &str) -> String {
    let plain = word.chars().all(|c| c.is_ascii_alphanumeric() || "/._-+".contains(c));
    if plain { word.into() } else { format!("'{}'", word.replace('\'', "'\\''")) }
}

impl Greeting {
    pub(super) fn print(&self) {
        let Self { mcp, brain, admin, database, remark, with_token, ttl_seconds, brain_token, models } = self;
        let token = if *with_token { " -H \"Authorization: Bearer $ROUTING_MCP_TOKEN\"" } else { "" };
        let claude_token = if *with_token { " --header \"Authorization: Bearer $ROUTING_MCP_TOKEN\"" } else { "" };
        let binary =
            std::env::current_exe().map_or_else(|_| "routing".into(), |path| quoted(&path.display().to_string()));
        let brain_token = if *brain_token { "BRAIN_TOKEN=\"$BRAIN_TOKEN\" " } else { "" };
        println!(
            r#"
routing is serving on this machine.

  MCP       {mcp}
  brain     {brain}
  page      {brain}/  where calls go and why; judge answers there
  status    {admin}/status
  models    {models}
  outcomes  {database} ({remark})

Call a skill:
  answer=$(curl -s {mcp} -H 'Content-Type: application/json'{token} -d '{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"debug","arguments":{{"project_root":"/tmp","problem":"It panics on an empty file."}}}}}}'); echo "$answer"

Report that this answer was wrong; after {ttl_seconds} seconds at most that counts for the next call:
  {brain_token}{binary} outcome debug fail --brain-url {brain} --decision "$(echo "$answer" | grep -o 'decision_id [0-9a-f-]*' | cut -d' ' -f2)"

Add it to Claude Code, so that skills read files and changes of the project themselves (docs/connect.md; the plugin of
docs/claude-code.md does the same, and shows each decision):
  claude mcp add routing -- {binary} connect --url {mcp}

Or over HTTP alone:
  claude mcp add --transport http routing {mcp}{claude_token}

Ctrl-C ends it.
"#
        );
    }
}
