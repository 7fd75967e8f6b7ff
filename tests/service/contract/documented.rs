//! What the contract says of each rpc, read from the comments in its descriptor set: the reasons that
//! a caller may be refused for.
//!
//! A comment documents reasons in a list behind `Reasons:`. An item is one or more groups
//! `CODE, REASON, REASON ...`, divided by `;`, up to a `:` that explains them or a `.`.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use prost::Message;
use prost_types::{DescriptorProto, FileDescriptorProto, FileDescriptorSet, MethodDescriptorProto};
use purchase_order_service::proto::DESCRIPTORS;
use tonic::Code;

/// What an rpc says that has no reasons of its own.
const NONE_OF_ITS_OWN: &str = "those that every rpc may answer.";

/// `FAILED_PRECONDITION, WRONG_STATE`: a code and a reason, as comments write them.
pub type Reasons = BTreeSet<String>;

/// The contract.
pub static CONTRACT: LazyLock<Contract> = LazyLock::new(Contract::read);

/// Every rpc, and what they have in common.
pub struct Contract {
    pub rpcs: Vec<Documented>,
    /// What every rpc may answer.
    pub common: Reasons,
    /// What every mutation may answer beside that.
    pub common_to_mutations: Reasons,
    /// What the services beside the contract's may answer, which tests/attacks and tests/service/guard.rs provoke.
    pub of_others: Reasons,
}

/// One rpc.
pub struct Documented {
    /// `/purchasing.v1.StoreService/GetStore`.
    pub path: String,
    /// `get_store`.
    pub story: String,
    /// Its own reasons; `None` if its comment says nothing of reasons.
    pub reasons: Option<Reasons>,
    /// Its request's fields.
    pub fields: BTreeSet<String>,
}

impl Contract {
    fn read() -> Self {
        let set = FileDescriptorSet::decode(DESCRIPTORS).expect("the descriptor set can be read");
        let files = || set.file.iter().filter(|file| file.package() == "purchasing.v1");
        let messages: Vec<&DescriptorProto> = files().flat_map(|file| &file.message_type).collect();
        let (mut rpcs, mut services) = (Vec::new(), String::new());
        for file in files() {
            for (s, service) in (0..).zip(&file.service) {
                services += &comment(file, &[6, s]);
                for (m, method) in (0..).zip(&service.method) {
                    let path = format!("/{}.{}/{}", file.package(), service.name(), method.name());
                    let comment = comment(file, &[6, s, 2, m]);
                    rpcs.push(Documented::of(path, method, &comment, &messages));
                }
            }
        }
        let common = |heading| listed_after(&services, heading).unwrap_or_default();
        Self {
            rpcs,
            common: common("Every rpc may answer:"),
            common_to_mutations: common("Every mutation may also answer:"),
            of_others: common("Health and reflection, which are served beside these, may also answer:"),
        }
    }

    /// What it says of one rpc.
    pub fn of(&self, path: &str) -> &Documented {
        self.rpcs.iter().find(|rpc| rpc.path == path).unwrap_or_else(|| panic!("{path} is no rpc of the contract"))
    }

    /// What an rpc may answer beside its own reasons.
    pub fn common_to(&self, rpc: &Documented) -> Reasons {
        let mutations = self.common_to_mutations.iter().filter(|_| rpc.is_mutation());
        self.common.iter().chain(mutations).cloned().collect()
    }
}

impl Documented {
    fn of(path: String, method: &MethodDescriptorProto, comment: &str, messages: &[&DescriptorProto]) -> Self {
        let name = method.input_type().rsplit('.').next();
        let request = messages.iter().filter(|message| Some(message.name()) == name);
        Self {
            path,
            story: snake_case(method.name()),
            reasons: listed_after(comment, "Reasons:"),
            fields: request.flat_map(|request| &request.field).map(|field| field.name().to_owned()).collect(),
        }
    }

    /// Whether it changes anything.
    pub fn is_mutation(&self) -> bool {
        self.fields.contains("request_id")
    }

    /// Whether it answers pages.
    pub fn is_paged(&self) -> bool {
        self.fields.contains("page_token")
    }
}

/// The comment in front of what a path names in a file (`google.protobuf.SourceCodeInfo`).
fn comment(file: &FileDescriptorProto, path: &[i32]) -> String {
    let info = file.source_code_info.as_ref().expect("the descriptor set holds comments");
    let location = info.location.iter().find(|location| location.path == path);
    location.map(|location| location.leading_comments().to_owned()).unwrap_or_default()
}

/// The reasons listed behind a heading; `None` without that heading, or if nothing is listed.
fn listed_after(comment: &str, heading: &str) -> Option<Reasons> {
    let (_, list) = comment.split_once(heading)?;
    if list.trim_start().starts_with(NONE_OF_ITS_OWN) {
        return Some(Reasons::new());
    }
    let mut items: Vec<String> = Vec::new();
    for line in list.lines().map(str::trim).skip(1).take_while(|line| !line.is_empty()) {
        match (line.strip_prefix("- "), items.last_mut()) {
            (Some(item), _) => items.push(item.to_owned()),
            (None, Some(item)) => *item = format!("{item} {line}"),
            (None, None) => return None,
        }
    }
    let reasons: Reasons = items.iter().flat_map(|item| reasons_of(item)).collect();
    (!reasons.is_empty()).then_some(reasons)
}

fn reasons_of(item: &str) -> Vec<String> {
    let names = item.split([':', '.']).next().unwrap_or_default();
    let mut reasons = Vec::new();
    for group in names.split(';') {
        let mut names = group.split(',').map(str::trim);
        let code = names.next().unwrap_or_default();
        reasons.extend(names.map(|reason| format!("{code}, {reason}")));
    }
    reasons
}

/// A reason as comments write it.
pub fn reason_text(code: Code, reason: &str) -> String {
    format!("{}, {reason}", snake_case(&format!("{code:?}")).to_uppercase())
}

/// `GetStore` as `get_store`.
fn snake_case(name: &str) -> String {
    let mut snake = String::new();
    for c in name.chars() {
        if c.is_uppercase() && !snake.is_empty() {
            snake.push('_');
        }
        snake.extend(c.to_lowercase());
    }
    snake
}

#[test]
fn a_comment_is_read_item_by_item_and_group_by_group() {
    let comment = " Does it.\n\n Reasons:\n   - NOT_FOUND, ONE_THING,\n     ANOTHER: e.g. this, that; and more.\n   \
                   - ABORTED, THIRD; UNKNOWN, FOURTH.\n\n - UNKNOWN, NOT_IN_THE_LIST.\n";
    let expected = ["NOT_FOUND, ONE_THING", "NOT_FOUND, ANOTHER", "ABORTED, THIRD", "UNKNOWN, FOURTH"];
    assert_eq!(listed_after(comment, "Reasons:"), Some(expected.map(str::to_owned).into()));
    assert_eq!(listed_after(" Reasons: those that every rpc may answer.\n", "Reasons:"), Some(Reasons::new()));
    for silent in [" Does it.\n", " Reasons:\n", " Reasons: many.\n", " Reasons:\n   - NOT_FOUND: no reason.\n"] {
        assert_eq!(listed_after(silent, "Reasons:"), None, "{silent:?}");
    }
    assert_eq!(reason_text(Code::FailedPrecondition, "WRONG_STATE"), "FAILED_PRECONDITION, WRONG_STATE");
}
