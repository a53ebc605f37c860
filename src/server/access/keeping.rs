//! A policy that is kept up with its file: read when somebody asks for it, and when it has changed
//! and is at rest.

use std::path::Path;
use std::sync::Arc;

use crate::audit::{AuditLine, AuditWhat};
use crate::server::looks::{Looks, RereadAsked};

use super::file::{AccessFault, AccessFile, AccessReading};
use super::in_force::Access;

impl Access {
    /// Goes by what stands in an access file, and by what will stand there while a server runs.
    ///
    /// # Errors
    /// The first thing that is wrong with it: nothing of it counts then.
    pub fn load(path: &Path) -> Result<Arc<Self>, AccessFault> {
        let (file, policy, warnings) = AccessFile::open(path)?;
        tell(&file, &warnings);
        Ok(Self::of(policy, Some(file)))
    }

    /// Reads the file again whenever `asked` changes, and when it has.
    pub(crate) async fn keep_up(self: Arc<Self>, mut asked: RereadAsked) {
        let Some(mut file) = self.file.clone() else { return };
        let mut looks = Looks::new(file.print());
        while let Some(is_asked) = asked.next().await {
            let looker = file.clone();
            let read = move || match is_asked {
                true => Some(looker.read_again()),
                false => looker.read_if_changed(),
            };
            let Ok(read) = tokio::task::spawn_blocking(read).await else { continue };
            let found = read.as_ref().map_or(file.print(), |read| read.layout.print);
            if is_asked {
                looks.tried(found);
            } else if !looks.look(found) {
                continue;
            }
            if let Some(read) = read {
                self.take(&mut file, read);
            }
            if is_asked {
                asked.done();
            }
        }
    }

    /// Goes on with what was read, or with the old if that is not good.
    fn take(&self, file: &mut AccessFile, read: AccessReading) {
        let AccessReading { policy, layout, warnings } = read;
        file.was_read(layout);
        match policy {
            Ok(policy) => {
                self.replace(policy);
                tell(file, &warnings);
                let reason = Some(file.path().display().to_string().into());
                self.tell(AuditLine { reason, ..AuditLine::new(AuditWhat::Reloaded) });
            }
            Err(why) => {
                let reason = Some(why.to_string().into());
                self.tell(AuditLine { reason, ..AuditLine::new(AuditWhat::ReloadRefused) });
                let count = self.refuse();
                tracing::error!(count, "the old access file stays: {why}");
            }
        }
    }
}

/// Tells what was read, and what is odd about it.
fn tell(file: &AccessFile, warnings: &[String]) {
    tracing::info!("{}: who may come in, and what each may do", file.path().display());
    for warning in warnings {
        tracing::warn!("{warning}");
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt;
    use std::path::PathBuf;
    use std::time::Duration;

    use tokio::task::JoinHandle;

    use crate::access::{Token, first_file};
    use crate::machine::Name;
    use crate::server::looks::{LOOK_EVERY, Rereader};

    use super::*;

    /// A directory that goes with this, a policy that is kept up with a file in it, and who asks.
    struct Kept {
        dir: PathBuf,
        access: Arc<Access>,
        asked: Rereader,
        keeping: JoinHandle<()>,
    }

    impl Drop for Kept {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.dir);
        }
    }

    /// A file of a signer whose secret is in a file of its own.
    const SIGNER: &str = "[[signer]]\nname = \"web\"\nissuer = \"i\"\nalgorithm = \"HS256\"\n\
                          audience = \"a\"\nsecret-file = \"secret\"\n";

    impl Kept {
        fn new(test: &str, file: &str) -> Self {
            let dir = std::env::temp_dir().join(format!("ticketd-{test}-{}", std::process::id()));
            fs::create_dir(&dir).unwrap();
            fs::write(dir.join("secret"), [1; 32]).unwrap();
            fs::write(dir.join("access.toml"), file).unwrap();
            let access = Access::load(&dir.join("access.toml")).unwrap();
            let asked = Rereader::default();
            let keeping = tokio::spawn(access.clone().keep_up(asked.hear()));
            Self { dir, access, asked, keeping }
        }

        fn write(&self, name: &str, text: impl AsRef<[u8]>) {
            fs::write(self.dir.join(name), text).unwrap();
        }

        /// How often the policy was replaced, and how often a file did not count, after so many
        /// looks.
        async fn after(&self, looks: u32) -> (u64, u64) {
            tokio::time::sleep(LOOK_EVERY * looks + LOOK_EVERY / 2).await;
            (*self.access.changes().borrow(), self.access.refused_files())
        }

        /// The same at once, because somebody asks.
        async fn at_once(&self) -> (u64, u64) {
            self.asked.read_again();
            tokio::time::sleep(Duration::from_millis(1)).await;
            (*self.access.changes().borrow(), self.access.refused_files())
        }

        fn knows(&self, token: &Token) -> bool {
            self.access.gate.policy().by_token(token.hash()).is_some()
        }
    }

    fn token(number: u8) -> Token {
        Token::from_random([number; 32])
    }

    fn file(token: &Token) -> String {
        first_file(&Name::parse("one").unwrap(), &token.hash(), true)
    }

    #[tokio::test(start_paused = true)]
    async fn what_two_looks_find_counts_whole_or_not_at_all() {
        let [old, new] = [token(1), token(2)];
        let kept = Kept::new("looks", &file(&old));
        assert_eq!(kept.after(3).await, (0, 0), "nothing has changed");
        kept.write("access.toml", &file(&new)[..40]);
        assert_eq!(kept.after(0).await, (0, 0), "half of it is found once");
        kept.write("access.toml", file(&new));
        assert_eq!(kept.after(0).await, (0, 0), "the whole is found once");
        assert_eq!(kept.after(1).await, (1, 0));
        assert!(kept.knows(&new) && !kept.knows(&old));
        assert_eq!(kept.after(3).await, (1, 0), "it is taken once");
        kept.write("access.toml", file(&old) + "who = 1\n");
        assert_eq!(kept.after(4).await, (1, 1), "it is refused once");
        assert!(kept.knows(&new) && !kept.knows(&old));
        fs::remove_file(kept.dir.join("access.toml")).unwrap();
        assert_eq!(kept.after(4).await, (1, 2));
        assert!(kept.knows(&new), "who takes the file away shuts nobody out, and lets nobody in");
        kept.write("access.toml", file(&old));
        assert_eq!(kept.after(4).await, (2, 2));
        assert!(kept.knows(&old));
    }

    #[tokio::test(start_paused = true)]
    async fn who_asks_does_not_wait_and_is_not_answered_twice() {
        let [old, new] = [token(3), token(4)];
        let mut kept = Kept::new("asks", &file(&old));
        kept.write("access.toml", file(&new));
        assert_eq!(kept.at_once().await, (1, 0));
        assert!(kept.knows(&new));
        assert_eq!(kept.after(3).await, (1, 0));
        kept.write("access.toml", "[[principal]]\n");
        assert_eq!(kept.at_once().await, (1, 1));
        assert_eq!(kept.after(3).await, (1, 1));
        kept.write("access.toml", file(&new));
        assert_eq!(kept.at_once().await, (2, 1), "also if it is as before");
        kept.asked = watch::Sender::new(());
        (&mut kept.keeping).await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_file_that_it_names_counts_as_it_does_itself() {
        let kept = Kept::new("names", SIGNER);
        kept.write("secret", [2; 32]);
        assert_eq!(kept.after(3).await, (1, 0));
        kept.write("secret", [3; 31]);
        assert_eq!(kept.after(3).await, (1, 1), "that is too short");
        fs::remove_file(kept.dir.join("secret")).unwrap();
        assert_eq!(kept.after(3).await, (1, 2));
        kept.write("other", [4; 32]);
        kept.write("access.toml", SIGNER.replace("secret\"", "other\""));
        assert_eq!(kept.after(3).await, (2, 2));
        kept.write("secret", [5; 32]);
        assert_eq!(kept.after(3).await, (2, 2), "it is named no more");
        kept.write("other", [6; 32]);
        assert_eq!(kept.after(3).await, (3, 2));
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_no_file_any_more_is_waited_for_by_nobody() {
        let kept = Kept::new("pipe", SIGNER);
        let secret = kept.dir.join("secret");
        fs::remove_file(&secret).unwrap();
        fs::create_dir(&secret).unwrap();
        assert_eq!(kept.after(3).await, (0, 0));
        assert_eq!(kept.at_once().await, (0, 1));
    }

    #[tokio::test(start_paused = true)]
    async fn what_others_may_read_or_write_is_warned_of() {
        let kept = Kept::new("open", SIGNER);
        let path = kept.dir.join("access.toml");
        for (access, secret, warnings) in [
            (0o600, 0o640, &[][..]),
            (0o644, 0o600, &["access.toml: others on this machine may read it"]),
            (0o600, 0o604, &["secret: others on this machine may read it"]),
            (0o602, 0o606, &["access.toml: others on this machine may write it", "secret: others"]),
        ] {
            fs::set_permissions(&path, Permissions::from_mode(access)).unwrap();
            fs::set_permissions(kept.dir.join("secret"), Permissions::from_mode(secret)).unwrap();
            let (_, _, found) = AccessFile::open(&path).unwrap();
            assert_eq!(found.len(), warnings.len(), "{found:?}");
            assert!(found.iter().zip(warnings).all(|(found, it)| found.contains(it)), "{found:?}");
        }
        let missing = kept.dir.join("missing.toml");
        let why = Access::load(&missing).unwrap_err().to_string();
        assert!(why.contains("missing.toml: No such file"), "{why}");
    }
}
