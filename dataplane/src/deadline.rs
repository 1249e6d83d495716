//! Divides the time of a call, so that a hung local model leaves time for Claude. No I/O.

use std::time::Duration;

use crds::table::CallTimeouts;

/// Part of a stage's time that is always left for a fallback, whatever the policy's time-outs.
const FALLBACK_SHARE_MIN: f64 = 0.1;

/// The time of the next stage: an equal share of what is left. What a stage does not use goes to the later ones.
pub fn stage_share(left: Duration, stages_left: usize) -> Duration {
    left / u32::try_from(stages_left.max(1)).unwrap_or(u32::MAX)
}

/// The time of a local attempt within its stage.
///
/// Without a fallback it is the local time-out, or the whole stage if that is shorter. With one it is the same part of
/// the stage as the local time-out is of the total: `timeouts` are for a skill with one stage, and several stages share
/// them.
pub fn local_share(stage: Duration, CallTimeouts { local, total }: CallTimeouts, fallback: bool) -> Duration {
    if !fallback {
        return local.min(stage);
    }
    let part = (local.as_secs_f64() / total.as_secs_f64()).min(1.0 - FALLBACK_SHARE_MIN);
    local.min(stage.mul_f64(part))
}

/// How long an attempt may wait for its turn: the model then has at least as long to answer.
pub fn wait_share(attempt: Duration) -> Duration {
    attempt / 2
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn seconds(s: u64) -> Duration {
        Duration::from_secs(s)
    }

    const TIMEOUTS: CallTimeouts = CallTimeouts { local: seconds(120), total: seconds(280) };
    const ALL: CallTimeouts = CallTimeouts { local: seconds(280), total: seconds(280) };

    #[test]
    fn one_stage_has_the_time_outs_as_written() {
        assert_eq!(stage_share(seconds(280), 1), seconds(280));
        assert_eq!(local_share(seconds(280), TIMEOUTS, true), seconds(120));
        assert_eq!(local_share(seconds(280), TIMEOUTS, false), seconds(120));
    }

    #[test]
    fn two_stages_share_and_the_second_inherits_what_the_first_left() {
        assert_eq!(stage_share(seconds(280), 2), seconds(140));
        assert_eq!(local_share(seconds(140), TIMEOUTS, true), seconds(60));
        assert_eq!(stage_share(seconds(270), 1), seconds(270));
    }

    #[test]
    fn a_fallback_always_keeps_some_time() {
        assert_eq!(local_share(seconds(100), ALL, true), seconds(90));
        assert_eq!(local_share(seconds(100), ALL, false), seconds(100));
        assert_eq!(local_share(Duration::ZERO, ALL, true), Duration::ZERO);
    }
}
