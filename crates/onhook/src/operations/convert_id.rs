//! `ConvertId`: an item has one id here, the same in the formats of EWS and of Outlook on the web. Somebody else's is as unknown
//! as one that was never given out (promise 7).

use ews::{AlternateId, ConvertId, IdFormat, ResponseCode, ResponseError, ResponseMessage, Subject};

use super::Operations;
use super::play_on_phone::of_message;
use crate::auth::Caller;

impl Operations {
    pub(super) async fn convert_id(&self, caller: &Caller, operation: &ConvertId) -> Vec<ResponseMessage<AlternateId>> {
        let mut messages = Vec::with_capacity(operation.source_ids.len());
        for source in &operation.source_ids {
            messages.push(
                self.converted(caller, source, operation.destination_format)
                    .await
                    .into(),
            );
        }
        messages
    }

    async fn converted(
        &self,
        caller: &Caller,
        source: &AlternateId,
        destination_format: IdFormat,
    ) -> Result<AlternateId, ResponseError> {
        // There are no public folders, and no ids of MAPI or of Exchange's store.
        let Subject::Mailbox { id, .. } = &source.subject else {
            return Err(ResponseCode::InvalidIdMalformed.into());
        };
        if !has_ids(source.format) {
            return Err(ResponseCode::InvalidIdMalformed.into());
        }
        self.messages
            .find(caller, id)
            .await
            .map_err(|error| of_message(&error))?;
        if !has_ids(destination_format) {
            return Err(ResponseCode::UnsupportedTypeForConversion.into());
        }
        Ok(AlternateId {
            format: destination_format,
            subject: source.subject.clone(),
        })
    }
}

/// Whether items have ids in this format.
fn has_ids(format: IdFormat) -> bool {
    match format {
        IdFormat::EwsId | IdFormat::EwsLegacyId | IdFormat::OwaId => true,
        IdFormat::EntryId | IdFormat::HexEntryId | IdFormat::StoreId => false,
    }
}
