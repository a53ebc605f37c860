//! The helper as a package for npm, with the entries that `npm pack` would put into it. It is made
//! of the texts in the binary when somebody first asks; the same texts give the same bytes.

use std::io::{self, Write};

use flate2::{Compression, GzBuilder};
use tar::{Builder, EntryType, Header};

use super::helper::HELPER;

/// What the package has besides the files that are served one by one.
const ONLY_PACKED: [(&str, &str); 2] = [
    ("LICENSE", include_str!("../../../client-js/LICENSE")),
    ("package.json", include_str!("../../../client-js/package.json")),
];

/// The time of every entry, in seconds since 1970: that which npm gives. Tools that were made
/// against nonsense refuse 0.
const MTIME_S: u64 = 499_162_500;

/// The gzipped tar, whose names all begin with `package/`.
pub(super) fn pack() -> io::Result<Vec<u8>> {
    let served = HELPER.iter().map(|&(path, text)| (path.trim_start_matches("/client/"), text));
    let mut files: Vec<_> = served.chain(ONLY_PACKED).collect();
    files.sort_unstable();
    // Neither a time nor the name of a system: they would differ where the texts do not.
    let gzip = GzBuilder::new().operating_system(255).write(Vec::new(), Compression::best());
    let mut tar = Builder::new(gzip);
    for (name, text) in files {
        let mut header = Header::new_ustar();
        header.set_path(format!("package/{name}"))?;
        header.set_entry_type(EntryType::Regular);
        header.set_size(text.len().try_into().map_err(io::Error::other)?);
        header.set_mode(0o644);
        header.set_mtime(MTIME_S);
        header.set_cksum();
        tar.append(&header, text.as_bytes())?;
    }
    let mut gzip = tar.into_inner()?;
    gzip.flush()?;
    gzip.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An `npm ci` compares bytes: those of one version are the same from every start.
    #[test]
    fn the_same_texts_give_the_same_bytes() {
        let package = pack().expect("a package");
        assert!(package == pack().expect("a package"));
        assert_eq!(package[..10], [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 2, 255]);
    }
}
