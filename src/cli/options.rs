//! The options, in clap's spelling and in Go's.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

use clap::{Args, Command, CommandFactory, FromArgMatches, Parser, Subcommand};

use url::Url;

use crate::wire::{AllowedOrigin, KnownHost, Network};

/// A coordination server that pushes: sessions, tickets, locks, fair queues.
#[derive(Debug, Parser)]
#[command(version, about, args_conflicts_with_subcommands = true, max_term_width = 100)]
pub(super) struct Words {
    #[command(subcommand)]
    pub(super) command: Option<Verb>,

    #[command(flatten)]
    pub(super) options: Options,
}

/// What to do instead of serving.
#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Serve; the same as without a command
    Serve(Box<Options>),
    /// Ask a server whether it is well: 0 if it is, else 1
    Healthcheck {
        /// The server's address
        #[arg(long, env = "TICKETD_URL", default_value = "http://127.0.0.1:8001")]
        url: Url,
    },
    /// Look at a journal: what is in it, and whether it is whole. Changes nothing
    Check {
        /// The journal's directory
        dir: PathBuf,
        /// Set damaged files aside and go on with what is whole
        #[arg(long)]
        repair: bool,
    },
    /// Make a checked copy of a journal, also while its server runs
    Backup {
        /// The journal's directory
        dir: PathBuf,
        /// The copy's name, which must be new
        target: PathBuf,
    },
    /// Make a token for who may come in: print it, its hash, and a whole first access file
    Token {
        /// Who shows it, as the access file and the log name it
        #[arg(long)]
        name: String,
        /// It may do everything everywhere
        #[arg(long)]
        admin: bool,
    },
}

/// The server's options.
#[derive(Debug, Args)]
pub(super) struct Options {
    /// Where to listen; port 0 takes a free one
    #[arg(short, long, env = "TICKETD_LISTEN", value_name = "HOST:PORT")]
    #[arg(default_value = "0.0.0.0:8001")]
    pub(super) listen: String,

    /// Directory of the journal; without it everything is kept in memory only
    #[arg(long, env = "TICKETD_SNAPPATH", value_name = "DIR")]
    pub(super) snappath: Option<PathBuf>,

    /// What survives: with always a power cut, with interval the server's end and of a power cut
    /// all but the last --snapshot ms, with none the server's end
    /// [default: always]
    #[arg(long, env = "TICKETD_DURABILITY", value_name = "POLICY")]
    #[arg(value_parser = ["always", "interval", "none"])]
    pub(super) durability: Option<String>,

    /// How late a session ends at most, and how long an emptied resource stays known, in ms
    #[arg(long, env = "TICKETD_EXPIRE", value_name = "MS", default_value_t = 500)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=3_600_000))]
    #[arg(allow_negative_numbers = true)]
    pub(super) expire: u32,

    /// How long a connection may idle between requests, and a request's head be on its way, in ms;
    /// at most twice as long
    #[arg(long, env = "TICKETD_IDLE", value_name = "MS", default_value_t = 15_000)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=3_600_000))]
    #[arg(allow_negative_numbers = true)]
    pub(super) idle: u32,

    /// How often an image is written at most, and with --durability interval how often is synced,
    /// in ms
    #[arg(long, env = "TICKETD_SNAPSHOT", value_name = "MS", allow_negative_numbers = true)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=3_600_000), default_value_t = 1000)]
    pub(super) snapshot: u32,

    /// An image is written when the journal behind the last one has more bytes than this and than
    /// that image
    #[arg(long = "image-after", env = "TICKETD_IMAGE_AFTER", value_name = "BYTES")]
    #[arg(default_value_t = 64 << 20)]
    #[arg(allow_negative_numbers = true)]
    pub(super) snapshot_after: u64,

    /// What is logged: 0 nothing, 1 what went wrong, 2 what happens, 3 everything
    #[arg(long, env = "TICKETD_LOGLEVEL", value_name = "0-3", default_value_t = 2)]
    #[arg(value_parser = clap::value_parser!(u8).range(0..=3), allow_negative_numbers = true)]
    pub(super) loglevel: u8,

    /// How the log is written: for people, or a JSON object a line
    #[arg(long, env = "TICKETD_LOG_FORMAT", value_name = "FORMAT", default_value = "text")]
    #[arg(value_parser = ["text", "json"])]
    pub(super) log_format: String,

    /// Resources that /metrics tells of one by one: a name, or the beginning of names and a *;
    /// repeatable. The first 1000 are told of
    #[arg(long, env = "TICKETD_METRICS_RESOURCE", value_name = "PATTERN", value_delimiter = ',')]
    pub(super) metrics_resource: Vec<String>,

    /// Read all options and files, say whether they are good, and end with 0 or 2
    #[arg(long)]
    pub(super) check_config: bool,

    /// Origin whose pages may use this server, such as https://example.org; repeatable; * for all
    #[arg(long, env = "TICKETD_ALLOW_ORIGIN", value_name = "ORIGIN", value_delimiter = ',')]
    pub(super) allow_origin: Vec<AllowedOrigin>,

    /// Name by which this server is known, such as t.example.org or *.example.org; repeatable; *
    /// for any. Addresses, localhost, names without a dot and private ones need not be given
    #[arg(long, env = "TICKETD_HOST", value_name = "NAME", value_delimiter = ',')]
    pub(super) host: Vec<KnownHost>,

    /// Who may come in, and what each may do (TOML); without it whoever reaches the port may do
    /// everything. Read again on SIGHUP, and by itself when it has changed
    #[arg(long, env = "TICKETD_ACCESS", value_name = "FILE")]
    pub(super) access: Option<PathBuf>,

    /// Where it is told, a JSON object a line, who was granted what, what ended, and who was
    /// refused; - for standard error. Opened anew on SIGHUP
    #[arg(long, env = "TICKETD_AUDIT", value_name = "FILE")]
    pub(super) audit: Option<PathBuf>,

    /// Speak TLS with this certificate, and those between it and its authority (PEM). It is read
    /// again on SIGHUP, and by itself when it has changed
    #[arg(long, env = "TICKETD_TLS_CERT", value_name = "FILE", requires = "tls_key")]
    pub(super) tls_cert: Option<PathBuf>,

    /// The certificate's key (PEM)
    #[arg(long, env = "TICKETD_TLS_KEY", value_name = "FILE", requires = "tls_cert")]
    pub(super) tls_key: Option<PathBuf>,

    /// Authorities whose clients' certificates are believed (PEM). Clients are asked for one; they
    /// need not have one
    #[arg(long, env = "TICKETD_TLS_CLIENT_CA", value_name = "FILE", requires = "tls_cert")]
    pub(super) tls_client_ca: Option<PathBuf>,

    /// Network of proxies that are believed when they say by X-Forwarded-For whom they were asked
    /// by, such as 10.0.0.0/8; repeatable
    #[arg(long, env = "TICKETD_TRUST_PROXY", value_name = "CIDR", value_delimiter = ',')]
    pub(super) trust_proxy: Vec<Network>,

    /// Most connections of one address at a time; 0 for no bound
    #[arg(long, env = "TICKETD_MAX_CONNECTIONS", value_name = "N", default_value_t = 0)]
    #[arg(allow_negative_numbers = true)]
    pub(super) max_connections: u32,

    /// Most requests of one address a second; 0 for no bound
    #[arg(long, env = "TICKETD_RATE", value_name = "N", default_value_t = 0)]
    #[arg(allow_negative_numbers = true)]
    pub(super) rate: u32,
}

impl Words {
    /// Reads the command line and the variables.
    pub(super) fn read(words: impl Iterator<Item = OsString>) -> Result<Self, clap::Error> {
        let mut command = without_empty_variables(Self::command(), |name| std::env::var_os(name));
        let matches = command.try_get_matches_from_mut(in_our_spelling(words))?;
        Self::from_arg_matches(&matches).map_err(|why| why.format(&mut command))
    }
}

/// An empty variable is an unset one.
fn without_empty_variables(
    command: Command,
    value: impl Fn(&OsStr) -> Option<OsString>,
) -> Command {
    command.mut_args(|arg| {
        let empty = arg.get_env().and_then(&value).is_some_and(|value| value.is_empty());
        if empty { arg.env(None::<&'static str>) } else { arg }
    })
}

/// Go's programs take `-name x` and `-name=x` for `--name x`.
fn in_our_spelling(words: impl Iterator<Item = OsString>) -> impl Iterator<Item = OsString> {
    words.map(|word| {
        let long = word.to_str().and_then(|text| text.strip_prefix('-')).is_some_and(|rest| {
            let name = rest.split('=').next().unwrap_or("");
            name.len() > 1
                && name.bytes().all(|b| b.is_ascii_lowercase() || b == b'-')
                && !name.starts_with('-')
        });
        if !long {
            return word;
        }
        let mut ours = OsString::from("-");
        ours.push(word);
        ours
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(words: &[&str]) -> Result<Options, String> {
        let words = std::iter::once("ticketd").chain(words.iter().copied()).map(OsString::from);
        Words::read(words).map(|words| words.options).map_err(|why| why.to_string())
    }

    #[test]
    fn go_and_gnu_spell_alike() {
        for words in [
            &["-l", "127.0.0.1:1", "-loglevel=3", "-expire", "100"][..],
            &["-l=127.0.0.1:1", "--loglevel=3", "--expire=100"],
            &["--listen", "127.0.0.1:1", "--loglevel", "3", "-expire=100"],
        ] {
            let options = parsed(words).unwrap();
            assert_eq!(options.listen, "127.0.0.1:1");
            assert_eq!((options.loglevel, options.expire), (3, 100));
        }
    }

    #[test]
    fn nonsense_is_refused() {
        for words in [
            &["--expire", "-1"][..],
            &["-expire=0"],
            &["--expire", "soon"],
            &["--loglevel", "4"],
            &["--no-such-flag"],
            &["extra"],
            &["--allow-origin", "example.org"],
            &["--allow-origin", "https://example.org/path"],
            &["--allow-origin", "https://*.example.org"],
            &["--host", "t.example.org:8001"],
            &["--trust-proxy", "10.0.0.5/8"],
            &["--tls-cert", "cert.pem"],
            &["--tls-key", "key.pem"],
            &["--tls-client-ca", "ca.pem"],
            &["--tls-client-ca", "ca.pem", "--tls-cert", "cert.pem"],
        ] {
            assert!(parsed(words).is_err(), "{words:?}");
        }
    }

    #[test]
    fn every_variable_is_unset_when_it_is_empty() {
        let variables = |command: &Command| {
            command.get_arguments().filter(|arg| arg.get_env().is_some()).count()
        };
        let all = variables(&Words::command());
        assert!(all > 10, "{all}");
        let none = without_empty_variables(Words::command(), |_| Some(OsString::new()));
        assert_eq!(variables(&none), 0);
        let kept = without_empty_variables(Words::command(), |_| None);
        assert_eq!(variables(&kept), all);
    }
}
