//! The query of a REST request: `a=b&c=d`, percent-encoded UTF-8, `+` for a space.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

use crate::machine::{
    Conduct, Data, Fence, LockAsk, Mode, NUMBER_END, Name, Parting, SessionId, SessionName,
    TTL_MAX_MS, TTL_MIN_MS, TicketTerms, Ttl,
};

use super::code::Code;
use super::id::read_id;
use super::problem::Problem;
use super::terms::{
    self, ATTEMPTS, Bounded, DELAY, HOLD, LIMIT, LIMIT_DEFAULT, LOSS_DELAY, PRIORITY,
};

/// Longest wait of a REST request, in ms; longer wishes are clamped.
pub const REST_WAIT_MAX_MS: u32 = 60_000;
/// TTL of a session whose opener names none, in ms.
pub const TTL_DEFAULT_MS: i64 = 5000;

/// The parameters of a request, the first of each name.
#[derive(Clone, Debug, Default)]
pub struct Query<'a> {
    raw: &'a str,
}

impl<'a> Query<'a> {
    /// Takes a query as it came, without the `?`.
    #[must_use]
    pub fn new(raw: Option<&'a str>) -> Self {
        Self { raw: raw.unwrap_or("") }
    }

    /// The value of a parameter; an empty one counts as missing.
    ///
    /// # Errors
    /// `bad-request` when it is not UTF-8.
    pub fn get(&self, name: &str) -> Result<Option<Cow<'a, str>>, Problem> {
        for pair in self.raw.split('&') {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            if key == name || (key.contains('%') && decode(key).is_some_and(|key| key == name)) {
                let value =
                    decode(value).ok_or_else(|| Problem::bad(format!("{name} must be UTF-8")))?;
                return Ok((!value.is_empty()).then_some(value));
            }
        }
        Ok(None)
    }

    /// A ticket's name that must be there.
    ///
    /// # Errors
    /// `bad-request` when it is missing or no name.
    pub fn ticket(&self) -> Result<Name, Problem> {
        self.optional_ticket()?.ok_or_else(|| Problem::bad("name is missing"))
    }

    /// A ticket's name that may be there.
    ///
    /// # Errors
    /// `bad-request` when it is no name.
    pub fn optional_ticket(&self) -> Result<Option<Name>, Problem> {
        self.get("name")?.map(|text| name(&text, "name")).transpose()
    }

    /// A session's name.
    ///
    /// # Errors
    /// `bad-request` when it is no name.
    pub fn session_name(&self) -> Result<SessionName, Problem> {
        let text = self.get("name")?.unwrap_or_default();
        SessionName::parse(&text).map_err(|why| Problem::bad(format!("name {why}")))
    }

    /// A TTL: 5000 ms when there is none, and also, as in the original, when it is no integer.
    ///
    /// # Errors
    /// `bad-request` when it is out of bounds.
    pub fn ttl(&self) -> Result<Ttl, Problem> {
        let text = self.get("ttl")?.unwrap_or_default();
        let digits = text.strip_prefix(['-', '+']).unwrap_or(&text);
        let is_integer = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        // An integer too large to read is out of bounds all the same.
        let ttl_ms = if is_integer { text.parse().unwrap_or(i64::MAX) } else { TTL_DEFAULT_MS };
        ttl(ttl_ms)
    }

    /// The grant that a DELETE is about, if it names one.
    ///
    /// # Errors
    /// `bad-request` when it is no fence.
    pub fn fence(&self) -> Result<Option<Fence>, Problem> {
        let Some(text) = self.get("fence")? else { return Ok(None) };
        let fence = text.parse().ok().filter(|&fence| fence < NUMBER_END);
        fence
            .map(Fence)
            .map(Some)
            .ok_or_else(|| Problem::bad("fence must be an integer below 2^53"))
    }

    /// A truth, false when it is missing.
    ///
    /// # Errors
    /// `bad-request` when it is none.
    pub fn flag(&self, name: &str) -> Result<bool, Problem> {
        Ok(self.truth(name)?.unwrap_or_default())
    }

    /// A truth that may be there.
    ///
    /// # Errors
    /// `bad-request` when it is none.
    pub fn truth(&self, name: &str) -> Result<Option<bool>, Problem> {
        match self.get(name)?.as_deref() {
            None => Ok(None),
            Some("true") => Ok(Some(true)),
            Some("false") => Ok(Some(false)),
            Some(_) => Err(Problem::bad(format!("{name} must be true or false"))),
        }
    }

    /// An integer within its bounds, if it is there.
    ///
    /// # Errors
    /// `bad-request` when it is out of them, or none.
    pub fn bounded(&self, bounded: Bounded) -> Result<Option<u32>, Problem> {
        let text = self.get(bounded.name)?;
        text.map(|text| bounded.check(text.parse().ok())).transpose()
    }

    /// How many a list has at most.
    ///
    /// # Errors
    /// `bad-request` when it is out of bounds.
    pub fn limit(&self) -> Result<usize, Problem> {
        Ok(self.bounded(LIMIT)?.map_or(LIMIT_DEFAULT, |limit| limit as usize))
    }

    /// How a session that is opened wants to be taken.
    ///
    /// # Errors
    /// `bad-request` when something is out of bounds.
    pub fn conduct(&self) -> Result<Conduct, Problem> {
        let delay_ms = self.bounded(LOSS_DELAY)?.unwrap_or_default();
        Ok(Conduct { delay_ms, blocking: self.flag("blocking")? })
    }

    /// How a lock is asked for, but for what its holder makes known.
    ///
    /// # Errors
    /// `bad-request` when it makes no sense.
    pub fn lock_ask(&self) -> Result<LockAsk, Problem> {
        let mode = match self.get("mode")? {
            None => Mode::default(),
            text => terms::mode(text.as_deref())?,
        };
        let (fence, steal) = (self.fence()?, self.flag("steal")?);
        terms::lock_ask(LockAsk { mode, data: None, fence, steal })
    }

    /// How a ticket is issued.
    ///
    /// # Errors
    /// `bad-request` when something is out of bounds.
    pub fn ticket_terms(&self) -> Result<TicketTerms, Problem> {
        Ok(TicketTerms {
            stay: self.flag("stay")?,
            only_new: self.flag("new")?,
            priority: terms::priority(self.bounded(PRIORITY)?),
            delay_ms: self.bounded(DELAY)?.unwrap_or_default(),
            attempts: terms::attempts(self.bounded(ATTEMPTS)?),
            hold_ms: self.bounded(HOLD)?,
        })
    }

    /// How a claim ends.
    ///
    /// # Errors
    /// `bad-request` when something is out of bounds.
    pub fn parting(&self) -> Result<Parting, Problem> {
        let note = self.get("note")?.map(|text| terms::note(&text)).transpose()?.flatten();
        let delay_ms = self.bounded(DELAY)?.unwrap_or_default();
        let (dead, untried) = (self.flag("dead")?, self.flag("untried")?);
        Ok(Parting { delay_ms, note, dead, untried })
    }

    /// How long to wait, in ms, at most [`REST_WAIT_MAX_MS`].
    ///
    /// # Errors
    /// `bad-request` when it is no integer.
    pub fn wait_ms(&self) -> Result<Option<u32>, Problem> {
        let Some(text) = self.get("wait")? else { return Ok(None) };
        match text.parse::<u64>() {
            Ok(ms) => Ok(Some(shortened(ms))),
            Err(_) if text.bytes().all(|b| b.is_ascii_digit()) => Ok(Some(REST_WAIT_MAX_MS)),
            Err(_) => Err(Problem::bad("wait must be a number of ms")),
        }
    }
}

/// The `wait` of a `Prefer` header, in ms, at most [`REST_WAIT_MAX_MS`]. One that makes no sense is
/// ignored. (RFC 7240, section 4.3)
#[must_use]
pub fn preferred_wait_ms(header: &str) -> Option<u32> {
    header
        .split([',', ';'])
        .filter_map(|preference| preference.split_once('='))
        .find(|(key, _)| key.trim().eq_ignore_ascii_case("wait"))
        .and_then(|(_, value)| value.trim().trim_matches('"').parse::<u64>().ok())
        .map(|seconds| shortened(seconds.saturating_mul(1000)))
}

fn shortened(wait_ms: u64) -> u32 {
    u32::try_from(wait_ms).unwrap_or(REST_WAIT_MAX_MS).min(REST_WAIT_MAX_MS)
}

fn decode(text: &str) -> Option<Cow<'_, str>> {
    if !text.contains('+') {
        return percent_decode_str(text).decode_utf8().ok();
    }
    let spaced = text.replace('+', " ");
    let decoded = percent_decode_str(&spaced).decode_utf8().ok()?;
    Some(Cow::Owned(decoded.into_owned()))
}

/// Reads the name of a resource or ticket; `what` it is goes into the error.
///
/// # Errors
/// `bad-request` when it is no name.
pub fn name(text: &str, what: &str) -> Result<Name, Problem> {
    Name::parse(text).map_err(|why| Problem::bad(format!("{what} {why}")))
}

/// Reads a segment of a path as a name.
///
/// # Errors
/// `bad-request` when it is not UTF-8 or no name.
pub fn path_name(segment: &str) -> Result<Name, Problem> {
    let text = percent_decode_str(segment).decode_utf8();
    name(&text.map_err(|_| Problem::bad("resource must be UTF-8"))?, "resource")
}

/// Checks a TTL in ms.
///
/// # Errors
/// `bad-request` when it is out of bounds.
pub fn ttl(ttl_ms: i64) -> Result<Ttl, Problem> {
    Ttl::new(ttl_ms).ok_or_else(|| {
        Problem::bad(format!("ttl must be between {TTL_MIN_MS} and {TTL_MAX_MS} ms"))
    })
}

/// Checks a ticket's data.
///
/// # Errors
/// `too-large`.
pub fn data(bytes: &[u8]) -> Result<Data, Problem> {
    Data::new(bytes).ok_or_else(too_large)
}

/// What too much data is told.
#[must_use]
pub fn too_large() -> Problem {
    Problem::new(Code::TooLarge, "data must be at most 1024 bytes")
}

/// Reads who is asking. Text that is no id is nobody's.
///
/// # Errors
/// `bad-request` when it is missing, else `None` for nobody's.
pub fn session(text: Option<&str>) -> Result<Option<SessionId>, Problem> {
    let text = text.ok_or_else(|| Problem::bad("sessid is missing"))?;
    Ok(read_id(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_are_decoded_and_the_first_of_a_name_counts() {
        let query = Query::new(Some("name=a+b%2Bc&name=d&%66ence=7&empty=&bad=%ff&wait=12"));
        assert_eq!(query.get("name").unwrap().unwrap(), "a b+c");
        assert_eq!(query.fence().unwrap(), Some(Fence(7)));
        assert_eq!(query.get("empty").unwrap(), None);
        assert_eq!(query.get("bad").unwrap_err().code, Code::BadRequest);
        assert_eq!(query.wait_ms().unwrap(), Some(12));
    }

    #[test]
    fn ttls_are_bounded_but_nonsense_is_the_default() {
        for (text, ttl_ms) in [("", 5000), ("ttl=abc", 5000), ("ttl=1.5", 5000), ("ttl=50", 50)] {
            assert_eq!(Query::new(Some(text)).ttl().unwrap().as_ms(), ttl_ms);
        }
        for text in ["ttl=49", "ttl=0", "ttl=-1", "ttl=86400001", "ttl=99999999999999999999"] {
            let problem = Query::new(Some(text)).ttl().unwrap_err();
            assert_eq!(problem.detail, "ttl must be between 50 and 86400000 ms");
        }
    }

    #[test]
    fn what_more_may_be_said_has_its_bounds() {
        let query = Query::new(Some("stay=true&new=false&priority=9&delay=7&attempts=3&hold=100"));
        let terms = TicketTerms {
            stay: true,
            only_new: false,
            priority: 9,
            delay_ms: 7,
            attempts: Some(3),
            hold_ms: Some(100),
        };
        assert_eq!(query.ticket_terms().unwrap(), terms);
        let plain = Query::new(Some("name=a"));
        assert_eq!(plain.ticket_terms().unwrap(), TicketTerms::default());
        assert_eq!(plain.lock_ask().unwrap(), LockAsk::default());
        assert_eq!(plain.parting().unwrap(), Parting::default());
        assert_eq!(plain.conduct().unwrap(), Conduct::default());
        for text in ["stay=yes", "priority=10", "priority=-1", "attempts=0", "hold=99", "delay=x"] {
            let problem = Query::new(Some(text)).ticket_terms().unwrap_err();
            assert_eq!(problem.code, Code::BadRequest, "{text}");
        }
        for text in ["mode=both", "steal=true&mode=shared", "steal=true&fence=7"] {
            let problem = Query::new(Some(text)).lock_ask().unwrap_err();
            assert_eq!(problem.code, Code::BadRequest, "{text}");
        }
        assert!(Query::new(Some("delay=60001")).conduct().is_err());
    }

    #[test]
    fn waits_are_clamped_and_preferences_are_only_that() {
        let wait = |query| Query::new(Some(query)).wait_ms();
        assert_eq!(wait("").unwrap(), None);
        assert_eq!(wait("wait=99999999999999999999999").unwrap(), Some(60_000));
        assert!(wait("wait=-1").is_err());
        assert_eq!(preferred_wait_ms("respond-async, wait=3"), Some(3000));
        assert_eq!(preferred_wait_ms("wait=99999999999999999999"), None);
        assert_eq!(preferred_wait_ms("wait=9999999999"), Some(60_000));
        assert_eq!(preferred_wait_ms("wait=soon"), None);
    }
}
