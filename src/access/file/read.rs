//! Makes a policy of an access file, or says what is wrong with it.

use std::collections::HashSet;
use std::collections::hash_map::Entry;
use std::hash::Hash;
use std::sync::Arc;

use toml::Spanned;

use super::fault::{BadFile, FileFault, without_tokens};
use super::shape::{AllowShape, AnonymousShape, FileShape, PrincipalShape, SignerShape};
use crate::access::jwt::{Signer, SigningAlgorithm, VerifyingKey, key_set};
use crate::access::policy::Policy;
use crate::access::quotas::Quotas;
use crate::access::rules::{Rule, Rules};
use crate::access::subject::{CertificateName, Proof, Subject, SubjectParts};
use crate::access::table::Table;
use crate::access::token::TokenHash;
use crate::machine::Name;
use crate::machine::Owner;

/// A file that an access file names, to be watched with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedFile {
    /// Its path as it stands there: from the access file's directory, unless it is absolute.
    pub path: String,
    /// Whether nobody else may read it.
    pub secret: bool,
}

/// What an access file came to.
#[derive(Debug)]
pub struct PolicyFile {
    /// The policy, or the first thing that is wrong.
    pub policy: Result<Policy, FileFault>,
    /// The files that were asked for, in either case.
    pub named: Vec<NamedFile>,
}

/// What is wrong, and where: bytes from the start of the file.
type Refused = (usize, BadFile);

/// Reads an access file. `open` gives the bytes of a file that it names, or says why not.
pub fn read_policy(
    file: &[u8],
    mut open: impl FnMut(&str) -> Result<Vec<u8>, String>,
) -> PolicyFile {
    let mut named = Vec::new();
    let mut draft = PolicyDraft { policy: Policy::default(), named: &mut named, open: &mut open };
    let policy = match draft.read(file) {
        Ok(()) => Ok(draft.policy),
        Err((at, why)) => {
            let before = &file[..at.min(file.len())];
            let line = 1 + before.iter().filter(|&&byte| byte == b'\n').count();
            Err(FileFault { line, why })
        }
    };
    PolicyFile { policy, named }
}

/// A policy in the making.
struct PolicyDraft<'d, O> {
    policy: Policy,
    named: &'d mut Vec<NamedFile>,
    open: &'d mut O,
}

impl<O: FnMut(&str) -> Result<Vec<u8>, String>> PolicyDraft<'_, O> {
    fn read(&mut self, file: &[u8]) -> Result<(), Refused> {
        let text = str::from_utf8(file).map_err(|bad| (bad.valid_up_to(), BadFile::Encoding))?;
        let shape: FileShape = toml::from_str(text).map_err(|bad| {
            let at = bad.span().map_or(0, |span| span.start);
            (at, BadFile::Shape(without_tokens(bad.message())))
        })?;
        let mut names = HashSet::new();
        for Table(principal) in &shape.principal {
            let name = unique_name(&principal.name, &mut names)?;
            self.principal(name, principal)?;
        }
        let mut names = HashSet::new();
        for Table(signer) in &shape.signer {
            let name = unique_name(&signer.name, &mut names)?;
            let signer = self.signer(name, signer)?;
            self.policy.signers.push(signer);
        }
        if let Some(Table(anonymous)) = &shape.anonymous {
            self.policy.anonymous = Some(unsigned(anonymous)?);
        }
        Ok(())
    }

    fn principal(&mut self, name: Name, shape: &PrincipalShape) -> Result<(), Refused> {
        let allow = rules(&shape.allow)?;
        let owner = Some(Owner::Principal(name));
        let subject = |proof| subject(owner.clone(), &allow, shape.quotas(), proof);
        for word in &shape.token_sha256 {
            let hash = TokenHash::parse(word.get_ref()).ok_or_else(|| {
                let token = word.get_ref().trim_start().starts_with("tkd_");
                at(word, if token { BadFile::TokenAsHash } else { BadFile::Hash })
            })?;
            let entry = self.policy.tokens.entry(hash);
            vacant(entry, subject(Proof::Token(hash)), at(word, BadFile::HashTwice))?;
        }
        for word in &shape.certificate {
            let name = CertificateName::parse(word.get_ref());
            let name = name.ok_or_else(|| at(word, BadFile::Certificate))?;
            let entry = self.policy.certificates.entry(name.clone());
            let twice = at(word, BadFile::CertificateTwice);
            vacant(entry, subject(Proof::Certificate(name)), twice)?;
        }
        Ok(())
    }

    fn signer(&mut self, name: Name, shape: &SignerShape) -> Result<Signer, Refused> {
        for (key, word) in [("issuer", &shape.issuer), ("audience", &shape.audience)] {
            if word.get_ref().is_empty() {
                return Err(at(word, BadFile::Empty(key)));
            }
        }
        let algorithm = SigningAlgorithm::parse(shape.algorithm.get_ref())
            .ok_or_else(|| at(&shape.algorithm, BadFile::Algorithm))?;
        let (issuer, audience) =
            (shape.issuer.get_ref().as_str(), shape.audience.get_ref().as_str());
        let same = |other: &Signer| {
            (&*other.issuer, &*other.audience, other.algorithm) == (issuer, audience, algorithm)
        };
        if self.policy.signers.iter().any(same) {
            return Err(at(&shape.name, BadFile::SignerTwice));
        }
        Ok(Signer {
            name,
            issuer: issuer.into(),
            algorithm,
            audience: audience.into(),
            keys: self.keys(algorithm, shape)?.into(),
            is_key_set: shape.jwks_file.is_some(),
            allow: rules(&shape.allow)?,
            quotas: shape.quotas(),
        })
    }

    /// The keys of a signer, from the one file that it names.
    fn keys(
        &mut self,
        algorithm: SigningAlgorithm,
        shape: &SignerShape,
    ) -> Result<Vec<VerifyingKey>, Refused> {
        let files = [&shape.key_file, &shape.jwks_file, &shape.secret_file];
        let mut given = files.into_iter().flatten();
        let (Some(path), None) = (given.next(), given.next()) else {
            return Err(at(&shape.name, BadFile::KeyFiles));
        };
        let secret = shape.secret_file.is_some();
        if secret != (algorithm == SigningAlgorithm::Hs256) {
            return Err(at(path, BadFile::SecretFile));
        }
        let file = path.get_ref();
        self.named.push(NamedFile { path: file.clone(), secret });
        let bytes =
            (self.open)(file).map_err(|why| at(path, BadFile::Unreadable(file.clone(), why)))?;
        let keys = if secret {
            VerifyingKey::from_secret(&bytes).map(|key| vec![key])
        } else if shape.jwks_file.is_some() {
            key_set(algorithm, &bytes)
        } else {
            VerifyingKey::from_pem(algorithm, &bytes).map(|key| vec![key])
        };
        keys.map_err(|why| at(path, BadFile::Key(file.clone(), why)))
    }
}

/// The rules of who shows nothing.
fn unsigned(shape: &AnonymousShape) -> Result<Subject, Refused> {
    Ok(subject(None, &rules(&shape.allow)?, shape.quotas(), Proof::Nothing))
}

/// Somebody whose proof only the file ends.
fn subject(owner: Option<Owner>, allow: &Arc<[Rule]>, quotas: Quotas, proof: Proof) -> Subject {
    let rules = Rules::new(allow.clone(), None);
    Subject::new(SubjectParts { owner, rules, quotas, proof, begins: 0, ends: None })
}

fn rules(allow: &AllowShape) -> Result<Arc<[Rule]>, Refused> {
    let rules = allow.iter().map(|shape| {
        let Table(words) = shape.get_ref();
        words.rule().map_err(|fault| {
            let begin = fault.at.unwrap_or(shape.span().start);
            (begin, BadFile::Rule(fault.why))
        })
    });
    rules.collect()
}

fn unique_name(word: &Spanned<String>, names: &mut HashSet<String>) -> Result<Name, Refused> {
    let name = Name::parse(word.get_ref()).map_err(|why| at(word, BadFile::Name(why)))?;
    if !names.insert(word.get_ref().clone()) {
        return Err(at(word, BadFile::NameTwice(word.get_ref().clone())));
    }
    Ok(name)
}

/// Puts `value` where there is none yet.
fn vacant<K: Eq + Hash, V>(
    entry: Entry<'_, K, V>,
    value: V,
    twice: Refused,
) -> Result<(), Refused> {
    match entry {
        Entry::Occupied(_) => Err(twice),
        Entry::Vacant(entry) => {
            entry.insert(value);
            Ok(())
        }
    }
}

/// What is wrong with a word, with where it begins.
fn at(word: &Spanned<String>, why: BadFile) -> Refused {
    (word.span().start, why)
}
