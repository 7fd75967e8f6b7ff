//! The URL of a database. It is parsed and judged before anything is opened, so that a mistake is reported at the start:
//! a password never gets into a log, and nothing is sent over a network in plain text unless an operator has allowed it.

use std::collections::BTreeSet;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::OnceLock;

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
    /// The text does not even begin like a URL. It is not shown, because it may contain a password.
    #[error("a database URL is sqlite:PATH or postgres://USER@HOST/DATABASE")]
    NoUrl,
    /// The text is no valid URL.
    #[error("the database URL cannot be read: {0}")]
    Malformed(String),
    /// There is a password for a database that has none.
    #[error("a password file is for PostgreSQL; SQLite has no password")]
    PasswordUnused,
    /// There is a password in the URL as well as in a file.
    #[error("the database URL has a password already, so there must be no password file")]
    PasswordTwice,
    /// The host is another machine, and this build has no TLS for PostgreSQL.
    #[error(
        "the database host '{0}' is not this machine, and this build cannot encrypt the connection: build the program \
         with its feature postgres-tls, or say sslmode=disable in the URL if the network between is trusted"
    )]
    NoTls(String),
    /// The host is another machine, and with this `sslmode` libpq goes on in plain text without saying so if the server, or
    /// somebody on the way, does not offer TLS.
    #[error(
        "sslmode={0} would use plain text without saying so: leave it out, which means verify-full, or say \
         sslmode=disable if the network between is trusted"
    )]
    Downgradable(String),
    /// The authorities of the operating system certify everybody's servers, so the host name must be compared.
    #[error("sslrootcert=system needs sslmode=verify-full, because anybody has a certificate of those authorities")]
    Unverified,
    /// libpq takes the last of several, and another program may take the first.
    #[error("the database URL has the option {0} more than once")]
    Repeated(String),
    /// An option that must not be in the URL.
    #[error("the database URL must not have the option {0}: it says elsewhere what the URL must say itself")]
    OptionRefused(String),
}

/// Options of libpq that lead to settings elsewhere, or mean another option; the URL must say all itself.
const REFUSED_OPTIONS: [&str; 3] = ["service", "servicefile", "ssl"];

/// Whether this build can encrypt connections to PostgreSQL.
const HAS_TLS: bool = cfg!(feature = "postgres-tls");
/// The option of libpq that stands for the authorities that the operating system trusts.
const SYSTEM_AUTHORITIES: &str = "sslrootcert=system";

impl FromStr for DatabaseUrl {
    type Err = UrlError;

    fn from_str(text: &str) -> Result<Self, UrlError> {
        match text.split_once(':') {
            Some(("sqlite", path)) => sqlite(path.strip_prefix("//").unwrap_or(path)),
            Some(("postgres" | "postgresql", _)) => postgres(text),
            // Only the scheme is shown: the rest may contain a password.
            Some((scheme, _)) if scheme.bytes().all(|byte| byte.is_ascii_alphanumeric()) => {
                Err(UrlError::UnknownScheme(scheme.to_owned()))
            }
            Some(_) | None => Err(UrlError::NoUrl),
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
    if url.fragment().is_some() {
        return Err(UrlError::Malformed("a '#' in it must be written as %23".to_owned()));
    }
    let mut names = BTreeSet::new();
    for (name, _) in url.query_pairs() {
        if REFUSED_OPTIONS.contains(&&*name) {
            return Err(UrlError::OptionRefused(name.into_owned()));
        }
        if !names.insert(name.clone()) {
            return Err(UrlError::Repeated(name.into_owned()));
        }
    }
    let wants_system = option(&url, "sslrootcert").is_some_and(|file| file == "system");
    if let Some(host) = remote_host(&url) {
        match option(&url, "sslmode").as_deref() {
            // The operator says that the network between is trusted.
            Some("disable") => {}
            _ if !HAS_TLS => return Err(UrlError::NoTls(host)),
            Some(mode @ ("allow" | "prefer")) => return Err(UrlError::Downgradable(mode.to_owned())),
            // The others encrypt the connection or fail.
            Some(_) => {}
            None => {
                url.query_pairs_mut().append_pair("sslmode", "verify-full");
            }
        }
    }
    if wants_system {
        match option(&url, "sslmode").as_deref() {
            Some("verify-full") => {}
            Some(_) => return Err(UrlError::Unverified),
            None => {
                url.query_pairs_mut().append_pair("sslmode", "verify-full");
            }
        }
    }
    // Empty ones, so that libpq takes none from the environment (PGHOST, PGHOSTADDR, PGSERVICE).
    if url.host_str().is_none_or(str::is_empty) && option(&url, "host").is_none() {
        url.query_pairs_mut().append_pair("host", "");
    }
    if option(&url, "hostaddr").is_none() {
        url.query_pairs_mut().append_pair("hostaddr", "");
    }
    let is_verified = option(&url, "sslmode").is_some_and(|mode| mode == "verify-full");
    if is_verified && option(&url, "sslrootcert").is_none() {
        url.query_pairs_mut().append_pair("sslrootcert", "system");
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

/// A value as libpq reads it in a URL: it takes a plus as it is, and not as a space.
fn encoded(value: &str) -> String {
    byte_serialize(value.as_bytes()).collect::<String>().replace('+', "%20")
}

/// The first host of the URL that is another machine; `None` if a connection stays on this one, by sockets or loopback.
fn remote_host(url: &Url) -> Option<String> {
    let is_socket = |host: &str| host.is_empty() || host.starts_with('/') || host.starts_with("%2F");
    // libpq lets the options override the host of the URL, and without any it uses a socket of this machine.
    let host = option(url, "host").or_else(|| url.host_str().map(str::to_owned)).unwrap_or_default();
    let address = option(url, "hostaddr").unwrap_or_default();
    let mut hosts = host.split(',').chain(address.split(','));
    hosts.find(|host| !is_socket(host) && !is_loopback(host)).map(str::to_owned)
}

/// The file with the authorities that the operating system trusts. The OpenSSL that is built into this program does not know
/// where each system keeps it.
fn system_authorities() -> Option<&'static PathBuf> {
    static FILE: OnceLock<Option<PathBuf>> = OnceLock::new();
    FILE.get_or_init(|| openssl_probe::probe().cert_file).as_ref()
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
        // An option, because a URL without a host, which leads to a socket, can have no password of its own.
        let options = url.query().map(|options| format!("{options}&")).unwrap_or_default();
        url.set_query(Some(&format!("{options}password={}", encoded(password))));
        Ok(Self::Postgres(url.to_string()))
    }

    /// The URL that libpq is given for a session of this purpose. Behind one address there may be several servers, at once
    /// or after a failover. The service needs the one that takes writes, also for reads, which must see what was just
    /// written; a command that only inspects may use a standby.
    pub(super) fn for_libpq(&self, purpose: Purpose) -> String {
        let Self::Postgres(text) = self else { return String::new() };
        let Ok(mut url) = Url::parse(text) else { return text.clone() };
        if purpose != Purpose::Inspect && option(&url, "target_session_attrs").is_none() {
            url.query_pairs_mut().append_pair("target_session_attrs", "read-write");
        }
        if let Some(file) = system_authorities() {
            let named = format!("sslrootcert={}", encoded(&file.to_string_lossy()));
            let options = url.query().unwrap_or_default().split('&');
            let options: Vec<_> =
                options.map(|option| if option == SYSTEM_AUTHORITIES { &*named } else { option }).collect();
            let options = options.join("&");
            url.set_query(Some(&options));
        }
        url.to_string()
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

    /// The value of an option in what libpq is given for a URL.
    fn given(url: &str, name: &str) -> Option<String> {
        let libpq = url.parse::<DatabaseUrl>().unwrap().for_libpq(Purpose::Inspect);
        option(&Url::parse(&libpq).unwrap(), name)
    }

    #[test]
    fn plain_text_over_a_network_must_be_asked_for_by_name() {
        for remote in [
            "postgres://app@db.example/orders",
            "postgres://app@127.0.0.1/orders?host=db.example",
            "postgres://app@localhost/orders?hostaddr=192.0.2.7",
            "postgres:///orders?host=/run/pg,db.example",
        ] {
            let and = if remote.contains('?') { '&' } else { '?' };
            let with = |mode: &str| format!("{remote}{and}sslmode={mode}");
            assert_eq!(given(&with("disable"), "sslmode").as_deref(), Some("disable"), "{remote}");
            if HAS_TLS {
                assert_eq!(given(remote, "sslmode").as_deref(), Some("verify-full"), "{remote}");
                assert_eq!(given(&with("require"), "sslmode").as_deref(), Some("require"), "{remote}");
                for mode in ["allow", "prefer"] {
                    let refused = with(mode).parse::<DatabaseUrl>();
                    assert_eq!(refused, Err(UrlError::Downgradable(mode.to_owned())), "{remote}");
                }
            } else {
                for url in [remote.to_owned(), with("require"), with("verify-full")] {
                    assert!(matches!(url.parse::<DatabaseUrl>(), Err(UrlError::NoTls(_))), "{url}");
                }
            }
        }
        for local in ["postgres://[::1]/orders", "postgres://127.0.0.1/orders", "postgres:///orders?host=/run/pg"] {
            assert_eq!(given(local, "sslmode"), None, "{local}");
            assert_eq!(given(local, "hostaddr").as_deref(), Some(""), "the environment says none: {local}");
        }
        assert_eq!(given("postgres:///orders", "host").as_deref(), Some(""), "the environment says none");
    }

    #[test]
    fn a_server_is_verified_by_the_authorities_of_the_system_unless_a_file_is_named() {
        let url = "postgres://localhost/orders?sslmode=verify-full";
        let system = system_authorities().map_or("system".to_owned(), |file| file.to_string_lossy().into_owned());
        assert_eq!(given(url, "sslrootcert"), Some(system));
        assert_eq!(given(&format!("{url}&sslrootcert=/ca.pem"), "sslrootcert").as_deref(), Some("/ca.pem"));
        assert_eq!(given("postgres://localhost/orders", "sslrootcert"), None);
        assert_eq!(given("postgres://localhost/orders?sslrootcert=system", "sslmode").as_deref(), Some("verify-full"));
        let with_password = url.parse::<DatabaseUrl>().unwrap().with_password("a b+c").unwrap();
        assert!(
            with_password.for_libpq(Purpose::Inspect).contains("password=a%20b%2Bc"),
            "libpq takes a plus as it is"
        );
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
        for (url, expected) in [
            ("host=db user=app password=hunter2", UrlError::NoUrl),
            ("password=hunter2 host=db:5432", UrlError::NoUrl),
            ("postgres://localhost/x?host=localhost&host=db", UrlError::Repeated("host".to_owned())),
            ("postgres://localhost/x?sslmode=require&sslmode=prefer", UrlError::Repeated("sslmode".to_owned())),
            ("postgres://localhost/x?service=other", UrlError::OptionRefused("service".to_owned())),
            ("postgres://localhost/x?sslmode=require&sslrootcert=system", UrlError::Unverified),
        ] {
            assert_eq!(url.parse::<DatabaseUrl>(), Err(expected), "{url}");
        }
        for bad in
            ["postgres://app:#secret@localhost/x", "", "mysql://x", "sqlite:", "sqlite::memory:", "orders.sqlite"]
        {
            assert!(bad.parse::<DatabaseUrl>().is_err(), "{bad}");
        }
    }
}
