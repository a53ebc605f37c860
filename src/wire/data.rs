//! What tickets and locks carry, as a member: text where it is some.

use std::str;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::Deserialize;

use crate::machine::Data;

use super::json::Object;
use super::understood::NotUnderstood;

/// Writes data so that it shows what it is: `data` when it is UTF-8, else `data64`.
pub(super) fn write_data(object: &mut Object<'_>, data: &Data) {
    match str::from_utf8(data.as_bytes()) {
        Ok(text) => object.member("data", text),
        Err(_) => object.member("data64", BASE64.encode(data.as_bytes())),
    };
}

/// The members of data, as they came.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct DataMembers {
    data: Option<String>,
    data64: Option<String>,
}

impl DataMembers {
    /// The data, if there is some.
    pub(super) fn read(self) -> Result<Option<Data>, NotUnderstood> {
        let bytes = match (self.data, self.data64) {
            (Some(text), _) => text.into_bytes(),
            (None, Some(text)) => BASE64.decode(text).map_err(|_| NotUnderstood("data64"))?,
            (None, None) => return Ok(None),
        };
        Data::new(&bytes).ok_or(NotUnderstood("data")).map(Some)
    }
}

impl TryFrom<DataMembers> for Data {
    type Error = NotUnderstood;

    fn try_from(members: DataMembers) -> Result<Self, NotUnderstood> {
        members.read()?.ok_or(NotUnderstood("data"))
    }
}
