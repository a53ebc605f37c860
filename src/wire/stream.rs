//! An event stream (`text/event-stream`): how a resource stands, whenever that changes.

use crate::machine::{Figures, Name};

use super::figures::write_figures;
use super::holders::Holders;
use super::json::object;

/// What keeps a silent stream from being taken for a dead one.
pub const COMMENT: &str = ":\n\n";

/// A resource has changed.
#[must_use]
pub fn changed(resource: &Name, figures: Figures, holders: Option<&Holders>) -> String {
    // JSON text has no line ends, so one line is enough.
    let data = object(|data| {
        data.member("resource", resource.as_str());
        write_figures(data, figures);
        if let Some(holders) = holders {
            holders.write(data);
        }
    });
    format!("event: resource-changed\ndata: {data}\n\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_one_line_of_data() {
        let name = Name::parse("a\u{2028}b").unwrap();
        let text = changed(&name, Figures::default(), Some(&Holders::default()));
        let data = "{\"resource\":\"a\u{2028}b\",\"kind\":null,\"free\":0,\"held\":0,\
                    \"waiting\":0,\"holders\":[]}";
        assert_eq!(text, format!("event: resource-changed\ndata: {data}\n\n"));
    }
}
