//! An access file as it lies on disk, with the files that it names.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::access::{FileFault, Policy, PolicyFile, read_policy};
use crate::server::looks::Print;

/// Others may read it.
const OTHERS_READ: u32 = 0o004;
/// Others may write it.
const OTHERS_WRITE: u32 = 0o002;

/// Why an access file does not count.
#[derive(Debug)]
pub enum AccessFault {
    /// It cannot be read.
    Unread(PathBuf, String),
    /// What stands in it, or in a file that it names, is not good.
    Bad(PathBuf, FileFault),
}

impl fmt::Display for AccessFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unread(path, why) => write!(f, "{}: {why}", path.display()),
            Self::Bad(path, why) => write!(f, "{}: {why}", path.display()),
        }
    }
}

impl std::error::Error for AccessFault {}

/// An access file that is read again and again.
#[derive(Clone, Debug)]
pub(super) struct AccessFile {
    path: PathBuf,
    /// What was read last, whether it counted or not.
    last: Layout,
}

/// Which files a reading found, and what stood in them.
#[derive(Clone, Debug)]
pub(super) struct Layout {
    paths: Vec<PathBuf>,
    pub(super) print: Print,
}

/// What a reading came to.
#[derive(Debug)]
pub(super) struct AccessReading {
    pub(super) policy: Result<Policy, AccessFault>,
    pub(super) layout: Layout,
    /// What is odd about the files, though it keeps nothing from counting.
    pub(super) warnings: Vec<String>,
}

impl AccessFile {
    /// Reads it for the first time. It may be what has its bytes only once, such as a pipe.
    pub(super) fn open(path: &Path) -> Result<(Self, Policy, Vec<String>), AccessFault> {
        let AccessReading { policy, layout, warnings } = read(path, Content::of);
        Ok((Self { path: path.to_owned(), last: layout }, policy?, warnings))
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// What stood there when it was read last.
    pub(super) fn print(&self) -> Print {
        self.last.print
    }

    /// Takes note of what was read.
    pub(super) fn was_read(&mut self, layout: Layout) {
        self.last = layout;
    }

    /// Reads it again. It may take as long as the disk takes.
    pub(super) fn read_again(&self) -> AccessReading {
        read(&self.path, Content::again)
    }

    /// Reads it again if something else stands in it than when it was read last, or in a file that
    /// it named.
    pub(super) fn read_if_changed(&self) -> Option<AccessReading> {
        // What is no file on a disk has nothing more to say.
        let is_gone = |path: &PathBuf| fs::metadata(path).is_ok_and(|found| !found.is_file());
        if self.last.paths.iter().any(is_gone) {
            return None;
        }
        let contents: Vec<_> = self.last.paths.iter().map(|path| Content::again(path)).collect();
        (print(&contents) != self.last.print).then(|| self.read_again())
    }
}

/// What is in one file, or why nobody can tell.
struct Content {
    bytes: Result<Vec<u8>, String>,
    /// Its permissions.
    mode: u32,
}

impl Content {
    fn of(path: &Path) -> Self {
        Self::new(Self::read(path))
    }

    /// Whoever opens a pipe waits for who writes into it: so this does not.
    fn again(path: &Path) -> Self {
        let is_file = fs::metadata(path).map(|found| found.is_file());
        Self::new(is_file.and_then(|is_file| match is_file {
            true => Self::read(path),
            false => Err(io::Error::other("is no file that could be read again")),
        }))
    }

    fn new(read: io::Result<(Vec<u8>, u32)>) -> Self {
        match read {
            Ok((bytes, mode)) => Self { bytes: Ok(bytes), mode },
            Err(why) => Self { bytes: Err(why.to_string()), mode: 0 },
        }
    }

    fn read(path: &Path) -> io::Result<(Vec<u8>, u32)> {
        let (mut file, mut bytes) = (File::open(path)?, Vec::new());
        let mode = file.metadata()?.permissions().mode();
        file.read_to_end(&mut bytes)?;
        Ok((bytes, mode))
    }

    /// What is odd about the file at `path`.
    fn warning(&self, path: &Path, secret: bool) -> Option<String> {
        let path = path.display();
        if self.mode & OTHERS_WRITE != 0 {
            return Some(format!("{path}: others on this machine may write it"));
        }
        let is_open = secret && self.mode & OTHERS_READ != 0;
        is_open.then(|| format!("{path}: others on this machine may read it"))
    }
}

/// Stands for what is in these, in this order.
fn print(contents: &[Content]) -> Print {
    Print::of(contents.iter().flat_map(|content| match &content.bytes {
        Ok(bytes) => [&b"has"[..], bytes],
        Err(why) => [&b"has not"[..], why.as_bytes()],
    }))
}

/// Reads an access file and all that it names, each by `content`.
fn read(path: &Path, content: fn(&Path) -> Content) -> AccessReading {
    let first = content(path);
    let mut warnings: Vec<_> = first.warning(path, true).into_iter().collect();
    let (mut paths, mut contents) = (vec![path.to_owned()], vec![first]);
    let bytes = contents[0].bytes.clone();
    let policy = bytes.map_err(|why| AccessFault::Unread(path.to_owned(), why)).and_then(|bytes| {
        let PolicyFile { policy, named } = read_policy(&bytes, |name| {
            let named = beside(path, name);
            let found = content(&named);
            let bytes = found.bytes.clone();
            paths.push(named);
            contents.push(found);
            bytes
        });
        for (named, content) in named.iter().zip(&contents[1..]) {
            warnings.extend(content.warning(&beside(path, &named.path), named.secret));
        }
        policy.map_err(|why| AccessFault::Bad(path.to_owned(), why))
    });
    AccessReading { policy, layout: Layout { paths, print: print(&contents) }, warnings }
}

/// The file that the one at `path` names so.
fn beside(path: &Path, name: &str) -> PathBuf {
    path.parent().unwrap_or(Path::new("")).join(name)
}
