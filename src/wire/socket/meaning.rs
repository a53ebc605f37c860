//! What the members of a request mean.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;

use crate::machine::{
    CLAIM_FIRST_MAX, Conduct, DATA_MAX_BYTES, Data, Fence, LockAsk, Mode, NUMBER_END, Name,
    Parting, SessionName, TicketTerms, Ttl, WAIT_MAX_MS, WaitTimeout,
};
use crate::wire::id::read_id;
use crate::wire::problem::Problem;
use crate::wire::query;
use crate::wire::terms::{
    self, ATTEMPTS, Bounded, DELAY, HOLD, LIMIT, LIMIT_DEFAULT, LOSS_DELAY, PRIORITY,
};

use super::members::{Members, Value};
use super::op::{ClaimWish, Hello, Op, ShownToken, Who};

impl Members<'_> {
    pub(super) fn hello(&self) -> Result<Hello, Problem> {
        let beat = match &self.liveness {
            Value::Missing => false,
            Value::Text(way) if way == "ping" => false,
            Value::Text(way) if way == "beat" => true,
            _ => return Err(Problem::bad("liveness must be \"ping\" or \"beat\"")),
        };
        let who = match &self.session {
            Value::Missing => {
                let (name, ttl) = (self.name()?, self.ttl()?);
                Who::New { name, ttl, conduct: self.conduct()? }
            }
            Value::Text(session) => {
                let attempt = match self.attempt {
                    Value::Missing => None,
                    Value::Whole(attempt) if attempt < NUMBER_END => Some(attempt),
                    _ => return Err(Problem::bad("attempt must be an integer below 2^53")),
                };
                Who::Known { session: read_id(session), attempt }
            }
            _ => return Err(Problem::bad("session must be an id")),
        };
        Ok(Hello { beat, who, token: self.shown()? })
    }

    pub(super) fn shown(&self) -> Result<Option<ShownToken>, Problem> {
        match &self.token {
            Value::Missing => Ok(None),
            Value::Text(token) => Ok(Some(ShownToken((&**token).into()))),
            _ => Err(Problem::bad("token must be a string")),
        }
    }

    fn name(&self) -> Result<SessionName, Problem> {
        let text = match &self.name {
            Value::Missing => "",
            Value::Text(text) => text,
            _ => return Err(Problem::bad("name must be a string")),
        };
        SessionName::parse(text).map_err(|why| Problem::bad(format!("name {why}")))
    }

    fn ttl(&self) -> Result<Ttl, Problem> {
        match self.ttl {
            Value::Missing => query::ttl(query::TTL_DEFAULT_MS),
            Value::Whole(ttl_ms) => query::ttl(i64::try_from(ttl_ms).unwrap_or(i64::MAX)),
            _ => query::ttl(-1),
        }
    }

    pub(super) fn resource(&self) -> Result<Name, Problem> {
        text_name(&self.resource, "resource")
    }

    pub(super) fn ticket(&self) -> Result<Name, Problem> {
        text_name(&self.ticket, "ticket")
    }

    fn wait(&self) -> Result<Option<WaitTimeout>, Problem> {
        match self.wait {
            Value::Missing | Value::Bool(false) | Value::Whole(0) => Ok(None),
            Value::Bool(true) => Ok(Some(WaitTimeout::Session)),
            Value::Whole(ms) => match u32::try_from(ms) {
                Ok(ms) if ms <= WAIT_MAX_MS => Ok(Some(WaitTimeout::Ms(ms))),
                _ => Err(Problem::bad("wait must be at most 86400000 ms, or true")),
            },
            Value::Text(_) | Value::Texts(_) | Value::Strange => {
                Err(Problem::bad("wait must be a number of ms, or true"))
            }
        }
    }

    pub(super) fn fence(&self) -> Result<Option<Fence>, Problem> {
        match self.fence {
            Value::Missing => Ok(None),
            Value::Whole(fence) if fence < NUMBER_END => Ok(Some(Fence(fence))),
            _ => Err(Problem::bad("fence must be an integer below 2^53")),
        }
    }

    fn data(&self) -> Result<Option<Data>, Problem> {
        match (&self.data, &self.data64) {
            (Value::Missing, Value::Missing) => Ok(None),
            (Value::Text(text), Value::Missing) => query::data(text.as_bytes()).map(Some),
            (Value::Missing, Value::Text(text)) => {
                if text.len() > DATA_MAX_BYTES.div_ceil(3) * 4 {
                    return Err(query::too_large());
                }
                let bytes = BASE64.decode(&**text);
                let bytes = bytes.map_err(|_| Problem::bad("data64 must be padded base64"))?;
                query::data(&bytes).map(Some)
            }
            (Value::Missing, _) => Err(Problem::bad("data64 must be a string")),
            (_, Value::Missing) => Err(Problem::bad("data must be a string")),
            _ => Err(Problem::bad("give data or data64, not both")),
        }
    }

    fn conduct(&self) -> Result<Conduct, Problem> {
        let delay_ms = number(&self.delay, LOSS_DELAY)?.unwrap_or_default();
        Ok(Conduct { delay_ms, blocking: flag(&self.blocking, "blocking")? })
    }

    pub(super) fn optional_ticket(&self) -> Result<Option<Name>, Problem> {
        match self.ticket {
            Value::Missing => Ok(None),
            _ => self.ticket().map(Some),
        }
    }

    pub(super) fn lock(&self) -> Result<Op, Problem> {
        let mode = match &self.mode {
            Value::Missing => Mode::default(),
            Value::Text(mode) => terms::mode(Some(mode))?,
            _ => terms::mode(None)?,
        };
        let (data, fence, steal) = (self.data()?, self.fence()?, flag(&self.steal, "steal")?);
        let ask = terms::lock_ask(LockAsk { mode, data, fence, steal })?;
        let (wait, progress) = (self.wait()?, flag(&self.progress, "progress")?);
        Ok(Op::Lock { resource: self.resource()?, wait, ask, progress })
    }

    pub(super) fn claim(&self) -> Result<Op, Problem> {
        let (wait, hold_ms) = (self.wait()?, self.hold()?);
        let wish = ClaimWish { wait, hold_ms, progress: flag(&self.progress, "progress")? };
        if matches!(self.resources, Value::Missing) {
            let (resource, ticket) = (self.resource()?, self.optional_ticket()?);
            return Ok(Op::Claim { resource, ticket, wish });
        }
        match (&self.resource, &self.ticket) {
            (Value::Missing, Value::Missing) => {
                Ok(Op::ClaimFirst { resources: self.resources()?, wish })
            }
            _ => Err(Problem::bad("resources stands instead of resource and ticket")),
        }
    }

    fn resources(&self) -> Result<Vec<Name>, Problem> {
        let bad = || Problem::bad("resources must be a list of 1 to 32 different names");
        let Value::Texts(texts) = &self.resources else { return Err(bad()) };
        if texts.is_empty() || texts.len() > CLAIM_FIRST_MAX {
            return Err(bad());
        }
        let mut names: Vec<Name> = Vec::with_capacity(texts.len());
        for text in texts {
            let name = query::name(text, "resource")?;
            if names.contains(&name) {
                return Err(bad());
            }
            names.push(name);
        }
        Ok(names)
    }

    pub(super) fn release(&self) -> Result<Op, Problem> {
        let (resource, ticket, fence) = (self.resource()?, self.ticket()?, self.fence()?);
        let note = match &self.note {
            Value::Missing => None,
            Value::Text(text) => terms::note(text)?,
            _ => return Err(Problem::bad("note must be a string")),
        };
        let delay_ms = number(&self.delay, DELAY)?.unwrap_or_default();
        let (dead, untried) = (flag(&self.dead, "dead")?, flag(&self.untried, "untried")?);
        let parting = Parting { delay_ms, note, dead, untried };
        if flag(&self.force, "force")? {
            terms::no_parting(&parting)?;
            return Ok(Op::Force { resource, ticket: Some(ticket), fence });
        }
        Ok(Op::Release { resource, ticket, fence, parting })
    }

    pub(super) fn issue(&self) -> Result<Op, Problem> {
        let (resource, ticket) = (self.resource()?, self.ticket()?);
        let data = match self.data()? {
            Some(data) => data,
            None => query::data(&[])?,
        };
        let (notify, terms) = (flag(&self.notify, "notify")?, self.terms()?);
        Ok(Op::Issue { resource, ticket, data, notify, terms })
    }

    fn terms(&self) -> Result<TicketTerms, Problem> {
        Ok(TicketTerms {
            stay: flag(&self.stay, "stay")?,
            only_new: flag(&self.is_new, "new")?,
            priority: terms::priority(number(&self.priority, PRIORITY)?),
            delay_ms: number(&self.delay, DELAY)?.unwrap_or_default(),
            attempts: terms::attempts(number(&self.attempts, ATTEMPTS)?),
            hold_ms: self.hold()?,
        })
    }

    pub(super) fn hold(&self) -> Result<Option<u32>, Problem> {
        number(&self.hold, HOLD)
    }

    pub(super) fn limit(&self) -> Result<usize, Problem> {
        let limit = number(&self.limit, LIMIT)?;
        Ok(limit.map_or(LIMIT_DEFAULT, |limit| limit as usize))
    }
}

fn text_name(value: &Value<'_>, what: &str) -> Result<Name, Problem> {
    match value {
        Value::Missing => Err(Problem::bad(format!("{what} is missing"))),
        Value::Text(text) => query::name(text, what),
        _ => Err(Problem::bad(format!("{what} must be a string"))),
    }
}

pub(super) fn flag(value: &Value<'_>, what: &str) -> Result<bool, Problem> {
    match value {
        Value::Missing => Ok(false),
        Value::Bool(flag) => Ok(*flag),
        _ => Err(Problem::bad(format!("{what} must be true or false"))),
    }
}

fn number(value: &Value<'_>, bounded: Bounded) -> Result<Option<u32>, Problem> {
    match value {
        Value::Missing => Ok(None),
        Value::Whole(number) => bounded.check(Some(*number)).map(Some),
        _ => bounded.check(None).map(Some),
    }
}
