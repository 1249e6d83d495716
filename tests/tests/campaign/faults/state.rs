//! What one operator has sent and been told so far, and what is left of its fault.

use std::{
    collections::{HashMap, VecDeque},
    time::{Duration, Instant},
};

use tokio_util::sync::CancellationToken;

use crate::{
    api_request::{ApiReply, ApiRequest, Class},
    fault::{Act, Counts, Fault},
    point::{Point, Recorded},
};

/// Lines that are kept, to be shown when a plan diverges.
const LINES: usize = 40;
/// Refusals that are kept; more of them say nothing new.
const REFUSALS: usize = 200;

#[derive(Default)]
pub(super) struct State {
    pub(super) counts: Counts,
    pub(super) recorded: Vec<Recorded>,
    /// How often each key came.
    times: HashMap<String, u64>,
    /// What the fault happens to since its point: the key of a request, or the resource of events. And how often it still does.
    victim: Option<String>,
    left: u32,
    pub(super) strikes: u64,
    pub(super) ends_at: Option<Instant>,
    /// The first reply to each read.
    pub(super) first: HashMap<String, ApiReply>,
    /// What the API server itself refused, in its words.
    pub(super) refusals: Vec<String>,
    pub(super) broken: u64,
    pub(super) lines: VecDeque<String>,
    /// Of the process that runs now.
    pub(super) crash: CancellationToken,
}

impl State {
    pub(super) fn on_request(&mut self, request: &ApiRequest, fault: Option<&Fault>) -> Option<Act> {
        let class = request.class();
        self.counts.requests += u64::from(matches!(class, Class::Read | Class::Write));
        self.counts.writes += u64::from(class == Class::Write);
        let point = self.record(&request.key);
        self.due(&point, &request.key, class, fault)
    }

    pub(super) fn on_event(&mut self, key: &str, resource: &str, fault: Option<&Fault>) -> Option<Act> {
        let point = self.record(key);
        self.due(&point, resource, Class::Event, fault)
    }

    /// How often a key came.
    pub(super) fn times(&self, key: &str) -> u64 {
        self.times.get(key).copied().unwrap_or_default()
    }

    fn record(&mut self, key: &str) -> Point {
        let times = self.times.entry(key.into()).or_default();
        *times += 1;
        let point = Point { key: key.into(), nth: *times };
        self.recorded.push(Recorded { point: point.clone(), at: Instant::now(), is_news: false });
        point
    }

    /// What happens at a point to something of this name.
    fn due(&mut self, point: &Point, name: &str, class: Class, fault: Option<&Fault>) -> Option<Act> {
        let fault = fault?;
        if self.victim.is_none() && *point == fault.point {
            self.victim = Some(name.into());
            self.left = fault.times;
        }
        if self.left == 0 || self.victim.as_deref() != Some(name) {
            return None;
        }
        let takes = fault.act.takes(class);
        if takes > Duration::ZERO {
            self.ends_at = self.ends_at.max(Some(Instant::now() + takes));
        }
        Some(fault.act)
    }

    pub(super) fn strike(&mut self, now: Instant) {
        self.left = self.left.saturating_sub(1);
        self.strikes += 1;
        self.ends_at = self.ends_at.max(Some(now));
    }

    /// The first reply to a read, whether it is another now, the status of a write, what was refused.
    pub(super) fn on_reply(&mut self, request: &ApiRequest, reply: &ApiReply) {
        // That something does not exist is no refusal.
        let is_refusal = reply.status.as_u16() >= 400 && reply.status.as_u16() != 404;
        if is_refusal && self.refusals.len() < REFUSALS {
            self.refusals.push(String::from_utf8_lossy(&reply.body).into_owned());
        }
        match request.class() {
            Class::Read => {
                let first = self.first.entry(request.to_string()).or_insert_with(|| reply.clone());
                let is_news = !first.says_the_same_as(reply);
                let this = self.recorded.iter_mut().rfind(|recorded| recorded.point.key == request.key);
                this.into_iter().for_each(|recorded| recorded.is_news = is_news);
            }
            Class::Write => self.note(format!("{request} → {}", reply.status)),
            Class::Watch | Class::Event | Class::LeaseRead | Class::LeaseWrite => {}
        }
    }

    pub(super) fn note(&mut self, line: String) {
        self.lines.push_back(line);
        if self.lines.len() > LINES {
            self.lines.pop_front();
        }
    }
}
