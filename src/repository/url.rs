//! Which database: read from one URL, judged before anything is opened.

use std::fmt;
use std::str::FromStr;

use url::Url;

use super::dialect::Purpose;

/// A database to use.
#[derive(Clone, PartialEq, Eq)]
pub enum DatabaseUrl {
    /// An embedded database in this file.
    Sqlite(String),
    /// A server, by its libpq URL.
    Postgres(String),
}

/// A URL that names no database this service can use.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    /// Neither of the two kinds.
    #[error("a database URL is sqlite:PATH or postgres://USER@HOST/DATABASE, not '{0}'")]
    UnknownScheme(String),
    /// Names no file.
    #[error("sqlite: must be followed by the path of a file")]
    NoPath,
    /// Not a URL.
    #[error("the database URL cannot be read: {0}")]
    Malformed(String),
    /// libpq would silently talk plain text over the network.
    #[error(
        "the database host '{0}' is not this machine, and this build cannot encrypt the connection: \
         say sslmode=disable in the URL if the network between is trusted"
    )]
    PlainText(String),
}

impl FromStr for DatabaseUrl {
    type Err = UrlError;

    fn from_str(text: &str) -> Result<Self, UrlError> {
        let scheme = text.split_once(':').map(|(scheme, _)| scheme);
        match (scheme, text.strip_prefix("sqlite:")) {
            (_, Some(path)) => sqlite(path.strip_prefix("//").unwrap_or(path)),
            (Some("postgres" | "postgresql"), _) => postgres(text),
            _ => Err(UrlError::UnknownScheme(scheme.unwrap_or(text).to_owned())),
        }
    }
}

fn sqlite(path: &str) -> Result<DatabaseUrl, UrlError> {
    // Every session opens the file anew, so a database in memory would be a different one for each.
    if path.is_empty() || path == ":memory:" {
        return Err(UrlError::NoPath);
    }
    Ok(DatabaseUrl::Sqlite(path.to_owned()))
}

fn postgres(text: &str) -> Result<DatabaseUrl, UrlError> {
    let mut url = Url::parse(text).map_err(|error| UrlError::Malformed(error.to_string()))?;
    let given = |name: &str| url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned());
    let host = given("host").or_else(|| url.host_str().map(str::to_owned)).unwrap_or_default();
    let local = host.is_empty() || host.starts_with('/') || host.starts_with("%2F") || is_loopback(&host);
    if !local && given("sslmode").is_none() {
        return Err(UrlError::PlainText(host));
    }
    // A server that is gone must be noticed within seconds, not when the kernel gives up.
    let defaults = [
        ("connect_timeout", "5"),
        ("tcp_user_timeout", "10000"),
        ("keepalives_idle", "10"),
        ("keepalives_interval", "5"),
        ("gssencmode", "disable"),
        ("application_name", "purchase-order-service"),
    ];
    let missing: Vec<_> = defaults.into_iter().filter(|(name, _)| given(name).is_none()).collect();
    url.query_pairs_mut().extend_pairs(missing);
    Ok(DatabaseUrl::Postgres(url.to_string()))
}

fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || bare.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

impl DatabaseUrl {
    /// The URL that libpq is given for a session of this purpose. Where several servers answer at one
    /// address, or one after another, the service wants the one that takes writes; somebody who only
    /// inspects may look at a standby.
    pub(super) fn for_libpq(&self, purpose: Purpose) -> String {
        let Self::Postgres(text) = self else { return String::new() };
        match Url::parse(text) {
            Ok(mut url) if purpose != Purpose::Inspect && !has(&url, "target_session_attrs") => {
                url.query_pairs_mut().append_pair("target_session_attrs", "read-write");
                url.to_string()
            }
            _ => text.clone(),
        }
    }
}

fn has(url: &Url, name: &str) -> bool {
    url.query_pairs().any(|(key, _)| key == name)
}

/// Without the password or any option.
impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => write!(f, "sqlite:{path}"),
            Self::Postgres(url) => match Url::parse(url) {
                Ok(mut url) => {
                    // Setting them fails only for URLs without a host, which have none to hide.
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
