//! The URL of a database. It is parsed and judged before anything is opened, so that a mistake is reported at the start:
//! a password never gets into a log, and nothing is sent over a network in plain text unless an operator has allowed it.

use std::fmt;
use std::str::FromStr;

use url::Url;
use url::form_urlencoded::byte_serialize;

use super::dialect::Purpose;

/// Which database to use. Its text forms never show the password.
#[derive(Clone, PartialEq, Eq)]
pub enum DatabaseUrl {
    /// SQLite, with the path of the file.
    Sqlite(String),
    /// PostgreSQL, with the URL for libpq and the options that were added to it.
    Postgres(String),
}

/// Why a URL is refused.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    /// The scheme is that of neither database.
    #[error("a database URL is sqlite:PATH or postgres://USER@HOST/DATABASE, not '{0}'")]
    UnknownScheme(String),
    /// There is no path, or it asks for a database in memory.
    #[error("sqlite: must be followed by the path of a file")]
    NoPath,
    /// The text is no valid URL.
    #[error("the database URL cannot be read: {0}")]
    Malformed(String),
    /// There is a password for a database that has none.
    #[error("a password file is for PostgreSQL; SQLite has no password")]
    PasswordUnused,
    /// There is a password in the URL as well as in a file.
    #[error("the database URL has a password already, so there must be no password file")]
    PasswordTwice,
    /// The host is another machine, and the URL does not say that the connection may be unencrypted. libpq would use plain
    /// text without asking, because this build has no TLS for PostgreSQL.
    #[error(
        "the database host '{0}' is not this machine, and this build cannot encrypt the connection: \
         say sslmode=disable in the URL if the network between is trusted"
    )]
    PlainText(String),
}

impl FromStr for DatabaseUrl {
    type Err = UrlError;

    fn from_str(text: &str) -> Result<Self, UrlError> {
        match text.split_once(':') {
            Some(("sqlite", path)) => sqlite(path.strip_prefix("//").unwrap_or(path)),
            Some(("postgres" | "postgresql", _)) => postgres(text),
            // Only the scheme is shown: the rest may contain a password.
            Some((scheme, _)) => Err(UrlError::UnknownScheme(scheme.to_owned())),
            None => Err(UrlError::UnknownScheme(text.to_owned())),
        }
    }
}

fn sqlite(path: &str) -> Result<DatabaseUrl, UrlError> {
    // Every session opens the file for itself, so each would have a database in memory of its own.
    if path.is_empty() || path == ":memory:" {
        return Err(UrlError::NoPath);
    }
    Ok(DatabaseUrl::Sqlite(path.to_owned()))
}

fn postgres(text: &str) -> Result<DatabaseUrl, UrlError> {
    let mut url = Url::parse(text).map_err(|error| UrlError::Malformed(error.to_string()))?;
    // libpq lets the option `host` override the host of the URL. Without any it uses a socket of this machine.
    let host = option(&url, "host").or_else(|| url.host_str().map(str::to_owned)).unwrap_or_default();
    let is_socket = host.is_empty() || host.starts_with('/') || host.starts_with("%2F");
    if !is_socket && !is_loopback(&host) && option(&url, "sslmode").is_none() {
        return Err(UrlError::PlainText(host));
    }
    // The timeouts are there so that a server that is gone is noticed within seconds; the kernel's take minutes.
    let defaults = [
        ("connect_timeout", "5"),
        ("tcp_user_timeout", "10000"),
        ("keepalives_idle", "10"),
        ("keepalives_interval", "5"),
        ("gssencmode", "disable"),
        ("application_name", "purchase-order-service"),
    ];
    let missing: Vec<_> = defaults.into_iter().filter(|(name, _)| option(&url, name).is_none()).collect();
    url.query_pairs_mut().extend_pairs(missing);
    Ok(DatabaseUrl::Postgres(url.to_string()))
}

/// The value of an option of libpq in the URL's query.
fn option(url: &Url, name: &str) -> Option<String> {
    url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
}

/// Whether a host is this machine. A name other than `localhost` is not looked up: it may lead elsewhere tomorrow.
fn is_loopback(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || address.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

impl DatabaseUrl {
    /// The same database with the password of its user, which the URL must not have yet.
    pub fn with_password(&self, password: &str) -> Result<Self, UrlError> {
        let Self::Postgres(text) = self else { return Err(UrlError::PasswordUnused) };
        let mut url = Url::parse(text).map_err(|error| UrlError::Malformed(error.to_string()))?;
        if url.password().is_some() || option(&url, "password").is_some() {
            return Err(UrlError::PasswordTwice);
        }
        // An option, because a URL without a host, which leads to a socket, can have no password of its own. libpq takes a
        // plus as it is, and not as a space.
        let password = byte_serialize(password.as_bytes()).collect::<String>().replace('+', "%20");
        let options = url.query().map(|options| format!("{options}&")).unwrap_or_default();
        url.set_query(Some(&format!("{options}password={password}")));
        Ok(Self::Postgres(url.to_string()))
    }

    /// The URL that libpq is given for a session of this purpose. Behind one address there may be several servers, at once
    /// or after a failover. The service needs the one that takes writes, also for reads, which must see what was just
    /// written; a command that only inspects may use a standby.
    pub(super) fn for_libpq(&self, purpose: Purpose) -> String {
        let Self::Postgres(text) = self else { return String::new() };
        match Url::parse(text) {
            Ok(mut url) if purpose != Purpose::Inspect && option(&url, "target_session_attrs").is_none() => {
                url.query_pairs_mut().append_pair("target_session_attrs", "read-write");
                url.to_string()
            }
            _ => text.clone(),
        }
    }
}

/// Shows the URL without the password and without options, among which a password may be too.
impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => write!(f, "sqlite:{path}"),
            Self::Postgres(url) => match Url::parse(url) {
                Ok(mut url) => {
                    // This fails only for URLs without a host, which cannot have a password.
                    let _ = url.set_password(None);
                    url.set_query(None);
                    write!(f, "{url}")
                }
                Err(_) => f.write_str("postgres:"),
            },
        }
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_password_is_never_shown() {
        let url: DatabaseUrl = "postgres://app:hunter2@localhost/orders?password=hunter3".parse().unwrap();
        assert_eq!(format!("{url} {url:?}"), "postgres://app@localhost/orders postgres://app@localhost/orders");
    }

    #[test]
    fn a_password_from_a_file_is_added_and_not_shown() {
        let url: DatabaseUrl = "postgres://app@localhost/orders".parse().unwrap();
        let with_password = url.with_password("a b&c=%").unwrap();
        let DatabaseUrl::Postgres(text) = &with_password else { panic!("{with_password}") };
        assert_eq!(option(&Url::parse(text).unwrap(), "password").as_deref(), Some("a b&c=%"));
        assert!(text.ends_with("&password=a%20b%26c%3D%25"), "{text}");
        assert_eq!(with_password.to_string(), "postgres://app@localhost/orders");
        assert_eq!(with_password.with_password("x"), Err(UrlError::PasswordTwice));
        let own: DatabaseUrl = "postgres://app:hunter2@localhost/orders".parse().unwrap();
        assert_eq!(own.with_password("x"), Err(UrlError::PasswordTwice));
        let sqlite: DatabaseUrl = "sqlite:orders.sqlite".parse().unwrap();
        assert_eq!(sqlite.with_password("x"), Err(UrlError::PasswordUnused));
    }

    #[test]
    fn plain_text_over_a_network_must_be_asked_for_by_name() {
        let remote = "postgres://app@db.example/orders";
        assert_eq!(remote.parse::<DatabaseUrl>(), Err(UrlError::PlainText("db.example".to_owned())));
        assert!(format!("{remote}?sslmode=disable").parse::<DatabaseUrl>().is_ok());
        for local in ["postgres://[::1]/orders", "postgres://127.0.0.1/orders", "postgres:///orders?host=/run/pg"] {
            assert!(local.parse::<DatabaseUrl>().is_ok(), "{local}");
        }
    }

    #[test]
    fn the_service_asks_for_a_server_that_takes_writes_unless_told_otherwise() {
        let cases = [
            ("postgres://localhost/orders", Purpose::Prune, true),
            ("postgres://localhost/orders", Purpose::Inspect, false),
            ("postgres://localhost/orders?target_session_attrs=any", Purpose::Prune, false),
        ];
        for (url, purpose, asks) in cases {
            let libpq = url.parse::<DatabaseUrl>().unwrap().for_libpq(purpose);
            assert_eq!(libpq.contains("target_session_attrs=read-write"), asks, "{libpq}");
        }
    }

    #[test]
    fn anything_else_is_refused() {
        for bad in ["", "mysql://x", "sqlite:", "sqlite::memory:", "orders.sqlite"] {
            assert!(bad.parse::<DatabaseUrl>().is_err(), "{bad}");
        }
    }
}
