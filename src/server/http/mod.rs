//! HTTP: which path leads where, requests as handlers see them, answers as they are sent, and the
//! files that are the same for everybody.

pub(crate) mod cors;
mod documents;
pub(crate) mod files;
mod helper;
pub(crate) mod keep_alive;
mod needs;
mod package;
mod policy;
pub(crate) mod request;
pub(crate) mod response;
pub(crate) mod routes;
