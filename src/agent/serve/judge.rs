//! One pair, and its answer.

use axum::Json;
use axum::extract::multipart::MultipartRejection;
use axum::extract::{Multipart, State};
use axum::response::{IntoResponse, Response};

use super::form::{self, Form};
use super::{Service, refused};
use crate::agent::http::refusal;

/// Judges the pair of a form.
pub async fn judge(
    State(service): State<Service>,
    form: Result<Multipart, MultipartRejection>,
) -> Response {
    // Nothing of a body is read where nobody would take it.
    if let Some(why) = service.desk.ending() {
        return refused(&super::Refused::Ending(why));
    }
    let form = match form {
        Ok(form) => form,
        Err(why) => return refusal(why.status(), &why.body_text()),
    };
    let mut held = service.budget.begin();
    let Form { sample, stores } = match form::read(form, &service.limits, &mut held).await {
        Ok(form) => form,
        Err(misfit) => return refusal(misfit.status, &misfit.why),
    };
    let held = held.into_permit();
    let slot = match stores {
        true => service.desk.offer(sample, held),
        false => service.desk.judge_only(sample, held),
    };
    let given = match slot {
        Ok(slot) => service.desk.answer(slot).await,
        Err(why) => Err(why),
    };
    match given {
        Ok(given) => Json(given.answer.json(given.repeated)).into_response(),
        Err(why) => refused(&why),
    }
}
