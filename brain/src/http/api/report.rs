//! What calls did and cost: `/api/v1/report` and `/api/v1/series`.

use axum::{
    Json,
    extract::{Query as UriQuery, State},
};
use crds::{
    period::{Period, USUAL_WINDOW},
    shown::printable,
};

use super::ApiError;
use crate::{
    http::rates::Parameters,
    report::{Report, Series},
    store::Store,
};

/// Longest span, in days: there are at most so many steps.
const DAYS_MAX: u64 = 400;
/// Longest query value that an error repeats, in characters.
const SHOWN: usize = 64;

pub(super) async fn report(
    State(store): State<Store>,
    UriQuery(parameters): UriQuery<Parameters>,
) -> Result<Json<Report>, ApiError> {
    Ok(Json(store.report(&since(&parameters)?).await?))
}

pub(super) async fn series(
    State(store): State<Store>,
    UriQuery(parameters): UriQuery<Parameters>,
) -> Result<Json<Series>, ApiError> {
    Ok(Json(store.series(&since(&parameters)?).await?))
}

fn since(parameters: &Parameters) -> Result<Period, ApiError> {
    let text = parameters.get("since").filter(|text| !text.is_empty()).map_or(USUAL_WINDOW, String::as_str);
    let period = Period::from_text(text);
    let fits = period.duration().is_ok_and(|length| length.as_secs() <= DAYS_MAX * 86_400);
    let wrong = || {
        let shown = printable(text, SHOWN);
        let rule = format!("must be a whole number with a unit (ms, s, m, h, d), at most {DAYS_MAX}d, for example 7d");
        ApiError::Invalid(format!("since={shown}: {rule}"))
    };
    if fits { Ok(period) } else { Err(wrong()) }
}
