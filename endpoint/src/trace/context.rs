//! W3C Trace Context: which span a request belongs to, as it goes from server to server. No I/O.

use axum::http::HeaderMap;
use opentelemetry::{
    SpanId, TraceFlags, TraceId,
    trace::{SpanContext, TraceState},
};
use serde::Serialize;

/// Header, and key of `_meta` (SEP-414), that names the span.
pub const TRACEPARENT: &str = "traceparent";
/// Header, and key of `_meta`, of what tracing systems pass on beside it.
pub const TRACESTATE: &str = "tracestate";
/// Longest `tracestate` that is passed on, in bytes: what everyone has to pass on by the standard.
const TRACESTATE_MAX_BYTES: usize = 512;

/// The span that a request belongs to.
#[derive(Serialize, Clone, Debug, PartialEq, Eq)]
pub struct TraceContext {
    traceparent: String,
    /// None: there is none, or it is not valid, which does not make the other invalid.
    #[serde(skip)]
    tracestate: Option<String>,
}

impl TraceContext {
    /// Of texts as a caller sends them; none unless `traceparent` is valid.
    #[must_use]
    pub fn of(traceparent: &str, tracestate: Option<&str>) -> Option<Self> {
        let tracestate = tracestate.and_then(valid_state);
        is_traceparent(traceparent).then(|| Self { traceparent: traceparent.into(), tracestate })
    }

    /// Of an HTTP request; several `tracestate` headers are one list.
    #[must_use]
    pub fn of_headers(headers: &HeaderMap) -> Option<Self> {
        let traceparent = headers.get(TRACEPARENT)?.to_str().ok()?;
        let states: Vec<&str> = headers.get_all(TRACESTATE).iter().filter_map(|state| state.to_str().ok()).collect();
        Self::of(traceparent, Some(states.join(",").as_str()))
    }

    pub(super) fn of_span(span: &SpanContext) -> Self {
        let sampled = (span.trace_flags() & TraceFlags::SAMPLED).to_u8();
        let traceparent = format!("00-{}-{}-{sampled:02x}", span.trace_id(), span.span_id());
        Self { traceparent, tracestate: Some(span.trace_state().header()).filter(|state| !state.is_empty()) }
    }

    /// The span as the library has it.
    #[must_use]
    pub fn remote(&self) -> SpanContext {
        let state = self.tracestate.as_deref().and_then(|state| state.parse().ok()).unwrap_or(TraceState::NONE);
        let mut parts = self.traceparent.split('-').skip(1);
        let mut next = || parts.next().unwrap_or_default();
        let (trace, parent, flags) = (next(), next(), next());
        // A valid one has all of them.
        let (trace, parent) = (TraceId::from_hex(trace), SpanId::from_hex(parent));
        let flags = TraceFlags::new(u8::from_str_radix(flags, 16).unwrap_or_default());
        SpanContext::new(trace.unwrap_or(TraceId::INVALID), parent.unwrap_or(SpanId::INVALID), flags, true, state)
    }

    /// `traceparent`.
    #[must_use]
    pub fn traceparent(&self) -> &str {
        &self.traceparent
    }

    /// Names and values of the headers that pass it on.
    pub fn headers(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let state = self.tracestate.iter().map(|state| (TRACESTATE, state.as_str()));
        [(TRACEPARENT, self.traceparent())].into_iter().chain(state)
    }
}

/// A `tracestate` that can be passed on, without empty members; none: there is nothing to pass on.
fn valid_state(text: &str) -> Option<String> {
    let printable = |b: &u8| *b == b' ' || b.is_ascii_graphic();
    let members: Vec<&str> =
        text.split(',').map(|member| member.trim_matches([' ', '\t'])).filter(|member| !member.is_empty()).collect();
    let text = members.join(",");
    if text.len() > TRACESTATE_MAX_BYTES || !text.as_bytes().iter().all(printable) {
        return None;
    }
    let state: TraceState = text.parse().ok()?;
    Some(state.header()).filter(|state| !state.is_empty())
}

/// Whether a text is a `traceparent` as W3C Trace Context has it: `VERSION-TRACE-PARENT-FLAGS` in lower-case hex digits,
/// none of the ids zero.
fn is_traceparent(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let is_hex = |part: &&str| part.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
    let is_zero = |part: &str| part.bytes().all(|b| b == b'0');
    let [version, trace, parent, _] = parts[..] else { return false };
    parts.iter().map(|part| part.len()).eq([2, 32, 16, 2])
        && parts.iter().all(is_hex)
        && version != "ff"
        && !is_zero(trace)
        && !is_zero(parent)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    fn state(text: &str) -> Option<String> {
        TraceContext::of(TRACE, Some(text)).expect("a valid traceparent").tracestate
    }

    #[test]
    fn only_a_valid_traceparent_is_kept() {
        let zeros = |count| "0".repeat(count);
        assert_eq!(TraceContext::of(TRACE, None).expect("valid").traceparent(), TRACE);
        for text in [
            String::new(),
            TRACE.to_uppercase(),
            format!("{TRACE}-x"),
            format!("{TRACE}\r\nx-evil: 1"),
            TRACE.replacen("00", "ff", 1),
            TRACE.replacen("00-", "0-", 1),
            format!("00-{}-b7ad6b7169203331-01", zeros(32)),
            format!("00-0af7651916cd43dd8448eb211c80319c-{}-01", zeros(16)),
            TRACE.replace("b7ad", "g7ad"),
        ] {
            assert_eq!(TraceContext::of(&text, Some("a=1")), None, "{text}");
        }
    }

    #[test]
    fn a_tracestate_is_passed_on_only_if_it_is_valid_and_short() {
        assert_eq!(
            state("rojo=00f067aa0ba902b7,congo=t61rcWkgMzE").as_deref(),
            Some("rojo=00f067aa0ba902b7,congo=t61rcWkgMzE")
        );
        assert_eq!(state(" a=1 ,,\tb@c=2 ").as_deref(), Some("a=1,b@c=2"));
        let long = format!("a={}", "x".repeat(TRACESTATE_MAX_BYTES));
        for text in ["", ",", "a", "A=1", "a=1=2", "a=1\r\nx-evil: 1", "a=\u{e9}", &long] {
            assert_eq!(state(text), None, "{text}");
        }
    }

    #[test]
    fn what_the_library_makes_of_it_is_written_as_it_was() {
        let of = TraceContext::of(TRACE, Some("a=1,b=2")).expect("valid");
        assert_eq!(TraceContext::of_span(&of.remote()), of);
        assert_eq!(of.headers().collect::<Vec<_>>(), [(TRACEPARENT, TRACE), (TRACESTATE, "a=1,b=2")]);
    }

    #[test]
    fn several_headers_are_one_list() {
        let mut headers = HeaderMap::new();
        headers.append(TRACEPARENT, TRACE.parse().expect("a value"));
        headers.append(TRACESTATE, "a=1".parse().expect("a value"));
        headers.append(TRACESTATE, "b=2".parse().expect("a value"));
        assert_eq!(TraceContext::of_headers(&headers), TraceContext::of(TRACE, Some("a=1,b=2")));
        headers.remove(TRACEPARENT);
        assert_eq!(TraceContext::of_headers(&headers), None, "alone it means nothing");
    }
}
