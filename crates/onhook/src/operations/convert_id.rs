//! `ConvertId`: an item has one id here, in one format, so no id converts to another.

use ews::{ConvertId, ResponseCode, ResponseError};

pub(super) fn convert_id(operation: &ConvertId) -> Vec<ResponseError> {
    let sources = operation.source_ids.iter();
    sources.map(|_| ResponseCode::InvalidIdMalformed.into()).collect()
}
