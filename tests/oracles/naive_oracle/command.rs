//! What the oracle asks of a store, in the contract's terms but in plain numbers, and the form that it
//! must have. Orders and receipts are named by their place in the model.

use std::collections::BTreeSet;

use purchase_order_service::proto::v1::{PendingDisposition, Permission, PurchaseOrderAction, Unit};
use uuid::Uuid;

/// All names are known beforehand.
pub type Name = &'static str;
/// Ten-thousandths of a unit.
pub type Quantity = i64;
/// Millionths of the currency, for one unit.
pub type Cost = i64;
/// Microseconds since 1970, UTC.
pub type Time = i64;
/// Days since 1970 on the store's calendar.
pub type Day = i64;

pub const WHOLE: Quantity = 10_000;
pub const MINUTE: Time = 60_000_000;
pub const DAY: Time = 24 * 60 * MINUTE;

/// What a refusal is known by.
pub type Reason = &'static str;

/// What a command made: the same on each replay.
#[derive(Clone, Copy)]
pub struct Made {
    /// The number of its event; 0 if it changed nothing.
    pub event: i64,
    /// The place of the order or receipt that it made.
    pub place: Option<usize>,
}

pub fn ensure(holds: bool, otherwise: Reason) -> Result<(), Reason> {
    if holds { Ok(()) } else { Err(otherwise) }
}

/// The day at an instant in Amsterdam, where every store is, before summer time begins.
pub fn day(time: Time) -> Day {
    (time + 60 * MINUTE).div_euclid(DAY)
}

/// Of the units that the oracle uses only kilograms may be divided.
pub fn admits(unit: Unit, quantity: Quantity) -> bool {
    unit == Unit::Kilogram || quantity % WHOLE == 0
}

/// A command, who sends it, and the request id that it is sent under.
#[derive(Clone, Debug)]
pub struct Call {
    pub caller: Name,
    pub id: Option<Uuid>,
    pub command: Command,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    Create { currency: Name, expected: Option<Day>, lines: Vec<NewLine> },
    Change { order: usize, etag: Option<i64>, verb: Verb },
    SetBackOrders(bool),
    CreateRole { role: Name, permissions: Vec<Permission> },
    GrantRole { principal: Name, role: Name },
    RevokeRole { principal: Name, role: Name },
}

/// What is to be done to an order. No items: everything that is pending came.
#[derive(Clone, Debug, PartialEq)]
pub enum Verb {
    Place { order_time: Option<Time> },
    Receive { items: Option<Vec<Item>>, time: Option<Time> },
    Void { receipt: usize },
    Complete { lines: Vec<Disposed>, rest: PendingDisposition, reason: Name, expected: Option<Day> },
    Cancel { reason: Name },
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct NewLine {
    pub product: Name,
    pub unit: Unit,
    pub quantity: Quantity,
    pub cost: Cost,
    pub expected: Option<Day>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Item {
    pub line: i32,
    pub accepted: Quantity,
    pub rejected: Quantity,
}

impl Item {
    /// Whether anything came of its line.
    pub fn says_something(&self) -> bool {
        self.accepted + self.rejected > 0
    }
}

#[derive(Clone, Debug, PartialEq)]
pub struct Disposed {
    pub line: i32,
    pub back_order: Quantity,
    pub cancel: Quantity,
}

impl Command {
    /// What it is called in the table of what occurred.
    pub fn kind(&self) -> Name {
        match self {
            Self::Create { .. } => "create",
            Self::Change { verb: Verb::Place { .. }, .. } => "place",
            Self::Change { verb: Verb::Receive { .. }, .. } => "receive",
            Self::Change { verb: Verb::Void { .. }, .. } => "void",
            Self::Change { verb: Verb::Complete { .. }, .. } => "complete",
            Self::Change { verb: Verb::Cancel { .. }, .. } => "cancel",
            Self::SetBackOrders(_) => "set back orders",
            Self::CreateRole { .. } => "create role",
            Self::GrantRole { .. } => "grant",
            Self::RevokeRole { .. } => "revoke",
        }
    }

    /// Whether its form is right, whatever is stored.
    pub fn is_well_formed(&self) -> bool {
        match self {
            Self::Create { lines, .. } => !lines.is_empty() && lines.iter().all(|new| admits(new.unit, new.quantity)),
            Self::Change { verb, .. } => verb.is_well_formed(),
            _ => true,
        }
    }
}

impl Verb {
    fn is_well_formed(&self) -> bool {
        let (lines, something) = match self {
            Self::Receive { items: Some(items), .. } => {
                (items.iter().map(|item| item.line).collect(), items.iter().any(Item::says_something))
            }
            _ => (self.lines(), true),
        };
        something && lines.iter().collect::<BTreeSet<_>>().len() == lines.len()
    }

    /// The lines that it names; an item without a quantity is passed over.
    pub fn lines(&self) -> Vec<i32> {
        match self {
            Self::Receive { items: Some(items), .. } => {
                items.iter().filter(|item| item.says_something()).map(|item| item.line).collect()
            }
            Self::Complete { lines, .. } => lines.iter().map(|disposition| disposition.line).collect(),
            _ => Vec::new(),
        }
    }

    /// The place of the receipt that it names.
    pub fn receipt(&self) -> Option<usize> {
        if let Self::Void { receipt } = self { Some(*receipt) } else { None }
    }

    pub fn action(&self) -> PurchaseOrderAction {
        match self {
            Self::Place { .. } => PurchaseOrderAction::Place,
            Self::Receive { .. } => PurchaseOrderAction::Receive,
            Self::Void { .. } => PurchaseOrderAction::VoidReceipt,
            Self::Complete { .. } => PurchaseOrderAction::Complete,
            Self::Cancel { .. } => PurchaseOrderAction::Cancel,
        }
    }
}
