//! A way to PostgreSQL that breaks when it is told to, or falls silent and stays open: it forwards what it
//! is given and understands just enough of the protocol to know a write transaction, its COMMIT and a
//! read when they pass.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread;

use purchase_order_service::repository::url::DatabaseUrl;
use url::Url;

use super::database::Database;

/// Where the next transaction is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// While the service sets a new session up.
    InSetUp,
    /// At the first statement with values of a reader.
    InRead,
    /// At the first statement with values of a write transaction: long before COMMIT.
    InTransaction,
    /// COMMIT never arrives at the server.
    BeforeCommit,
    /// The server commits, and its answer never arrives.
    AfterCommit,
}

/// See the module.
pub struct Proxy {
    /// The database's URL by way of this.
    pub url: DatabaseUrl,
    shared: Arc<Shared>,
}

struct Shared {
    server: Mutex<Server>,
    state: Mutex<State>,
    speaks: Condvar,
}

#[derive(Default)]
struct State {
    cut: Option<(Cut, How)>,
    away: bool,
    /// Nothing is forwarded, on old connections and new ones.
    silent: bool,
    open: Vec<Pipe>,
}

/// How a connection is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum How {
    /// It is closed.
    Close,
    /// It stays open, and nothing comes any more.
    Silence,
}

/// What a message brings: a statement of the set-up, or the values of a write's or a read's statement.
struct At {
    set_up: bool,
    write: bool,
    read: bool,
}

/// What becomes of the server's next words.
type Swallow = Mutex<Option<How>>;

/// Where the server listens.
enum Server {
    Socket(PathBuf),
    Address(String),
}

/// Either kind of stream.
enum Pipe {
    Unix(UnixStream),
    Tcp(TcpStream),
}

impl Proxy {
    /// A way to a PostgreSQL database.
    pub fn to(database: &Database) -> Self {
        let mut url: Url = database.url_text().parse().expect("it is a database URL");
        let given = |name: &str| url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned());
        let (socket, user) = (given("host"), given("user"));
        let server = match socket {
            Some(dir) => Server::in_directory(Path::new(&dir)),
            None => {
                Server::Address(format!("{}:{}", url.host_str().expect("it has a host"), url.port().unwrap_or(5432)))
            }
        };
        let listener = TcpListener::bind("127.0.0.1:0").expect("there is a free port");
        let port = listener.local_addr().expect("it is bound").port();
        // It forwards messages that it understands, so they must not be encrypted.
        url.set_query(Some("sslmode=disable"));
        url.set_host(Some("127.0.0.1")).expect("it can have a host");
        url.set_port(Some(port)).expect("it can have a port");
        if let Some(user) = user {
            url.set_username(&user).expect("it can have a user");
        }
        let shared = Arc::new(Shared { server: Mutex::new(server), state: Mutex::default(), speaks: Condvar::new() });
        let accepting = Arc::clone(&shared);
        // Ends with the process: it holds nothing but a port.
        thread::spawn(move || listener.incoming().flatten().for_each(|client| accepting.accept(client)));
        Self { url: url.as_str().parse().expect("it is a database URL"), shared }
    }

    /// Cuts the next transaction, once.
    pub fn cut(&self, cut: Cut) {
        self.shared.state().cut = Some((cut, How::Close));
    }

    /// Falls silent there, once, on the one connection.
    pub fn fall_silent(&self, cut: Cut) {
        self.shared.state().cut = Some((cut, How::Silence));
    }

    /// Falls silent altogether: connections stay open, others are accepted, and nothing is forwarded.
    pub fn fall_silent_everywhere(&self) {
        self.shared.state().silent = true;
    }

    /// Forwards again, on all connections, what has come meanwhile.
    pub fn speak_again(&self) {
        self.shared.state().silent = false;
        self.shared.speaks.notify_all();
    }

    /// Leads to the server that listens in this directory from now on; connections to the one before are
    /// cut.
    pub fn lead_to(&self, directory: &Path) {
        *self.shared.server.lock().expect("nothing panics while holding it") = Server::in_directory(directory);
        self.shared.state().open.drain(..).for_each(|pipe| pipe.close());
    }

    /// Whether the cut that was asked for has been made.
    pub fn has_cut(&self) -> bool {
        self.shared.state().cut.is_none()
    }

    /// Takes the database away: cuts every connection and lets no other in.
    pub fn take_away(&self) {
        let mut state = self.shared.state();
        state.away = true;
        state.open.drain(..).for_each(|pipe| pipe.close());
    }

    /// Brings it back.
    pub fn bring_back(&self) {
        self.shared.state().away = false;
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nothing panics while holding it")
    }

    fn accept(self: &Arc<Self>, client: TcpStream) {
        let client = Pipe::Tcp(client);
        let server = self.server.lock().expect("nothing panics while holding it").connect();
        let mut state = self.state();
        match server {
            Ok(server) if !state.away => {
                state.open.extend([client.again(), server.again()]);
                self.forward(client, server);
            }
            _ => client.close(),
        }
    }

    fn forward(self: &Arc<Self>, client: Pipe, server: Pipe) {
        let swallow = Arc::<Swallow>::default();
        let (shared, from, to, swallows) = (Arc::clone(self), client.again(), server.again(), Arc::clone(&swallow));
        thread::spawn(move || {
            let _ = shared.requests(&from, &to, &swallows);
            from.close();
            to.close();
        });
        let shared = Arc::clone(self);
        thread::spawn(move || {
            let _ = shared.answers(&server, &client, &swallow);
            client.close();
            server.close();
        });
    }

    /// Forwards message by message, until one is to be cut at.
    fn requests(&self, client: &Pipe, server: &Pipe, swallow: &Swallow) -> io::Result<()> {
        self.forward_when_it_speaks(server, &message(client, 0)?)?;
        let (mut writing, mut reading, mut other) = (false, false, false);
        loop {
            let message = message(client, 1)?;
            let is_set_up = says(&message, b"pg_backend_pid");
            other |= is_set_up || says(&message, b"pg_terminate_backend");
            writing |= says(&message, b"READ COMMITTED");
            reading |= says(&message, b"default_transaction_read_only = on");
            let is_values = message[0] == b'B' && !other;
            other &= message[0] != b'B';
            let at = At { set_up: is_set_up, write: writing && is_values, read: reading && is_values };
            match self.cut_at(&message, &at) {
                Some((Cut::AfterCommit, how)) => {
                    *swallow.lock().expect("nothing panics while holding it") = Some(how);
                }
                Some((_, How::Close)) => return Ok(()),
                Some((_, How::Silence)) => stay_silent(),
                None => {}
            }
            self.forward_when_it_speaks(server, &message)?;
        }
    }

    /// Whether and how to cut at this message.
    fn cut_at(&self, message: &[u8], at: &At) -> Option<(Cut, How)> {
        let mut state = self.state();
        let here = match state.cut?.0 {
            Cut::InSetUp => at.set_up,
            Cut::InRead => at.read,
            Cut::InTransaction => at.write,
            Cut::BeforeCommit | Cut::AfterCommit => says(message, b"COMMIT") && !says(message, b"COMMITTED"),
        };
        if here { state.cut.take() } else { None }
    }

    /// Forwards what the server says, until its next words are to be swallowed.
    fn answers(&self, server: &Pipe, client: &Pipe, swallow: &Swallow) -> io::Result<()> {
        let mut buffer = [0; 16 * 1024];
        loop {
            let length = server.read(&mut buffer)?;
            let swallowed = *swallow.lock().expect("nothing panics while holding it");
            match swallowed {
                _ if length == 0 => return Ok(()),
                Some(How::Close) => return Ok(()),
                Some(How::Silence) => stay_silent(),
                None => self.forward_when_it_speaks(client, &buffer[..length])?,
            }
        }
    }

    fn forward_when_it_speaks(&self, to: &Pipe, bytes: &[u8]) -> io::Result<()> {
        drop(self.speaks.wait_while(self.state(), |state| state.silent).expect("nothing panics while holding it"));
        to.write(bytes)
    }
}

/// Ends with the process: a thread and two sockets.
fn stay_silent() -> ! {
    loop {
        thread::park();
    }
}

/// Reads one message whose length stands behind a type of so many bytes.
fn message(from: &Pipe, type_bytes: usize) -> io::Result<Vec<u8>> {
    let mut message = vec![0; type_bytes + 4];
    from.read_all(&mut message)?;
    let length = message[type_bytes..].iter().fold(0, |length, byte| (length << 8) | usize::from(*byte));
    message.resize(type_bytes + length, 0);
    from.read_all(&mut message[type_bytes + 4..])?;
    Ok(message)
}

/// Whether a message runs a statement with these words in it.
fn says(message: &[u8], words: &[u8]) -> bool {
    matches!(message[0], b'Q' | b'P') && message.windows(words.len()).any(|part| part.eq_ignore_ascii_case(words))
}

impl Server {
    fn in_directory(directory: &Path) -> Self {
        Self::Socket(directory.join(".s.PGSQL.5432"))
    }

    fn connect(&self) -> io::Result<Pipe> {
        Ok(match self {
            Self::Socket(path) => Pipe::Unix(UnixStream::connect(path)?),
            Self::Address(address) => Pipe::Tcp(TcpStream::connect(address)?),
        })
    }
}

impl Pipe {
    fn again(&self) -> Self {
        let failed = "a descriptor can be duplicated";
        match self {
            Self::Unix(stream) => Self::Unix(stream.try_clone().expect(failed)),
            Self::Tcp(stream) => Self::Tcp(stream.try_clone().expect(failed)),
        }
    }

    fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Unix(stream) => (&*stream).read(buffer),
            Self::Tcp(stream) => (&*stream).read(buffer),
        }
    }

    fn read_all(&self, buffer: &mut [u8]) -> io::Result<()> {
        match self {
            Self::Unix(stream) => (&*stream).read_exact(buffer),
            Self::Tcp(stream) => (&*stream).read_exact(buffer),
        }
    }

    fn write(&self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Unix(stream) => (&*stream).write_all(bytes),
            Self::Tcp(stream) => (&*stream).write_all(bytes),
        }
    }

    fn close(&self) {
        // The other side may have closed it before.
        let _ = match self {
            Self::Unix(stream) => stream.shutdown(Shutdown::Both),
            Self::Tcp(stream) => stream.shutdown(Shutdown::Both),
        };
    }
}
