//! What has to be known before an event can be answered.

use std::collections::BTreeMap;

use super::{event::Event, rating::Spoken, state::State};
use crate::brain_client::KnownDecision;

/// What to ask.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// The call that was just answered: its records are on their way.
    pub on_its_way: Option<String>,
    /// Calls whose decision was not known before.
    pub pending: Vec<String>,
    /// The decision whose verdicts matter. The last one may be known only after the calls are.
    pub verdicts: bool,
    pub reverted: bool,
    pub status: bool,
    pub second_server: bool,
}

/// What is known. A text instead of it says why it is not.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    pub now_ms: u64,
    /// The model may be asked.
    pub ask: bool,
    pub calls: BTreeMap<String, Result<Vec<KnownDecision>, String>>,
    /// The verdicts that stand on the last answer, by source.
    pub verdicts: Option<BTreeMap<String, String>>,
    /// Decisions of commits that were reverted just now, with their skills.
    pub reverted: Vec<(String, String)>,
    pub status: String,
    /// The project has a server of the same name.
    pub second_server: bool,
    /// The brain failed to answer.
    pub away: bool,
}

/// What an event needs to know. A brain that just failed to answer is asked again only for a user who speaks to us.
pub fn wanted(event: &Event, state: &State, now_ms: u64) -> Wanted {
    let wanted = of_event(event, state);
    if matches!(event, Event::Spoken(_)) || !state.leaves_the_brain_alone(now_ms) {
        return wanted;
    }
    Wanted { second_server: wanted.second_server, ..Wanted::default() }
}

fn of_event(event: &Event, state: &State) -> Wanted {
    let pending = || state.pending.iter().map(|pending| pending.call.clone()).collect();
    match event {
        Event::Started => Wanted { second_server: true, ..Wanted::default() },
        Event::Answered(call) if !call.in_background => {
            Wanted { on_its_way: Some(call.id.clone()), pending: pending(), ..Wanted::default() }
        }
        Event::Spoken(Spoken::Status) => Wanted { status: true, ..Wanted::default() },
        Event::Spoken(Spoken::Rated { .. }) | Event::Prompt => Wanted { pending: pending(), ..Wanted::default() },
        Event::Tested(test, true) => Wanted { verdicts: state.judged_by(test).is_some(), ..Wanted::default() },
        Event::MayHaveReverted => Wanted { reverted: true, ..Wanted::default() },
        Event::Stopped { again: false, .. } => {
            Wanted { pending: pending(), verdicts: !state.asked, ..Wanted::default() }
        }
        Event::Answered(_)
        | Event::Failed
        | Event::Tested(_, false)
        | Event::Stopped { again: true, .. }
        | Event::Ended
        | Event::Other => Wanted::default(),
    }
}
