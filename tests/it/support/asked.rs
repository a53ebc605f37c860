//! What a connection was asked and has not answered yet, read from the bytes that were sent.

use std::collections::VecDeque;

/// Most bytes of a head that are read as a request of the interface.
const HEAD_MAX_BYTES: usize = 16 * 1024;
/// Most headers of one.
const HEADERS_MAX: usize = 64;

/// A request, as far as its answer depends on it.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) method: String,
    /// Without the query.
    pub(crate) path: String,
    /// Whether errors are to be documents.
    pub(crate) documents: bool,
}

/// What follows a head.
#[derive(Debug)]
enum Following {
    /// Another head.
    Head,
    /// So many bytes of a body.
    Body(usize),
    /// A body in chunks.
    Chunks,
    /// What is no HTTP, whatever comes.
    Nonsense,
}

/// The requests of a connection.
#[derive(Debug)]
pub(crate) struct Requests {
    unread: Vec<u8>,
    following: Following,
    asked: VecDeque<Asked>,
}

impl Requests {
    pub(crate) fn new() -> Self {
        Self { unread: Vec::new(), following: Following::Head, asked: VecDeque::new() }
    }

    /// These bytes were sent.
    pub(crate) fn sent(&mut self, bytes: &[u8]) {
        self.unread.extend_from_slice(bytes);
        while self.step() {}
    }

    /// Whose answer comes next; `None` when it is to something that is no request.
    pub(crate) fn next(&mut self) -> Option<Asked> {
        self.asked.pop_front()
    }

    /// Reads one thing more, if it is there.
    fn step(&mut self) -> bool {
        match self.following {
            Following::Head => self.head(),
            Following::Body(length) => {
                let read = length.min(self.unread.len());
                self.unread.drain(..read);
                self.following = match length - read {
                    0 => Following::Head,
                    rest => Following::Body(rest),
                };
                length == read
            }
            Following::Chunks => self.chunk(),
            Following::Nonsense => {
                self.unread.clear();
                false
            }
        }
    }

    fn head(&mut self) -> bool {
        let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
        let mut request = httparse::Request::new(&mut headers);
        let length = match request.parse(&self.unread) {
            Ok(httparse::Status::Complete(length)) if length <= HEAD_MAX_BYTES => length,
            Ok(httparse::Status::Partial) if self.unread.len() <= HEAD_MAX_BYTES => return false,
            _ => {
                self.following = Following::Nonsense;
                return true;
            }
        };
        let value = |name: &str| {
            let mut headers = request.headers.iter();
            let found = headers.find(|header| header.name.eq_ignore_ascii_case(name));
            found.map(|header| String::from_utf8_lossy(header.value).to_ascii_lowercase())
        };
        let lengths = request.headers.iter();
        let lengths = lengths.filter(|header| header.name.eq_ignore_ascii_case("content-length"));
        self.following = match (value("transfer-encoding"), value("content-length")) {
            (Some(_), _) => Following::Chunks,
            (None, None) => Following::Head,
            (None, Some(length)) => match length.parse() {
                Ok(length) if lengths.count() == 1 => Following::Body(length),
                _ => {
                    self.following = Following::Nonsense;
                    return true;
                }
            },
        };
        let path = request.path.unwrap_or_default();
        self.asked.push_back(Asked {
            method: request.method.unwrap_or_default().to_owned(),
            path: path.split('?').next().unwrap_or_default().to_owned(),
            documents: value("accept").is_some_and(|it| it.contains("application/problem+json")),
        });
        self.unread.drain(..length);
        true
    }

    fn chunk(&mut self) -> bool {
        let (before, size) = match httparse::parse_chunk_size(&self.unread) {
            Ok(httparse::Status::Complete(found)) => found,
            Ok(httparse::Status::Partial) => return false,
            Err(_) => {
                self.following = Following::Nonsense;
                return true;
            }
        };
        let length = before + usize::try_from(size).expect("a size") + b"\r\n".len();
        if self.unread.len() < length {
            return false;
        }
        self.unread.drain(..length);
        if size == 0 {
            self.following = Following::Head;
        }
        true
    }
}

#[test]
fn requests_are_told_apart() {
    let mut requests = Requests::new();
    requests.sent(b"GET /a?b=c HTTP/1.1\r\nHost: x\r\n\r\nPOST /d HTTP/1.1\r\nContent-");
    assert_eq!(requests.next().expect("a request").path, "/a");
    assert!(requests.next().is_none());
    requests.sent(b"Length: 3\r\nAccept: Application/Problem+JSON\r\n\r\nGET");
    let asked = requests.next().expect("a request");
    assert_eq!((&asked.method[..], asked.documents), ("POST", true));
    requests.sent(b"PUT /e HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nGET\r\n0\r");
    assert_eq!(requests.next().expect("a request").path, "/e");
    requests.sent(b"\n\r\nGET /f HTTP/1.1\r\n\r\n\0\0");
    assert_eq!(requests.next().expect("a request").path, "/f");
    requests.sent(b"\r\n\r\nGET /g HTTP/1.1\r\n\r\n");
    assert!(requests.next().is_none(), "what comes behind nonsense is none");
}
