//! The helper for JavaScript, as it was when the binary was built.

/// Files of the helper, as they are published.
macro_rules! helper {
    ($($file:literal)*) => {
        &[$((concat!("/client/", $file), include_str!(concat!("../../../client-js/", $file)))),*]
    };
}

/// The helper: every file that a page or a reader could ask for. A test compares the list with the
/// directory.
pub(super) const HELPER: &[(&str, &str)] = helper![
    "abort.js" "bytes.js" "clock.js" "codes.js" "core.js" "error.js" "grants.js" "hold.js"
    "holds.js" "index.d.ts" "index.js" "iterators.js" "known.js" "locks.js" "names.js" "README.md"
    "requests.js" "resume.js" "session.js" "tables.js" "tokens.js" "transport.js" "waitqueue.js"
];
