use super::*;
use crate::upstream::{Unreachable, answer::Gateway};

fn refused() -> AttemptError {
    AttemptError::Unreachable { endpoint: "h:1".into(), cause: Unreachable::Refused }
}

fn answered() -> Result<Answer, AttemptError> {
    let text = "hello".into();
    Ok(Answer { text, finish_reason: None, gateway: Gateway::default() })
}

#[test]
fn calls_and_probes_say_whether_an_endpoint_can_be_reached_and_since_when() {
    let reach = Reach::default();
    assert_eq!(reach.of("m", true), Reachability::default(), "nothing is known");
    reach.probed(Instant::now(), Err(refused()));
    let down = reach.of("m", true);
    assert_eq!(down.reachable, Some(false));
    assert!(down.problem.starts_with("cannot be reached: the connection was refused; start"), "{down:?}");
    reach.called(Instant::now(), "m", &Err(AttemptError::TimedOut { after: Duration::ZERO }));
    assert_eq!(reach.of("m", true), down, "a slow answer says nothing");
    reach.called(Instant::now(), "m", &Err(AttemptError::Status { status: 500, kind: None }));
    assert_eq!((reach.of("m", true).reachable, reach.of("m", true).problem), (Some(true), String::new()));
    let began = Instant::now();
    reach.called(began, "m", &answered());
    reach.probed(began, Err(refused()));
    assert_eq!(reach.of("m", true).reachable, Some(true), "it answered while the probe waited");
    reach.called(Instant::now(), "m", &Err(refused()));
    assert_eq!(reach.of("m", true).reachable, Some(false));
}

#[test]
fn an_endpoint_that_refuses_the_list_is_reachable_and_a_refused_key_is_named() {
    let reach = Reach::default();
    let said = |status, with_key| {
        reach.probed(Instant::now(), Ok(Listing::Status(status)));
        let said = reach.of("m", with_key);
        assert_eq!((said.reachable, said.models_status), (Some(true), Some(status)));
        said.problem
    };
    assert!(said(401, true).starts_with("answered 401 to GET /v1/models: the key was refused; "));
    assert!(said(403, false).starts_with("answered 403 to GET /v1/models: it wants a key; "));
    assert_eq!(said(404, true), "");
    reach.called(Instant::now(), "m", &answered());
    assert_eq!(said(401, true), "", "calls are answered with this key");
    reach.called(Instant::now(), "m", &Err(AttemptError::Status { status: 401, kind: None }));
    assert_ne!(said(401, true), "", "no longer");
}

#[test]
fn a_model_that_is_not_listed_is_named_unless_it_answers_all_the_same() {
    let reach = Reach::default();
    reach.probed(Instant::now(), Ok(Listing::Models(vec!["other".into()])));
    let said = reach.of("m", true);
    assert!(said.problem.contains("does not list the model m") && said.problem.ends_with("other"), "{said:?}");
    assert_eq!(said.reachable, Some(true));
    reach.called(Instant::now(), "m", &answered());
    assert_eq!(reach.of("m", true).problem, "", "llama.cpp answers to any name");
    let unknown = AttemptError::UnknownModel { model: "m".into() };
    reach.called(Instant::now(), "m", &Err(unknown));
    assert_ne!(reach.of("m", true).problem, "");
}

#[test]
fn an_endpoint_that_is_slow_or_cuts_its_list_was_reached_all_the_same() {
    let reach = Reach::default();
    reach.probed(Instant::now(), Err(AttemptError::Interrupted));
    assert_eq!((reach.of("m", true).reachable, reach.of("m", true).problem), (Some(true), String::new()));
    reach.probed(Instant::now(), Err(AttemptError::TimedOut { after: Duration::from_secs(10) }));
    let slow = reach.of("m", true);
    assert_eq!(slow.reachable, Some(true));
    assert!(slow.problem.starts_with("does not answer GET /v1/models within 10 s; "), "{slow:?}");
    reach.called(Instant::now(), "m", &answered());
    assert_eq!(reach.of("m", true).problem, "", "calls are answered");
}
