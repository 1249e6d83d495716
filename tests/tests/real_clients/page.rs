//! `docs/clients.md` is the table.

use std::fmt::Write;

use tests::{checkout, pages};

use crate::table::{CLIENTS, Client, Deed, Shown};

impl Client {
    /// As its file pins it.
    fn version(&self) -> String {
        let (file, before) = self.pin;
        let text = std::fs::read_to_string(checkout().join(file)).unwrap_or_else(|error| panic!("{file}: {error}"));
        let version = text.lines().find_map(|line| line.trim().strip_prefix(before));
        let version = version.unwrap_or_else(|| panic!("{file} has no line with {before}"));
        version.chars().take_while(|c| c.is_ascii_digit() || *c == '.').collect()
    }
}

fn cell(shown: &Shown) -> String {
    match shown {
        Shown::Here | Shown::By(_) => "yes".into(),
        Shown::Not(why) => format!("no: {why}"),
    }
}

fn rendered() -> String {
    let titles: Vec<&str> = Deed::ALL.iter().map(|deed| deed.title()).collect();
    let mut page = format!("| client | version | protocol | {} |\n|---|---|---|", titles.join(" | "));
    page.push_str(&"---|".repeat(titles.len()));
    for client in &CLIENTS {
        let cells: Vec<String> = Deed::ALL.iter().map(|deed| cell(client.shown(*deed))).collect();
        let _ =
            write!(page, "\n| {} | {} | {} | {} |", client.name, client.version(), client.protocol, cells.join(" | "));
    }
    page
}

#[test]
fn the_page_of_the_clients_is_the_table() {
    pages::keep("docs/clients.md", &rendered());
}
