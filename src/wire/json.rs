//! JSON text, written.

use serde::Serialize;

/// A value as JSON text.
///
/// # Panics
/// Never: nothing that is written here can fail to be.
#[must_use]
pub fn json<T: Serialize>(value: &T) -> String {
    match serde_json::to_string(value) {
        Ok(text) => text,
        Err(why) => panic!("JSON: {why}"),
    }
}

/// An object as JSON text.
pub(super) fn object(write: impl FnOnce(&mut Object<'_>)) -> String {
    let mut out = Vec::new();
    let mut object = Object::begin(&mut out);
    write(&mut object);
    object.end();
    match String::from_utf8(out) {
        Ok(text) => text,
        Err(why) => panic!("JSON is UTF-8: {why}"),
    }
}

/// An object that is being written, member by member, behind what is in the buffer.
pub(super) struct Object<'b> {
    out: &'b mut Vec<u8>,
    is_empty: bool,
}

impl<'b> Object<'b> {
    /// Opens an object.
    pub(super) fn begin(out: &'b mut Vec<u8>) -> Self {
        out.push(b'{');
        Self { out, is_empty: true }
    }

    /// Begins a member. Its name is one of ours and needs no escapes.
    fn key(&mut self, name: &'static str) {
        let before: &[u8] = if self.is_empty { b"\"" } else { b",\"" };
        self.is_empty = false;
        self.out.extend_from_slice(before);
        self.out.extend_from_slice(name.as_bytes());
        self.out.extend_from_slice(b"\":");
    }

    /// Writes a member: a number, a truth, a text or nothing.
    pub(super) fn member<T: Serialize>(&mut self, name: &'static str, value: T) -> &mut Self {
        self.key(name);
        if let Err(why) = serde_json::to_writer(&mut *self.out, &value) {
            panic!("JSON: {why}");
        }
        self
    }

    /// Writes a member, if there is one.
    pub(super) fn optional<T: Serialize>(
        &mut self,
        name: &'static str,
        value: Option<T>,
    ) -> &mut Self {
        match value {
            Some(value) => self.member(name, value),
            None => self,
        }
    }

    /// Writes a member, unless it is what not saying it means.
    pub(super) fn unless_default<T: Serialize + Default + PartialEq>(
        &mut self,
        name: &'static str,
        value: T,
    ) -> &mut Self {
        self.optional(name, (value != T::default()).then_some(value))
    }

    /// Opens an object as a member.
    pub(super) fn object(&mut self, name: &'static str) -> Object<'_> {
        self.key(name);
        Object::begin(self.out)
    }

    /// Writes a member that is JSON text already.
    pub(super) fn written(&mut self, name: &'static str, json: &[u8]) -> &mut Self {
        self.key(name);
        self.out.extend_from_slice(json);
        self
    }

    /// Writes the members of an object that is JSON text already.
    pub(super) fn members_of(&mut self, json: &[u8]) {
        let Some(members @ [_, ..]) = json.get(1..json.len() - 1) else { return };
        if !self.is_empty {
            self.out.push(b',');
        }
        self.is_empty = false;
        self.out.extend_from_slice(members);
    }

    /// Closes the object.
    pub(super) fn end(self) {
        self.out.push(b'}');
    }
}
