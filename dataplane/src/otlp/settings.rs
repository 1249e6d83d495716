//! Which signals go to a collector, by the standard variables. No I/O.

use crds::variables::{Reader, Variables};
use url::Url;

const ENDPOINT: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";
const PROTOCOL: &str = "OTEL_EXPORTER_OTLP_PROTOCOL";
const COMPRESSION: &str = "OTEL_EXPORTER_OTLP_COMPRESSION";
const DISABLED: &str = "OTEL_SDK_DISABLED";
const SAMPLER: &str = "OTEL_TRACES_SAMPLER";
const SAMPLER_SHARE: &str = "OTEL_TRACES_SAMPLER_ARG";
const SAMPLERS: [&str; 6] = [
    "always_on",
    "always_off",
    "traceidratio",
    "parentbased_always_on",
    "parentbased_always_off",
    "parentbased_traceidratio",
];

/// A kind of telemetry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    Traces,
    Metrics,
    Logs,
}

impl Signal {
    fn name(self) -> &'static str {
        match self {
            Self::Traces => "traces",
            Self::Metrics => "metrics",
            Self::Logs => "logs",
        }
    }

    /// The variable of this signal alone, where `general` is that of all.
    fn variable(self, general: &str) -> String {
        general.replacen("OTLP_", &format!("OTLP_{}_", self.name().to_uppercase()), 1)
    }

    /// The variable that turns this signal off.
    fn exporter(self) -> String {
        format!("OTEL_{}_EXPORTER", self.name().to_uppercase())
    }
}

/// Signals in words.
pub(super) fn shown(signals: &[Signal]) -> String {
    signals.iter().map(|signal| signal.name()).collect::<Vec<_>>().join(", ")
}

/// Those of the signals that have a collector.
///
/// # Errors
/// A line for each variable that cannot be used.
pub(super) fn wanted(variables: &Variables, signals: &[Signal]) -> Result<Vec<Signal>, Vec<String>> {
    let mut reader = Reader::new(variables);
    if reader.parsed(DISABLED, false, "must be true or false", boolean) {
        return Ok(vec![]);
    }
    let wanted: Vec<Signal> = signals.iter().copied().filter(|signal| is_wanted(&mut reader, *signal)).collect();
    if !wanted.is_empty() {
        check_sampler(&mut reader);
    }
    if reader.errors.is_empty() { Ok(wanted) } else { Err(reader.errors) }
}

fn is_wanted(reader: &mut Reader<'_>, signal: Signal) -> bool {
    let exporter = reader.optional(&signal.exporter(), "must be otlp or none", |text| match text {
        "otlp" => Some(true),
        "none" => Some(false),
        _ => None,
    });
    if exporter == Some(false) {
        return false;
    }
    let endpoint = own_or_general(reader, signal, ENDPOINT, "must be the http or https URL of a collector", is_url);
    if endpoint {
        let rule = "must be http/protobuf; collectors take it on port 4318";
        own_or_general(reader, signal, PROTOCOL, rule, |text| text == "http/protobuf");
        own_or_general(reader, signal, COMPRESSION, "must be none", |text| text == "none");
    }
    endpoint
}

/// Whether the variable of the signal, or else that of all signals, is set; an error if it may not be what it is.
fn own_or_general(reader: &mut Reader<'_>, signal: Signal, general: &str, rule: &str, fits: fn(&str) -> bool) -> bool {
    let own = signal.variable(general);
    let name = if reader.text(&own).is_some() { own.as_str() } else { general };
    let Some(text) = reader.text(name) else { return false };
    // The general one is read for each signal, and named once.
    if !fits(text) && !reader.errors.iter().any(|error| error.starts_with(&format!("{name}: "))) {
        reader.error(name, text, rule);
    }
    true
}

/// The library takes a bad one for another, and would say so in no log.
fn check_sampler(reader: &mut Reader<'_>) {
    let rule = format!("must be one of {}", SAMPLERS.join(", "));
    let sampler = reader.optional(SAMPLER, &rule, |text| SAMPLERS.into_iter().find(|known| *known == text));
    if sampler.is_some_and(|sampler| sampler.ends_with("traceidratio")) {
        let share = |text: &str| text.parse().ok().filter(|share: &f64| (0.0..=1.0).contains(share));
        if reader.text(SAMPLER_SHARE).is_none() {
            reader.error(SAMPLER_SHARE, "", "must be the share of calls to trace, from 0 to 1");
        }
        reader.optional(SAMPLER_SHARE, "must be a number from 0 to 1", share);
    }
}

fn boolean(text: &str) -> Option<bool> {
    text.to_ascii_lowercase().parse().ok()
}

fn is_url(text: &str) -> bool {
    Url::parse(text).is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Signal; 3] = [Signal::Traces, Signal::Metrics, Signal::Logs];

    fn read(variables: &[(&str, &str)]) -> Result<Vec<Signal>, Vec<String>> {
        wanted(&Variables::from_iter(variables.iter().copied()), &ALL)
    }

    #[test]
    fn nothing_is_sent_unless_a_collector_is_named() {
        let collector = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318");
        assert_eq!(read(&[]), Ok(vec![]));
        assert_eq!(read(&[("OTEL_SERVICE_NAME", "x"), ("OTEL_EXPORTER_OTLP_ENDPOINT", "")]), Ok(vec![]));
        assert_eq!(read(&[collector]), Ok(ALL.to_vec()));
        assert_eq!(read(&[collector, ("OTEL_SDK_DISABLED", "True")]), Ok(vec![]));
        assert_eq!(read(&[collector, ("OTEL_METRICS_EXPORTER", "none")]), Ok(vec![Signal::Traces, Signal::Logs]));
        let traces_alone = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "https://c/v1/traces");
        assert_eq!(read(&[traces_alone]), Ok(vec![Signal::Traces]));
    }

    #[test]
    fn every_bad_variable_is_named_once_without_its_secrets() {
        let errors = read(&[
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "ftp://me:canary@collector"),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
            ("OTEL_EXPORTER_OTLP_TRACES_COMPRESSION", "gzip"),
            ("OTEL_TRACES_SAMPLER", "jaeger_remote"),
        ]);
        let errors = errors.expect_err("four errors");
        assert_eq!(errors.len(), 4, "{errors:?}");
        assert!(!errors.join("").contains("canary"), "{errors:?}");
        assert_eq!(
            errors[1],
            "OTEL_EXPORTER_OTLP_PROTOCOL: grpc: must be http/protobuf; collectors take it on port 4318"
        );
        let collector = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://c");
        for share in [&[("OTEL_TRACES_SAMPLER_ARG", "2")][..], &[]] {
            let variables = [&[collector, ("OTEL_TRACES_SAMPLER", "parentbased_traceidratio")], share].concat();
            assert_eq!(read(&variables).expect_err("no share").len(), 1);
        }
    }
}
