//! Which records reached the brain, and which are counted as lost.

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use serde_json::Value;
use tests::{
    fault_rows::lines_of,
    fault_server::brain::{Entry, FaultyBrain},
    program::Running,
    waiting,
};

use crate::{
    campaign::Campaign,
    counted::{self, Kinds, NOT_DELIVERED, QUEUE_FULL},
    decided,
    row::Row,
};

/// Between two looks.
const STEP: Duration = Duration::from_millis(20);
/// What an entry and the record in the log must agree on, besides the id.
const SAME: [&str; 3] = ["pass_rate", "decision", "reason"];

/// The records so far, and what became of their entries.
#[derive(Default)]
pub struct Deliveries {
    /// What each record says, by its id.
    expected: HashMap<String, [Value; 3]>,
    /// The message of its entry.
    messages: HashSet<String>,
    /// The records that the brain heard: the place of each in its request when it came last, and how many that had.
    heard: HashMap<String, (usize, usize)>,
    /// Entries that came with no record.
    pub without_record: usize,
    /// Entries that were answered well.
    pub answered_well: usize,
    /// Those that are warned of as lost.
    lost: HashSet<String>,
    /// Those that must not be lost.
    sure: HashSet<String>,
    counted: Kinds,
    read: u64,
    /// A record may be sent twice.
    pub is_sent_again: bool,
}

fn id_of(value: &Value) -> String {
    value.as_str().expect("an id").into()
}

impl Deliveries {
    /// Notes records that must be delivered or counted.
    pub fn note(&mut self, records: &[Value]) {
        let said = records.iter().map(|record| (id_of(&record["id"]), SAME.map(|field| record[field].clone())));
        self.expected.extend(said);
        self.messages.extend(records.iter().map(decided::message));
    }

    /// Takes what was warned of since the last time, and then what the brain heard, which may be the same. Nothing is
    /// counted twice.
    fn look(&mut self, routing: &Running, brain: &FaultyBrain) {
        let log = routing.log_after(self.read);
        let lines = &log[..log.rfind('\n').map_or(0, |end| end + 1)];
        self.read += lines.len() as u64;
        for line in lines_of(lines, "the brain did not accept a decision") {
            assert!(self.lost.insert(id_of(&line["id"])), "counted twice: {line}");
        }
        brain.take_entries().into_iter().for_each(|entry| self.hear(entry));
    }

    /// Notes an entry, which says what its record says.
    fn hear(&mut self, entry: Entry) {
        let Entry { arguments, place, of, is_answered_well } = entry;
        self.answered_well += usize::from(is_answered_well);
        assert!(arguments["message"].as_str().is_some_and(|message| self.messages.contains(message)), "{arguments}");
        let record = &arguments["decision"];
        if record.is_null() {
            self.without_record += 1;
            return;
        }
        let id = id_of(&arguments["decision_id"]);
        let said = SAME.map(|field| record[field].clone());
        assert!(record["id"] == id && self.expected.get(&id) == Some(&said), "{arguments}");
        let before = self.heard.insert(id, (place, of));
        assert!(before.is_none() || self.is_sent_again, "sent twice: {arguments}");
    }

    fn are_lost(&self, ids: &[String]) -> bool {
        ids.iter().all(|id| self.lost.contains(id))
    }

    fn are_heard_or_lost(&self, ids: &[String]) -> bool {
        ids.iter().all(|id| self.heard.contains_key(id) || self.lost.contains(id))
    }

    /// Whether the brain heard all these, and this holds for each, its place in its request, and how many that had.
    fn are_all(&self, ids: &[String], hold: impl Fn(&str, usize, usize) -> bool) -> bool {
        ids.iter().all(|id| self.heard.get(id).is_some_and(|(place, of)| hold(id, *place, *of)))
    }

    fn account_for_all(&self, counts: &Kinds, exactly: bool) -> bool {
        let no_place = counts.get(QUEUE_FULL).copied().unwrap_or_default();
        let all_counted = counted::sum(counts);
        let is_somewhere = |id: &String| self.heard.contains_key(id) || self.lost.contains(id);
        let nowhere = self.expected.keys().filter(|id| !is_somewhere(id)).count();
        let delivered =
            if exactly { self.answered_well + all_counted >= self.expected.len() } else { nowhere == no_place };
        delivered && all_counted - no_place == self.lost.len()
    }
}

impl Campaign {
    async fn until(&mut self, what: &str, holds: impl Fn(&Deliveries) -> bool) {
        let Self { brain, rows, deliveries, .. } = self;
        let looked = || {
            deliveries.look(rows.routing(), brain);
            std::future::ready(holds(deliveries))
        };
        waiting::until_true(what, looked).await;
    }

    /// What was counted since the last time; each of these is warned of.
    async fn newly_counted(&mut self, row: &Row) -> Kinds {
        let now = counted::so_far(self.rows.routing(), NOT_DELIVERED).await;
        let deliveries = &mut self.deliveries;
        assert_eq!(counted::sum(&now), deliveries.lost.len(), "{}: {now:?}", row.name);
        let new = counted::since(&deliveries.counted, &now);
        deliveries.counted = now;
        new
    }

    /// No record of a row reached the brain, as far as the data plane can know: each is counted once.
    pub async fn loses(&mut self, row: &Row, kind: &str) {
        let ids = row.ids();
        self.until(&format!("{}: all to be lost", row.name), |seen| seen.are_lost(&ids)).await;
        let new = self.newly_counted(row).await;
        assert!(counted::are(&new, kind) && counted::sum(&new) == ids.len(), "{}: {new:?}", row.name);
    }

    /// Those records of a row are lost that had such a place in their request, which had so many.
    pub async fn loses_by_place(&mut self, row: &Row, kind: &str, is_lost: impl Fn(usize, usize) -> bool) {
        let ids = row.ids();
        let what = format!("{}: some to be lost", row.name);
        self.until(&what, |seen| seen.are_all(&ids, |id, place, of| is_lost(place, of) == seen.lost.contains(id)))
            .await;
        let new = self.newly_counted(row).await;
        assert!(new.is_empty() || counted::are(&new, kind), "{}: {new:?}", row.name);
    }

    /// The brain has each record of a row, and none is counted as lost.
    pub async fn delivers(&mut self, row: &Row) {
        let ids = row.ids();
        self.until(&format!("{}: all to be delivered", row.name), |seen| seen.are_all(&ids, |_, _, _| true)).await;
        self.deliveries.sure.extend(ids);
    }

    /// As [`delivers`](Self::delivers), where those are sent again that had such a place in their request.
    pub async fn delivers_again(&mut self, row: &Row, is_refused: impl Fn(usize, usize) -> bool) {
        let ids = row.ids();
        let what = format!("{}: all to be sent again", row.name);
        self.until(&what, |seen| seen.are_all(&ids, |_, place, of| !is_refused(place, of))).await;
        self.deliveries.sure.extend(ids);
    }

    /// Each record of a row reached the brain or is counted, or both: nobody knows what became of one without answer.
    pub async fn delivers_or_loses(&mut self, row: &Row) {
        let ids = row.ids();
        self.until(&format!("{}: all to be somewhere", row.name), |seen| seen.are_heard_or_lost(&ids)).await;
    }

    /// In the end each record is delivered or counted, and counted once: also those for which the queue had no place.
    /// `exactly`: what was not answered well is counted. Both may be: an answer can come just as it is given up.
    pub async fn accounts_for_all(&mut self, exactly: bool) {
        let all = async {
            loop {
                let counts = counted::so_far(self.rows.routing(), NOT_DELIVERED).await;
                self.deliveries.look(self.rows.routing(), &self.brain);
                if self.deliveries.account_for_all(&counts, exactly) {
                    break;
                }
                tokio::time::sleep(STEP).await;
            }
        };
        let ended = tokio::time::timeout(waiting::LIMIT, all).await;
        assert!(
            ended.is_ok(),
            "of {} records {} are lost, {} answered well",
            self.deliveries.expected.len(),
            self.deliveries.lost.len(),
            self.deliveries.answered_well
        );
        let both: Vec<_> = self.deliveries.sure.intersection(&self.deliveries.lost).collect();
        assert!(both.is_empty(), "delivered and lost: {both:?}");
    }
}
