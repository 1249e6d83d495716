//! What becomes of calls while the local model is not asked, in the words of the log.

use crds::{
    RoutingTable,
    policy::{OnLocalError, RouteMode},
};

/// By the skills that may go to the local model: the others do not notice.
pub(super) fn of_local(table: &RoutingTable) -> &'static str {
    let some = |on_local_error| {
        let mut may_be_local = table.skills.values().filter(|skill| skill.route != RouteMode::Claude);
        may_be_local.any(|skill| skill.on_local_error == on_local_error)
    };
    match (some(OnLocalError::Claude), some(OnLocalError::Fail), table.claude.model()) {
        (false, true, _) => "calls fail",
        (_, false, Some(_)) => "calls go to Claude",
        (true, true, Some(_)) => "calls go to Claude, or fail where onLocalError is Fail",
        (_, false, None) => "callers do the work",
        (true, true, None) => "callers do the work, or calls fail where onLocalError is Fail",
    }
}

#[cfg(test)]
mod tests {
    use crds::{Document, builtin::BuiltinPrompts, compile};

    use super::*;

    /// The text for a policy with this Claude and these skills.
    fn text(claude: &str, skills: &str) -> &'static str {
        let policy = format!(
            "apiVersion: routing.hyperguild.io/v1alpha1
kind: RoutingPolicy
metadata: {{name: routing}}
spec:
  upstream: {{url: \"http://h:1\"}}
  models: {{local: {{name: l}}, claude: {claude}}}
  skills: [{skills}]
"
        );
        let spec = Document::parse(&policy).expect("a policy").policy.spec;
        of_local(&compile(&spec, &BuiltinPrompts::default()).expect("valid"))
    }

    #[test]
    fn the_warning_says_what_becomes_of_the_calls_of_every_skill_that_may_be_local() {
        let (falls_back, local_falls_back) = ("{name: debug}", "{name: debug, route: Local, onLocalError: Claude}");
        let (fails, stays_local) = ("{name: code_review, onLocalError: Fail}", "{name: code_review, route: Local}");
        let (never_local, never_local_fails) =
            ("{name: retrospective, route: Claude}", "{name: retrospective, route: Claude, onLocalError: Fail}");
        let (go_on, fail) = (["calls go to Claude", "callers do the work"], ["calls fail"; 2]);
        let both = [
            "calls go to Claude, or fail where onLocalError is Fail",
            "callers do the work, or calls fail where onLocalError is Fail",
        ];
        for (skills, expected) in [
            (vec![falls_back], go_on),
            (vec![local_falls_back], go_on),
            (vec![falls_back, never_local_fails], go_on),
            (vec![never_local], go_on),
            (vec![fails], fail),
            (vec![stays_local], fail),
            (vec![stays_local, never_local], fail),
            (vec![falls_back, fails], both),
            (vec![falls_back, stays_local], both),
            (vec![local_falls_back, fails, never_local], both),
        ] {
            let skills = skills.join(", ");
            let texts = ["{name: c}", "{returnToCaller: {}}"].map(|claude| text(claude, &skills));
            assert_eq!(texts, expected, "{skills}");
        }
    }
}
