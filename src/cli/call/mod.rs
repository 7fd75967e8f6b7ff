//! `call`: calls any method of a running service with JSON, so that no other tool is needed to try, script or repair
//! something.
//!
//! [`reflection`] asks the server for its contract, so that a server of any version can be called; [`methods`] finds the
//! method in it, and [`describe`] shows it. [`message`] reads the request and prints the answer. [`sending`] sends it, and
//! again where [`retry`] allows that. [`refusal`] puts what a server refuses into words.

mod caller;
mod codec;
mod describe;
mod message;
pub mod methods;
mod reflection;
mod refusal;
mod retry;
mod sending;

use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use prost_reflect::{DescriptorPool, MethodDescriptor};
use tonic::metadata::MetadataMap;
use tonic::transport::Channel;

use self::caller::Caller;
use self::methods::MethodName;
use self::retry::Effect;
use self::sending::{Deadline, Failed, Target};
use super::CommandError;
use super::client::{Connection, is_transport_failure};
use super::printable::printable;
use super::whole_number::within;

/// How long to wait for a connection, and for the contract, if the deadline is later.
const SET_UP_TIMEOUT: Duration = Duration::from_secs(10);

const EXAMPLES: &str = "\
Examples:
  purchase-order-service call --as alice StoreService/GetStore '{\"store_id\": \"demo\"}'
  purchase-order-service call --as alice PurchaseOrderService/CreatePurchaseOrder <order.json
  purchase-order-service call --as alice EventService/WatchEvents '{\"positions\": [{\"store_id\": \"demo\"}]}'
  purchase-order-service call --list StoreService
  purchase-order-service call --describe StoreService/GetStore

A request with an empty request_id is given one. A call that cannot be done twice by it, a change with a request_id or a
read, is sent up to 5 times within its deadline if the connection breaks or the service is unavailable for the moment.

Exit status:
  0  the call was answered; a stream has ended, or is left at --max-messages, at the deadline or by Ctrl-C
  1  the call was refused, or failed
  2  the command line is wrong";

/// Call a method of a running service with JSON; list and describe its methods
///
/// The answer is printed as JSON; of a stream, each message. A refusal is printed to standard error with its reason. The
/// caller's token can be named by `CALL_TOKEN_FILE`.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub struct Call {
    #[command(flatten)]
    connection: Connection,
    #[command(flatten)]
    caller: Caller,
    /// The method, as SERVICE/METHOD
    ///
    /// A package may stand before it: `StoreService/GetStore`, `grpc.health.v1.Health/Check`. With `--list` a service, with
    /// `--describe` a method, a message or an enum.
    #[arg(value_parser = MethodName, hide_possible_values = true, required_unless_present = "list")]
    method: Option<String>,
    /// The request, in JSON; without it or for `-`, standard input is read
    #[arg(allow_hyphen_values = true, conflicts_with_all = ["list", "describe"])]
    json: Option<String>,
    /// List the methods of a service, or of all
    #[arg(long, conflicts_with = "describe")]
    list: bool,
    /// Describe a method with its request, a message or an enum
    #[arg(long)]
    describe: bool,
    /// How many seconds the call may take, retries included: 1 to 3600
    #[arg(long, default_value = "30", value_name = "SECONDS", value_parser = within::<u64>(1..=3600))]
    timeout_seconds: u64,
    /// After how many messages to leave a stream: 1 to 1000000
    #[arg(long, value_name = "COUNT", value_parser = within::<u64>(1..=1_000_000))]
    max_messages: Option<u64>,
    /// Send the token without TLS to another machine, where something else encrypts it, such as a mesh
    #[arg(long, conflicts_with = "server_ca")]
    allow_plaintext: bool,
    /// Send the call once, whatever becomes of it
    #[arg(long)]
    no_retry: bool,
}

impl Call {
    /// Calls, or shows what can be called.
    pub fn run(self) -> Result<ExitCode, CommandError> {
        let metadata = self.caller.metadata()?;
        if self.caller.has_token() && self.connection.is_exposed() && !self.allow_plaintext {
            return Err(format!(
                "the token would be sent without TLS to {}: name the authority of its certificate by --server-ca, or say \
                 --allow-plaintext if something else encrypts what is sent there",
                self.connection.address()
            )
            .into());
        }
        let is_question = self.list || self.describe;
        // Before the time of the call begins.
        let text = if is_question { String::new() } else { message::text(self.json.as_deref())? };
        let deadline = Deadline::after(Duration::from_secs(self.timeout_seconds));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let done = runtime.block_on(async {
            match is_question {
                true => self.show(&metadata, deadline).await,
                false => self.call(&text, &metadata, deadline).await,
            }
        });
        // Nothing is waited for: resolving a name may go on in a thread.
        runtime.shutdown_background();
        done.map(|()| ExitCode::SUCCESS)
    }

    /// Prints the list or the description. What a server cannot be asked for is told of this version of the program.
    async fn show(&self, metadata: &MetadataMap, deadline: Deadline) -> Result<(), CommandError> {
        let name = self.method.as_deref().unwrap_or_default();
        let pool = match self.connection.connect(deadline.left().min(SET_UP_TIMEOUT)).await {
            Ok(channel) => self.contract(&channel, metadata, "", deadline).await?,
            Err(error) => {
                let error = error.to_string();
                eprintln!("{}; this is the contract of version {}", printable(&error), env!("CARGO_PKG_VERSION"));
                methods::built_in()?
            }
        };
        let text = match self.list {
            true => describe::list(&pool, self.method.as_deref())?,
            false => describe::declarations(&pool, name)?,
        };
        message::print_text(printable(&text).as_bytes())?;
        Ok(())
    }

    async fn call(&self, text: &str, metadata: &MetadataMap, deadline: Deadline) -> Result<(), CommandError> {
        let name = self.method.as_deref().unwrap_or_default();
        let channel = self.connection.connect(deadline.left().min(SET_UP_TIMEOUT)).await?;
        let pool = self.contract(&channel, metadata, methods::service_of(name), deadline).await?;
        let method = match methods::find(&pool, name) {
            Ok(method) if method.is_client_streaming() => {
                return Err(format!("{} takes a stream of requests; `call` sends one", methods::shown(&method)).into());
            }
            method => method?,
        };
        let mut request = message::parse(method.input(), text)?;
        let effect = Effect::of(&method, &mut request, new_request_id);
        let target = Target { channel, method, metadata, deadline };
        if target.method.is_server_streaming() {
            return target.follow(request, self.max_messages).await;
        }
        self.check_unary(&target.method)?;
        match target.ask(&request, &effect, !self.no_retry).await {
            Ok(answer) => message::print(&answer).map(|_| ()),
            Err(failed) => Err(self.told(&failed, &effect).await.into()),
        }
    }

    fn check_unary(&self, method: &MethodDescriptor) -> Result<(), CommandError> {
        match self.max_messages {
            Some(_) => Err(format!("--max-messages: {} answers with one message", methods::shown(method)).into()),
            None => Ok(()),
        }
    }

    /// The server's contract; if it does not describe it to this caller, that of this version of the program.
    async fn contract(
        &self,
        channel: &Channel,
        metadata: &MetadataMap,
        service: &str,
        deadline: Deadline,
    ) -> Result<DescriptorPool, CommandError> {
        let described = reflection::describe(channel, metadata, service);
        let why = match tokio::time::timeout(deadline.left().min(SET_UP_TIMEOUT), described).await {
            Ok(Ok(pool)) => return Ok(pool),
            Ok(Err(failure)) if is_transport_failure(&failure) => {
                return Err(self.connection.explained(&failure).await.into());
            }
            Ok(Err(refused)) => printable(&refusal::headline(&refused)).into_owned(),
            Err(_) => "no answer in time".to_owned(),
        };
        eprintln!(
            "the server does not describe its contract ({why}); that of version {} is used",
            env!("CARGO_PKG_VERSION")
        );
        methods::built_in()
    }

    async fn told(&self, failed: &Failed, effect: &Effect) -> String {
        let status = &failed.status;
        let mut text = match is_transport_failure(status) {
            true => self.connection.explained(status).await,
            false => refusal::text(status),
        };
        if let Some(id) = effect.id().filter(|_| failed.is_outcome_unknown) {
            text.push_str(&format!("\nrequest_id {id}: send it again to learn the outcome"));
        }
        text
    }
}

#[expect(clippy::disallowed_methods, reason = "a caller's id: nothing that is stored or decided here depends on it")]
fn new_request_id() -> String {
    uuid::Uuid::now_v7().to_string()
}
