//! What a routed call leads to.

use super::{Say, nothing};
use crate::hook::{answer::HookAnswer, event::Call, facts::Facts, line, state::State};

pub(super) fn answered(state: &mut State, call: &Call, facts: &Facts) -> HookAnswer {
    let known = facts.calls.get(&call.id);
    if let Some(known) = known.and_then(|known| line::answering(known.as_ref().ok()?)) {
        state.answered(known.text("id"), known.text("skill"), facts.now_ms);
        return HookAnswer::Show(line::shown(known));
    }
    state.waits_for(&call.id, &call.skill, facts.now_ms);
    // It is the last thing now, and what was before it is not rated in its place.
    state.failed = false;
    let problem = match known {
        None => return HookAnswer::Nothing,
        Some(Err(problem)) => problem.clone(),
        Some(Ok(_)) => {
            "the brain does not know this call: the plugin's brain_url and the policy's brain.url must be the \
                        same brain, and no earlier version"
                .into()
        }
    };
    warned(state, &problem)
}

/// Once in a session.
pub(super) fn warned(state: &mut State, problem: &str) -> HookAnswer {
    if std::mem::replace(&mut state.warned, true) {
        return HookAnswer::Nothing;
    }
    HookAnswer::Show(format!("routing: {problem}. Until then no line says where calls go, and +1 / -1 reach nobody."))
}

pub(super) fn failed(state: &mut State) -> Say {
    state.failed = true;
    nothing()
}
