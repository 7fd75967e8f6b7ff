//! How an intention is sent: to either instance, again and again, now and then twice at once, with next
//! to no time, or by somebody who does not wait for the answer, until an answer settles it.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::time::{Duration, Instant};

use fastrand::Rng;
use tonic::{Code, Status};
use tonic_types::StatusExt;

use crate::support::{Call, Caller, Rpc, together};

/// The deadline of most first calls; it grows by as much with every call of the same intention, because
/// what takes long on a busy machine would else never be in time.
const DEADLINE: Duration = Duration::from_secs(2);
/// How long an intention is sent again. Far more than a store is locked for.
const SETTLE_TIMEOUT: Duration = Duration::from_secs(120);

/// Somebody, and by which ways they call.
#[derive(Clone)]
pub struct Person {
    pub name: String,
    through: [Caller; 2],
}

impl Person {
    /// Somebody of this name, who calls by two ways that are as good as each other.
    pub fn of(name: &str, through: [Caller; 2]) -> Self {
        Self { name: name.to_owned(), through }
    }
}

/// How often something was sent, and which answers came back.
#[derive(Default)]
pub struct Counts {
    pub sends: u64,
    answers: BTreeMap<String, u64>,
}

impl Counts {
    fn count<T>(&mut self, answer: &Result<T, Status>) {
        let name = match answer {
            Ok(_) => "OK".to_owned(),
            Err(status) => format!("{:?} {}", status.code(), reason_or_message(status)),
        };
        *self.answers.entry(name).or_default() += 1;
    }

    pub fn merge(&mut self, other: Self) {
        self.sends += other.sends;
        for (answer, count) in other.answers {
            *self.answers.entry(answer).or_default() += count;
        }
    }

    pub fn table(&self) -> String {
        self.answers.iter().map(|(answer, count)| format!("{count:8} {answer}")).collect::<Vec<_>>().join("\n")
    }
}

/// The reason of the service's refusals; the message of what the client's own library says.
pub fn reason_or_message(status: &Status) -> String {
    let reason = status.get_error_details().error_info().map(|info| info.reason.clone());
    reason.unwrap_or_else(|| status.message().to_owned())
}

/// Whether an answer settles its intention: after the others nobody knows whether it was done. INTERNAL
/// settles it too, and is never what its client expects. What has no reason was said by the client's own
/// library, of a deadline or of a connection that broke.
fn settles<T>(answer: &Result<T, Status>) -> bool {
    let Err(status) = answer else { return true };
    let open = [Code::Unavailable, Code::DeadlineExceeded, Code::ResourceExhausted, Code::Unknown];
    status.get_error_details().error_info().is_some() && !open.contains(&status.code())
}

/// Checks that two answers that settle the same intention are the same.
pub fn assert_same<T: Debug + PartialEq>(one: &Result<T, Status>, other: &Result<T, Status>) {
    match (one, other) {
        (Ok(one), Ok(other)) => assert_eq!(one, other, "one intention was answered in two ways"),
        (Err(one), Err(other)) => {
            let code_and_reason = |status: &Status| (status.code(), reason_or_message(status));
            assert_eq!(code_and_reason(one), code_and_reason(other), "one intention was refused in two ways");
        }
        both => panic!("one intention was both done and refused: {both:?}"),
    }
}

/// Sends the intentions of one client.
pub struct Sender {
    rng: Rng,
    pub counts: Counts,
}

impl Sender {
    pub fn new(rng: Rng) -> Self {
        Self { rng, counts: Counts::default() }
    }

    /// Sends an intention until an answer settles it; that answer.
    pub async fn settle<R: Rpc>(
        &mut self,
        person: &Person,
        ask: impl Fn(&Caller) -> Call<R>,
    ) -> Result<R::Answer, Status>
    where
        R::Answer: PartialEq,
    {
        let (begun, mut deadline) = (Instant::now(), Duration::ZERO);
        loop {
            deadline += DEADLINE;
            let answers = self.send(person, deadline, &ask).await;
            answers.iter().for_each(|answer| self.counts.count(answer));
            let mut settling = answers.into_iter().filter(settles);
            if let Some(first) = settling.next() {
                settling.for_each(|other| assert_same(&first, &other));
                return first;
            }
            let request = &ask(&person.through[0]).request;
            assert!(begun.elapsed() < SETTLE_TIMEOUT, "{} of {} is not settled: {request:?}", R::PATH, person.name);
        }
    }

    async fn send<R: Rpc>(
        &mut self,
        person: &Person,
        deadline: Duration,
        ask: impl Fn(&Caller) -> Call<R>,
    ) -> Vec<Result<R::Answer, Status>> {
        let here = self.rng.usize(..2);
        let call = ask(&person.through[here]).within(deadline);
        self.counts.sends += 1;
        match self.rng.u32(..40) {
            0 => self.give_up(call).await.into_iter().collect(),
            1 | 2 => {
                let hurry = Duration::from_millis(self.rng.u64(1..30));
                vec![call.within(hurry).await]
            }
            3..=6 => {
                self.counts.sends += 1;
                together([call, ask(&person.through[1 - here]).within(deadline)]).await
            }
            _ => vec![call.await],
        }
    }

    /// Goes away after a moment; the answer if it came before that.
    async fn give_up<R: Rpc>(&mut self, call: Call<R>) -> Option<Result<R::Answer, Status>> {
        let sent = call.start();
        for _ in 0..self.rng.u32(..200) {
            tokio::task::yield_now().await;
        }
        sent.abort();
        sent.await.ok()
    }
}
