//! That each rule finds what it is against, and leaves the rest alone.

mod circles;
mod form;
mod layers;
mod shape;

use crate::check;

/// The faults of one file that opens as it should, each without the path.
pub(crate) fn faults(path: &str, code: &str) -> Vec<String> {
    tree(&[(path, &format!("//! A file.\n{code}"))])
        .iter()
        .map(|fault| fault.trim_start_matches(path).to_owned())
        .collect()
}

pub(crate) fn tree(files: &[(&str, &str)]) -> Vec<String> {
    let own = |&(path, text): &(&str, &str)| (path.to_owned(), text.to_owned());
    check(&files.iter().map(own).collect::<Vec<_>>())
}

#[track_caller]
pub(crate) fn refused(path: &str, code: &str, fault: &str) {
    assert_eq!(faults(path, code), [fault], "{path}: {code}");
}

#[track_caller]
pub(crate) fn fine(path: &str, code: &str) {
    assert_eq!(faults(path, code), [""; 0], "{path}: {code}");
}
