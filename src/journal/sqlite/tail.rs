//! What a crash left in a log behind its last whole commit.

use std::fs::File;
use std::io::{self, BufReader, ErrorKind, Read, Seek, SeekFrom};
use std::path::Path;

use crate::journal::storage::{TORN_TAIL_OVERLAP_BYTES, Tail};

use super::wal;

/// Torn tails are read so many bytes at a time.
const TORN_TAIL_READ_BYTES: usize = 1 << 20;

/// SQLite stops without a word at the first frame of the log that is not whole. Gives what is
/// behind the last whole commit to `torn`.
pub(super) fn inspect(path: &Path, torn: &mut dyn FnMut(&[u8])) -> io::Result<Option<Tail>> {
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let offset = wal::read(&mut BufReader::with_capacity(1 << 18, &file), |_| {})?;
    let bytes = file.metadata()?.len().saturating_sub(offset);
    if bytes == 0 {
        return Ok(None);
    }
    file.seek(SeekFrom::Start(offset))?;
    let mut piece = Vec::new();
    loop {
        let kept = piece.len();
        let read = (&mut file).take(TORN_TAIL_READ_BYTES as u64).read_to_end(&mut piece)?;
        if read == 0 {
            break;
        }
        torn(&piece);
        piece.drain(..(kept + read).saturating_sub(TORN_TAIL_OVERLAP_BYTES));
    }
    let file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    Ok(Some(Tail { file, offset, bytes }))
}
