//! The data plane that the clients use.

use serde_json::{Value, json};
use tests::{
    Policy,
    program::{Program, Running},
    stand_in::models::{Models, Received},
};

use crate::table::{CLIENTS, Client};

pub const TOKEN: &str = "s3cret";

/// A data plane with a skill for each client, so that their calls and records are told apart.
pub struct Served {
    pub models: Models,
    routing: Running,
}

impl Served {
    /// With this local model.
    pub async fn start(local: &str) -> Self {
        let models = Models::start().await;
        let skills: Vec<Value> = CLIENTS.iter().map(|client| skill(client.skill)).collect();
        let tokens = json!([{"name": "me", "secretRef": {"name": "s", "key": "TOKEN"}}]);
        let spec = json!({"skills": skills, "access": {"tokens": tokens}});
        let program = Program::serve_policy(&Policy::at(&models.url()).local(local).spec(spec));
        let program = program.variable("ROUTING_SECRET_VARIABLES", "TOKEN").variable("TOKEN", TOKEN);
        Self { models, routing: program.start().await }
    }

    pub fn url(&self) -> String {
        self.routing.mcp_url()
    }

    pub fn base_url(&self) -> String {
        self.routing.base_url()
    }

    /// The model calls for a client.
    pub fn model_calls(&self, client: &Client) -> Vec<Received> {
        let prompt = format!("{} asks x", client.skill);
        self.models.received().into_iter().filter(|call| call.message(1) == prompt).collect()
    }

    /// How many calls of a skill are recorded as cancelled.
    pub fn cancelled_records(&self, skill: &str) -> usize {
        let log = self.routing.log();
        let records = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let is_one = |record: &Value| {
            record["target"] == "routing::decision" && record["skill"] == skill && record["error"] == "cancelled"
        };
        records.filter(is_one).count()
    }
}

fn skill(name: &str) -> Value {
    let schema = json!({"type": "object", "required": ["text"], "properties": {"text": {"type": "string"}}});
    let stage = json!({"system": {"text": "You answer."}, "user": format!("{name} asks {{{{ args.text }}}}")});
    json!({"name": name, "description": "Answers.", "inputSchema": schema, "stages": [stage]})
}
