//! What is said of how long calls may take.

use super::*;

fn seconds(local: u64, total: u64) -> CallTimeouts {
    CallTimeouts { local: Duration::from_secs(local), total: Duration::from_secs(total) }
}

#[test]
fn a_skills_time_outs_replace_the_policys_within_those_of_the_local_model() {
    for (models, expected) in
        [("", seconds(150, 250)), (", timeout: 90s", seconds(90, 250)), (", timeout: 200s", seconds(150, 250))]
    {
        let table = compile_text(&format!(
            "  upstream: {{url: http://a}}\n  models: {{local: {{name: l{models}}}, claude: {{name: c}}}}\n  timeouts: {{local: 10s, total: 20s}}\n  \
             skills: [{{name: debug}}, {{name: trainer, timeouts: {{local: 150s, total: 250s}}}}]"
        ))
        .expect("compiles");
        assert_eq!(table.skills["trainer"].timeouts, expected, "{models}");
        assert_eq!(table.skills["debug"].timeouts.total, Duration::from_secs(20), "{models}");
        assert_eq!(table.longest_call(), Duration::from_secs(250));
    }
}

#[test]
fn a_local_time_out_above_the_total_is_refused_where_it_stands() {
    assert_refused(vec![
        (
            "  skills: [{name: debug, timeouts: {local: 30s, total: 20s}}]".into(),
            "spec.skills[0].timeouts.local: 30s: must not be longer than skills[0].timeouts.total (20s)",
        ),
        (
            "  skills: [{name: debug, timeouts: {local: \"30\", total: 40s}}]".into(),
            "spec.skills[0].timeouts.local: 30: must be",
        ),
    ]);
}
