//! OpenTelemetry: spans, metrics and events go to a collector over OTLP, as protobuf over HTTP. Off unless one of the
//! standard variables names a collector. The libraries' own threads send; nothing here waits for them but the end of the
//! process.

mod collector;
mod queue;
mod settings;

use std::time::Duration;

use crds::variables::Variables;
use endpoint::{metrics::Registered, trace::Tracing};
use opentelemetry::{InstrumentationScope, trace::TracerProvider};
use opentelemetry_otlp::{ExporterBuildError, LogExporter, MetricExporter, SpanExporter, WithHttpConfig};
use opentelemetry_sdk::{
    Resource,
    error::OTelSdkResult,
    logs::{BatchLogProcessor, SdkLoggerProvider},
    metrics::{PeriodicReader, SdkMeterProvider},
    trace::{BatchConfigBuilder, BatchSpanProcessor, SdkTracerProvider},
};
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family},
};

pub use self::settings::Signal;
use self::{collector::Collector, queue::Queue};

/// How long what is queued may take to reach the collector when the process ends.
const FLUSH_GRACE: Duration = Duration::from_secs(3);

/// What did not reach the collector.
#[derive(Clone, Debug, Default)]
pub struct Losses {
    /// Spans: `queue_full`, `export`.
    pub spans: Family<Lost, Counter>,
    /// Requests to the collector: `unreachable`, `refused`.
    pub exports: Family<Lost, Counter>,
}

/// Why something did not reach the collector.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct Lost {
    kind: &'static str,
}

impl Losses {
    /// As metrics of a registry.
    pub fn registered(new: &mut Registered<'_>) -> Self {
        Self {
            spans: new.metric(
                "otlp_dropped_spans",
                "Spans that did not reach the OpenTelemetry collector: queue_full, export",
            ),
            exports: new.metric(
                "otlp_failed_exports",
                "Requests that the OpenTelemetry collector did not take: unreachable, refused",
            ),
        }
    }

    fn span(&self, kind: &'static str, count: u64) {
        self.spans.get_or_create(&Lost { kind }).inc_by(count);
    }

    fn export(&self, kind: &'static str) {
        self.exports.get_or_create(&Lost { kind }).inc();
    }
}

/// The running exporters; none of them without a collector.
#[derive(Default)]
pub struct Otlp {
    pub traces: Option<SdkTracerProvider>,
    pub metrics: Option<SdkMeterProvider>,
    pub logs: Option<SdkLoggerProvider>,
}

/// Starts the exporters of these signals, as far as the variables name a collector. `service` is the name of the service
/// unless `OTEL_SERVICE_NAME` or `OTEL_RESOURCE_ATTRIBUTES` has another. Needs a Tokio runtime.
///
/// # Errors
/// A line for each variable that cannot be used.
pub fn start(
    variables: &Variables,
    signals: &[Signal],
    service: &'static str,
    losses: &Losses,
) -> Result<Otlp, Vec<String>> {
    let wanted = settings::wanted(variables, signals)?;
    if wanted.is_empty() {
        return Ok(Otlp::default());
    }
    let has = |signal: &Signal| wanted.contains(signal);
    let resource = resource(variables, service);
    let collector = Collector::new(losses.clone()).map_err(|error| vec![error])?;
    let failed = |error: ExporterBuildError| vec![format!("OTEL_EXPORTER_OTLP_*: {error}")];
    let traces = has(&Signal::Traces).then(|| traces(&collector, losses, resource.clone())).transpose();
    let metrics = has(&Signal::Metrics).then(|| metrics(&collector, resource.clone())).transpose();
    let logs = has(&Signal::Logs).then(|| logs(&collector, resource.clone())).transpose();
    let otlp = Otlp { traces: traces.map_err(failed)?, metrics: metrics.map_err(failed)?, logs: logs.map_err(failed)? };
    tracing::info!(signals = settings::shown(&wanted), "OpenTelemetry is on");
    Ok(otlp)
}

/// The scope of everything that this program reports.
pub fn scope() -> InstrumentationScope {
    InstrumentationScope::builder("routing").with_version(crds::VERSION).build()
}

/// The library reads `OTEL_SERVICE_NAME` and `OTEL_RESOURCE_ATTRIBUTES` itself; without them its name would be
/// `unknown_service`.
fn resource(variables: &Variables, service: &'static str) -> Resource {
    let named = variables.get("OTEL_SERVICE_NAME").is_some()
        || variables.get("OTEL_RESOURCE_ATTRIBUTES").is_some_and(|all| all.contains("service.name="));
    let resource = Resource::builder().with_attribute(opentelemetry::KeyValue::new("service.version", crds::VERSION));
    if named { resource.build() } else { resource.with_service_name(service).build() }
}

fn traces(collector: &Collector, losses: &Losses, resource: Resource) -> Result<SdkTracerProvider, ExporterBuildError> {
    let exporter = SpanExporter::builder().with_http().with_http_client(collector.clone()).build()?;
    let queue = Queue::new(losses.clone());
    let batches = BatchSpanProcessor::builder(queue.exporter(exporter))
        .with_batch_config(BatchConfigBuilder::default().build())
        .build();
    Ok(SdkTracerProvider::builder().with_resource(resource).with_span_processor(queue.processor(batches)).build())
}

fn metrics(collector: &Collector, resource: Resource) -> Result<SdkMeterProvider, ExporterBuildError> {
    let exporter = MetricExporter::builder().with_http().with_http_client(collector.clone()).build()?;
    let reader = PeriodicReader::builder(exporter).build();
    Ok(SdkMeterProvider::builder().with_resource(resource).with_reader(reader).build())
}

fn logs(collector: &Collector, resource: Resource) -> Result<SdkLoggerProvider, ExporterBuildError> {
    let exporter = LogExporter::builder().with_http().with_http_client(collector.clone()).build()?;
    let batches = BatchLogProcessor::builder(exporter).build();
    Ok(SdkLoggerProvider::builder().with_resource(resource).with_log_processor(batches).build())
}

impl Otlp {
    /// What begins spans of requests.
    pub fn tracing(&self) -> Tracing {
        Tracing::new(self.traces.as_ref().map(|provider| provider.tracer_with_scope(scope())))
    }

    /// Sends what is queued, for at most three seconds, and ends the exporters.
    pub async fn flush(&self) {
        let Self { traces, metrics, logs } = self;
        let (traces, metrics, logs) = (traces.clone(), metrics.clone(), logs.clone());
        // The library waits on the thread that asks. All three at once: a collector that is away delays the end once.
        let traces = ended(traces.map(|all| move || all.shutdown_with_timeout(FLUSH_GRACE)));
        let metrics = ended(metrics.map(|all| move || all.shutdown_with_timeout(FLUSH_GRACE)));
        let logs = ended(logs.map(|all| move || all.shutdown_with_timeout(FLUSH_GRACE)));
        let all = futures::future::join3(traces, metrics, logs);
        if tokio::time::timeout(FLUSH_GRACE, all).await != Ok((true, true, true)) {
            tracing::warn!("the OpenTelemetry collector did not take all that was left at the end");
        }
    }
}

/// Whether it ended well, or did not run.
async fn ended(end: Option<impl FnOnce() -> OTelSdkResult + Send + 'static>) -> bool {
    let Some(end) = end else { return true };
    tokio::task::spawn_blocking(end).await.is_ok_and(|ended| ended.is_ok())
}
