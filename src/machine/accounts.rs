//! Whose sessions are whose, and how much each has: what quotas are held against. Nothing here
//! refuses; who may name a session, and how many are too many, is asked before a command is given.

use super::command::{Reach, Refusal, Reply};
use super::names::{Account, AccountCounts, Name, Owner, SessionId};
use super::rows::{AccountKey, AccountRow, SessionKey, TicketKey};
use super::tables::Machine;

impl Machine {
    /// A session without an owner gets one; what it has goes with it. One that has an owner stays.
    pub(super) fn adopt(&mut self, session: SessionId, owner: &Owner) -> Result<Reply, Refusal> {
        let key = self.session_key(session)?;
        if let Some(of_another) = self.owner_of(key).map(|former| former != owner) {
            return if of_another {
                Err(Refusal::SessionNotFound)
            } else {
                Ok(Reply::Adopted(false))
            };
        }
        let issued = self.tables.sessions[key].issued.len();
        let former = self.tables.sessions[key].account;
        self.tables.accounts[former].counts.issued -= issued;
        self.leave_account(former);
        let account = self.enter_account(Account::Owner(owner.clone()));
        self.tables.accounts[account].counts.issued += issued;
        self.tables.sessions[key].account = account;
        assert!(self.owner_of(key) == Some(owner), "a session was adopted by another");
        Ok(Reply::Adopted(true))
    }

    /// One more session is in an account.
    pub(super) fn enter_account(&mut self, account: Account) -> AccountKey {
        let key = self.account_entry(account);
        let row = &mut self.tables.accounts[key];
        row.counts.sessions += 1;
        if let Some(parent) = row.parent {
            self.tables.accounts[parent].counts.sessions += 1;
        }
        assert!(self.tables.accounts.len() == self.tables.account_keys.len(), "accounts disagree");
        key
    }

    /// An account, entered with its parent if it is new.
    fn account_entry(&mut self, account: Account) -> AccountKey {
        if let Some(&key) = self.tables.account_keys.get(&account) {
            return key;
        }
        let parent = account.parent().map(|parent| self.account_entry(parent));
        let counts = AccountCounts::default();
        let row = AccountRow { account: account.clone(), counts, parent };
        let key = self.tables.accounts.insert(row);
        self.tables.account_keys.insert(account, key);
        key
    }

    /// A session less is in an account. One without any is forgotten.
    pub(super) fn leave_account(&mut self, key: AccountKey) {
        let row = &mut self.tables.accounts[key];
        assert!(row.counts.sessions > 0, "an account's sessions were miscounted");
        row.counts.sessions -= 1;
        let (left, parent) = (row.counts.sessions, row.parent);
        if left == 0 {
            let gone = self.tables.accounts.remove(key);
            assert!(gone.counts.issued == 0, "an account's tickets were miscounted");
            self.tables.account_keys.remove(&gone.account);
        }
        if let Some(parent) = parent {
            self.leave_account(parent);
        }
    }

    pub(super) fn issued_one(&mut self, session: SessionKey) {
        let account = self.tables.sessions[session].account;
        self.tables.accounts[account].counts.issued += 1;
    }

    pub(super) fn issued_one_less(&mut self, session: SessionKey) {
        let account = self.tables.sessions[session].account;
        let counts = &mut self.tables.accounts[account].counts;
        assert!(counts.issued > 0, "an account's tickets were miscounted");
        counts.issued -= 1;
    }

    pub(super) fn owner_of(&self, session: SessionKey) -> Option<&Owner> {
        match &self.tables.accounts[self.tables.sessions[session].account].account {
            Account::Owner(owner) => Some(owner),
            _ => None,
        }
    }

    /// Whose a session is; `None` when there is no such session.
    #[must_use]
    pub fn owner(&self, session: &SessionId) -> Option<Option<&Owner>> {
        self.living_key(session).map(|key| self.owner_of(key))
    }

    /// How much the account has that a session is counted in, and whether a ticket that the session
    /// issues would be one more.
    #[must_use]
    pub fn issuing(
        &self,
        session: &SessionId,
        resource: &Name,
        ticket: &Name,
    ) -> Option<(AccountCounts, bool)> {
        let key = self.living_key(session)?;
        let account = self.tables.sessions[key].account;
        let found = self
            .resource_key(resource.as_str())
            .and_then(|resource| self.tables.find_ticket(resource, ticket.as_str()));
        let issuer = found.and_then(|ticket| self.tables.tickets[ticket].issuer());
        let adds = issuer.is_none_or(|issuer| self.tables.sessions[issuer].account != account);
        Some((self.tables.accounts[account].counts, adds))
    }

    /// How much an account has.
    #[must_use]
    pub fn account_counts(&self, account: &Account) -> AccountCounts {
        let key = self.tables.account_keys.get(account);
        key.map(|&key| self.tables.accounts[key].counts).unwrap_or_default()
    }

    /// Whether a session may make a ticket vanish, whose rights reach no further.
    pub(super) fn reaches(&self, session: SessionKey, ticket: TicketKey, reach: Reach) -> bool {
        let ticket = &self.tables.tickets[ticket];
        let claimed_by = |hold| self.tables.holds[hold].session == session;
        match reach {
            Reach::Any => true,
            Reach::Issued => ticket.issuer == session,
            Reach::IssuedOrClaimed => {
                ticket.issuer == session || ticket.hold().is_some_and(claimed_by)
            }
        }
    }

    pub(super) fn check_accounts(&self) {
        let tables = &self.tables;
        assert_eq!(tables.accounts.len(), tables.account_keys.len());
        for (key, row) in tables.accounts.iter() {
            assert_eq!(tables.account_keys.get(&row.account), Some(&key));
            let parent = row.parent.map(|parent| tables.accounts[parent].account.clone());
            assert_eq!(parent, row.account.parent());
            let of_it = tables.sessions.iter().map(|(_, session)| session);
            let of_it = of_it.filter(|session| {
                session.account == key || tables.accounts[session.account].parent == Some(key)
            });
            let (mut sessions, mut issued) = (0, 0);
            for session in of_it {
                sessions += 1;
                issued += if session.account == key { session.issued.len() } else { 0 };
                let account = &tables.accounts[session.account].account;
                let owner = match account {
                    Account::Owner(owner) => Some(owner),
                    _ => None,
                };
                let source = &session.info.source;
                assert_eq!(Account::of(owner, source), *account);
            }
            assert!(sessions > 0, "an account without a session stayed");
            assert_eq!(row.counts, AccountCounts { sessions, issued });
        }
    }
}
