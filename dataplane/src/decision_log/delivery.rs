//! A worker that delivers what is queued. A brain that takes several records in one request gets those that came within a
//! moment together; every other brain gets one entry a request, as it comes.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use brain::entry::SEVERAL_MOST;
use endpoint::trace::{Span, TraceContext};
use tokio::{
    sync::mpsc,
    time::{Duration, Instant, sleep_until},
};

use super::{Item, Report, answers, entry::DecisionEntry};
use crate::{
    brain_client::{BrainClient, BrainError},
    decision::DecisionRecord,
    grading::Spent,
    metrics::Metrics,
    traces::attribute,
    verdict::Verdict,
};

/// Shortest time between two requests of one worker to a brain that takes several records in one. The first after a while
/// goes at once.
pub const PACE: Duration = Duration::from_millis(20);

/// A decision whose entry is on its way, and the span of that.
type Sending = (Box<DecisionRecord>, Span);

/// Delivers what comes until the queue is closed and empty.
pub(super) async fn deliver(mut queue: mpsc::Receiver<Item>, waiting: Arc<AtomicUsize>, metrics: Arc<Metrics>) {
    let (mut items, mut paced) = (Vec::with_capacity(SEVERAL_MOST), None);
    while queue.recv_many(&mut items, SEVERAL_MOST).await > 0 {
        if let Some(until) =
            paced.take().filter(|until| *until > Instant::now() && items.len() < SEVERAL_MOST && !queue.is_closed())
        {
            sleep_until(until).await;
            // What came meanwhile.
            while items.len() < SEVERAL_MOST
                && let Ok(item) = queue.try_recv()
            {
                items.push(item);
            }
        }
        let mut left = items.drain(..).peekable();
        while let Some(first) = left.next() {
            if first.brain.is_given_up() {
                // Each would wait for its time-out, and what is for the other brain behind it.
                first.report.dropped(&metrics, BrainError::Unreachable.kind());
                waiting.fetch_sub(1, Ordering::Relaxed);
            } else if matches!(first.report, Report::Decision(_)) && first.brain.takes_several().await {
                let same =
                    |next: &Item| matches!(next.report, Report::Decision(_)) && Arc::ptr_eq(&next.brain, &first.brain);
                let brain = Arc::clone(&first.brain);
                let more: Vec<Item> = std::iter::from_fn(|| left.next_if(same)).collect();
                let all: Vec<Sending> = std::iter::once(first).chain(more).filter_map(sending).collect();
                paced = Some(Instant::now() + PACE);
                let count = all.len();
                tell_all(&brain, all, &metrics).await;
                waiting.fetch_sub(count, Ordering::Relaxed);
            } else {
                deliver_one(first, &metrics).await;
                waiting.fetch_sub(1, Ordering::Relaxed);
            }
        }
    }
}

fn sending(Item { brain: _, report, place }: Item) -> Option<Sending> {
    let Report::Decision(record) = report else { return None };
    let span = place.request("log", || attribute::of_log(&record.skill, record.id));
    Some((record, span))
}

async fn deliver_one(Item { brain, report, place }: Item, metrics: &Metrics) {
    let (skill, id) = report.of();
    let mut span = place.request("log", || attribute::of_log(skill, id));
    let within = span.context();
    let delivered = match report {
        Report::Decision(record) => return tell_one(&brain, &record, span, metrics).await,
        Report::Verdict(verdict) => tell_verdict(&brain, &verdict, within.as_ref(), metrics).await,
        Report::Spent(spent) => tell_spent(&brain, &spent, within.as_ref(), metrics).await,
        Report::Answer(kept, _room) => answers::tell(&brain, &kept, within.as_ref(), metrics).await,
    };
    if let Err(error) = delivered {
        span.fail(error.kind());
    }
}

async fn tell_one(brain: &BrainClient, record: &DecisionRecord, mut span: Span, metrics: &Metrics) {
    if let Err(error) = tell(brain, record, span.context().as_ref()).await {
        dropped(record, &error, &mut span, metrics);
    }
}

fn dropped(record: &DecisionRecord, error: &BrainError, span: &mut Span, metrics: &Metrics) {
    metrics.decision_log_dropped(error.kind());
    tracing::warn!(id = %record.id, %error, "the brain did not accept a decision");
    span.fail(error.kind());
}

/// Sends several records in one request. Those that the brain refuses are told one by one: it may take the contract's entry.
async fn tell_all(brain: &BrainClient, all: Vec<Sending>, metrics: &Metrics) {
    if let [_] = all[..] {
        for (record, span) in all {
            tell_one(brain, &record, span, metrics).await;
        }
        return;
    }
    let entries: Vec<_> = all.iter().map(|(record, _)| DecisionEntry::whole(record)).collect();
    let told = brain.session_log_several(&entries).await;
    if matches!(told, Err(BrainError::Refused { .. })) {
        brain.takes_one_at_a_time();
    }
    for (i, (record, mut span)) in all.into_iter().enumerate() {
        let told = told.as_ref().map_or_else(|error| Err(error.clone()), |told| told[i].clone());
        match told {
            Ok(()) => {}
            Err(BrainError::Refused { .. }) => tell_one(brain, &record, span, metrics).await,
            Err(error) => dropped(&record, &error, &mut span, metrics),
        }
    }
}

/// Sends a verdict to a brain that takes its source into account; for others it would be as good as a person's.
async fn tell_verdict(
    brain: &BrainClient,
    verdict: &Verdict,
    within: Option<&TraceContext>,
    metrics: &Metrics,
) -> Result<(), BrainError> {
    if !brain.takes_sources().await {
        metrics.verdict_dropped("not_supported");
        return Ok(());
    }
    brain.session_log_within(within, verdict).await.map(drop).inspect_err(|error| {
        metrics.verdict_dropped(error.kind());
        tracing::warn!(id = %verdict.decision_id, source = verdict.source.as_str(), %error, "the brain did not accept a verdict");
    })
}

/// Sends what a judgement took to a brain that keeps it; for others it would be an entry about nothing.
async fn tell_spent(
    brain: &BrainClient,
    spent: &Spent,
    within: Option<&TraceContext>,
    metrics: &Metrics,
) -> Result<(), BrainError> {
    if !brain.takes_usage().await {
        return Ok(());
    }
    brain.session_log_within(within, spent).await.map(drop).inspect_err(|error| {
        metrics.verdict_dropped(error.kind());
        tracing::warn!(id = %spent.decision_id, %error, "the brain did not accept what a judgement took");
    })
}

/// Sends the entry with its record to a brain that declares it. Other brains, and one that refuses it after all, get
/// only the contract's entry, and of a shadow call nothing.
async fn tell(brain: &BrainClient, record: &DecisionRecord, within: Option<&TraceContext>) -> Result<(), BrainError> {
    let send = async |entry: DecisionEntry<'_>| brain.session_log_within(within, &entry).await.map(drop);
    if record.shadow {
        // It is no decision of a caller, so there is no entry of the contract's for it.
        let known = brain.takes_decisions().await;
        return if known { send(DecisionEntry::whole(record)).await } else { Ok(()) };
    }
    if brain.takes_decisions().await {
        match send(DecisionEntry::whole(record)).await {
            Err(BrainError::Refused { .. }) => brain.takes_no_decisions(),
            told => return told,
        }
    }
    send(DecisionEntry::of(record)).await
}
