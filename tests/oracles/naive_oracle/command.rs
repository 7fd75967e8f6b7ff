//! What the oracle asks of a store, in the contract's terms but in plain numbers. Orders and receipts are
//! named by their place in the model.

use purchase_order_service::proto::v1::{
    AdjustmentKind, PendingDisposition, Permission, PurchaseOrderAction, RejectReason, Unit,
};
use uuid::Uuid;

use crate::naive_oracle::numbers::{Amount, Cost, Quantity, WHOLE};

/// All names are known beforehand.
pub type Name = &'static str;
/// Microseconds since 1970, UTC.
pub type Time = i64;
/// Days since 1970 on the store's calendar.
pub type Day = i64;

pub const MINUTE: Time = 60_000_000;
pub const DAY: Time = 24 * 60 * MINUTE;

/// The day at an instant in Amsterdam, where every store is, before summer time begins.
pub fn day(time: Time) -> Day {
    (time + 60 * MINUTE).div_euclid(DAY)
}

/// A number under a bar code is the same with zeros in front.
pub fn same_gtin(one: Name, other: Name) -> bool {
    let digits = |gtin: Name| gtin.trim_start_matches('0');
    !one.is_empty() && digits(one) == digits(other)
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
    Create(NewOrder),
    /// The same again, or what was cancelled of it.
    Copy {
        order: usize,
        cancelled_only: bool,
    },
    Change {
        order: usize,
        etag: Option<i64>,
        verb: Verb,
    },
    /// A delivery of one supplier for several orders.
    Deliver(Lorry),
    Adjust(Adjustment),
    SetBackOrders(bool),
    UpdateStore(Settings),
    CreateRole {
        role: Name,
        permissions: Vec<Permission>,
    },
    GrantRole {
        principal: Name,
        role: Name,
    },
    RevokeRole {
        principal: Name,
        role: Name,
    },
}

/// What is to be done to an order.
#[derive(Clone, Debug, PartialEq)]
pub enum Verb {
    SetExternalId(Name),
    Place {
        order_time: Option<Time>,
    },
    Receive(Delivery),
    Void {
        receipt: usize,
    },
    /// What is not said is kept: the time, and the delivery note.
    Correct {
        receipt: usize,
        delivery: Delivery,
    },
    Complete {
        lines: Vec<Disposed>,
        rest: PendingDisposition,
        reason: Name,
        expected: Option<Day>,
    },
    Amend(Amendment),
    Confirm(Confirmation),
    /// Of each line so much, or all that is pending.
    CancelLines {
        lines: Vec<(i32, Option<Quantity>)>,
    },
    Cancel {
        reason: Name,
    },
    Reopen {
        reason: Name,
    },
}

/// An order to create. An empty name is none, here and below.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NewOrder {
    pub supplier: Name,
    pub currency: Name,
    pub external_id: Name,
    pub expected: Option<Day>,
    pub lines: Vec<NewLine>,
    pub charges: Vec<Amount>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct NewLine {
    pub product: Name,
    pub unit: Unit,
    pub gtin: Name,
    pub note: Name,
    pub quantity: Option<Quantity>,
    pub packs: Option<Quantity>,
    pub pack_size: Option<Quantity>,
    pub unit_cost: Option<Cost>,
    pub pack_cost: Option<Cost>,
    pub tolerance: Option<Quantity>,
    pub expected: Option<Day>,
    pub lot_required: bool,
}

/// What is to change of an order; `Some(None)` is no date any more.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Amendment {
    pub expected: Option<Option<Day>>,
    pub charges: Option<Vec<Amount>>,
    pub lines: Vec<Amended>,
    pub new_lines: Vec<NewLine>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Amended {
    pub line: i32,
    pub is_removed: bool,
    pub quantity: Option<Quantity>,
    pub packs: Option<Quantity>,
    pub unit_cost: Option<Cost>,
    pub pack_cost: Option<Cost>,
    pub expected: Option<Option<Day>>,
    pub note: Option<Name>,
}

/// What the supplier says of lines, and whether all others come as they are ordered.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Confirmation {
    pub lines: Vec<Confirmed>,
    pub rest: bool,
    pub expected: Option<Day>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Confirmed {
    pub line: i32,
    pub quantity: Option<Quantity>,
    pub packs: Option<Quantity>,
    pub expected: Option<Day>,
}

/// A delivery to book. No items: everything that is pending came.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Delivery {
    pub items: Option<Vec<NewItem>>,
    pub time: Option<Time>,
    pub delivery_note: Name,
    pub refuse_known: bool,
}

/// What one supplier brought. Its items may name orders, and always are listed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Lorry {
    pub supplier: Name,
    /// Orders as the caller saw them.
    pub etags: Vec<(usize, i64)>,
    pub delivery: Delivery,
}

/// Of which goods something came.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Goods {
    Line(i32),
    Product(Name),
    Gtin(Name),
    Unlisted(Unlisted),
}

/// A product that an order does not name.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Unlisted {
    pub product: Name,
    pub unit: Unit,
    pub gtin: Name,
    pub pack_size: Option<Quantity>,
}

/// Settings of a store; those that are none stay.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Settings {
    pub tolerance: Option<Quantity>,
    pub negative_stock: Option<bool>,
    pub unlisted_items: Option<bool>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct NewItem {
    /// The order that it is for, where one delivery is for several.
    pub order: Option<usize>,
    pub goods: Goods,
    pub accepted: Option<Quantity>,
    pub accepted_packs: Option<Quantity>,
    pub rejected: Option<Quantity>,
    pub rejected_packs: Option<Quantity>,
    pub reject_reason: RejectReason,
    pub reject_note: Name,
    pub unit_cost: Option<Cost>,
    pub excess_cost: Option<Cost>,
    pub lots: Vec<NewLot>,
}

/// So much of a lot, as an item names it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NewLot {
    pub lot: Lot,
    pub quantity: Option<Quantity>,
}

/// A lot of a product. The same code with another date is another lot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lot {
    pub code: Name,
    /// The last day on which it may be sold.
    pub expires: Option<Day>,
}

impl NewItem {
    pub fn of(goods: Goods, accepted: Quantity) -> Self {
        Self {
            order: None,
            goods,
            accepted: Some(accepted),
            accepted_packs: None,
            rejected: None,
            rejected_packs: None,
            reject_reason: RejectReason::Unspecified,
            reject_note: "",
            unit_cost: None,
            excess_cost: None,
            lots: Vec::new(),
        }
    }

    /// The line that it names, if it names one.
    pub fn line(&self) -> Option<i32> {
        if let Goods::Line(line) = self.goods { Some(line) } else { None }
    }

    fn names_costs(&self) -> bool {
        self.unit_cost.is_some() || self.excess_cost.is_some()
    }

    /// Whether anything was rejected, in whatever form it is said.
    pub fn rejects(&self) -> bool {
        self.rejected.unwrap_or(0) > 0 || self.rejected_packs.unwrap_or(0) > 0
    }

    /// Whether anything came of its line; otherwise it is passed over.
    pub fn says_something(&self) -> bool {
        self.rejects() || self.accepted.unwrap_or(0) > 0 || self.accepted_packs.unwrap_or(0) > 0
    }
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Disposed {
    pub line: i32,
    pub back_order: Quantity,
    pub cancel: Quantity,
    /// Its own reason and date, in place of those of the completion.
    pub reason: Name,
    pub expected: Option<Day>,
}

/// Stock to adjust.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Adjustment {
    pub product: Name,
    pub kind: AdjustmentKind,
    pub quantity: Quantity,
    pub unit: Unit,
    pub unit_cost: Option<Cost>,
    pub reason: Name,
    /// By which line of which order the goods came.
    pub source: Option<Source>,
    /// Without a date: whichever lots have the code.
    pub lot: Option<Lot>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Source {
    pub order: usize,
    pub line: i32,
    pub etag: Option<i64>,
}

impl Command {
    /// What it is called in the table of what occurred.
    pub fn kind(&self) -> Name {
        match self {
            Self::Create(_) => "create",
            Self::Copy { .. } => "copy",
            Self::Change { verb: Verb::SetExternalId(_), .. } => "set external id",
            Self::Change { verb: Verb::Place { .. }, .. } => "place",
            Self::Change { verb: Verb::Receive(_), .. } => "receive",
            Self::Change { verb: Verb::Void { .. }, .. } => "void",
            Self::Change { verb: Verb::Correct { .. }, .. } => "correct",
            Self::Change { verb: Verb::Complete { .. }, .. } => "complete",
            Self::Change { verb: Verb::Amend(_), .. } => "amend",
            Self::Change { verb: Verb::Confirm(_), .. } => "confirm",
            Self::Change { verb: Verb::CancelLines { .. }, .. } => "cancel lines",
            Self::Change { verb: Verb::Cancel { .. }, .. } => "cancel",
            Self::Change { verb: Verb::Reopen { .. }, .. } => "reopen",
            Self::Deliver(_) => "deliver",
            Self::Adjust(Adjustment { source: Some(_), .. }) => "return of a line",
            Self::Adjust(Adjustment { lot: Some(_), .. }) => "adjust a lot",
            Self::Adjust(_) => "adjust",
            Self::SetBackOrders(_) => "set back orders",
            Self::UpdateStore(_) => "update store",
            Self::CreateRole { .. } => "create role",
            Self::GrantRole { .. } => "grant",
            Self::RevokeRole { .. } => "revoke",
        }
    }

    /// Whether its request names what something costs.
    pub fn names_costs(&self) -> bool {
        match self {
            Self::Create(new) => {
                let line = |line: &NewLine| line.unit_cost.is_some() || line.pack_cost.is_some();
                new.lines.iter().any(line) || !new.charges.is_empty()
            }
            Self::Change {
                verb:
                    Verb::Receive(Delivery { items: Some(items), .. })
                    | Verb::Correct { delivery: Delivery { items: Some(items), .. }, .. },
                ..
            } => items.iter().any(NewItem::names_costs),
            Self::Change { verb: Verb::Amend(amendment), .. } => {
                let amended = |line: &Amended| line.unit_cost.is_some() || line.pack_cost.is_some();
                let new = |line: &NewLine| line.unit_cost.is_some() || line.pack_cost.is_some();
                let Amendment { charges, lines, new_lines, .. } = amendment;
                let has_charges = charges.as_ref().is_some_and(|charges| !charges.is_empty());
                has_charges || lines.iter().any(amended) || new_lines.iter().any(new)
            }
            Self::Deliver(Lorry { delivery, .. }) => delivery.items.iter().flatten().any(NewItem::names_costs),
            Self::Adjust(adjustment) => adjustment.unit_cost.is_some(),
            _ => false,
        }
    }
}

impl Verb {
    /// The lines that it names; an item that is passed over names none.
    pub fn lines(&self) -> Vec<i32> {
        match self {
            Self::Receive(Delivery { items: Some(items), .. })
            | Self::Correct { delivery: Delivery { items: Some(items), .. }, .. } => {
                items.iter().filter(|item| item.says_something()).filter_map(NewItem::line).collect()
            }
            Self::Amend(amendment) => amendment.lines.iter().map(|amended| amended.line).collect(),
            Self::Confirm(confirmation) => confirmation.lines.iter().map(|confirmed| confirmed.line).collect(),
            Self::CancelLines { lines } => lines.iter().map(|(line, _)| *line).collect(),
            Self::Complete { lines, .. } => lines.iter().map(|disposition| disposition.line).collect(),
            _ => Vec::new(),
        }
    }

    /// The place of the receipt that it names.
    pub fn receipt(&self) -> Option<usize> {
        match self {
            Self::Void { receipt } | Self::Correct { receipt, .. } => Some(*receipt),
            _ => None,
        }
    }

    pub fn action(&self) -> PurchaseOrderAction {
        match self {
            Self::SetExternalId(_) => PurchaseOrderAction::Update,
            Self::Place { .. } => PurchaseOrderAction::Place,
            Self::Receive(_) => PurchaseOrderAction::Receive,
            Self::Void { .. } => PurchaseOrderAction::VoidReceipt,
            Self::Correct { .. } => PurchaseOrderAction::CorrectReceipt,
            Self::Complete { .. } => PurchaseOrderAction::Complete,
            Self::Amend(_) => PurchaseOrderAction::Amend,
            Self::Confirm(_) => PurchaseOrderAction::Confirm,
            Self::CancelLines { .. } => PurchaseOrderAction::CancelLines,
            Self::Cancel { .. } => PurchaseOrderAction::Cancel,
            Self::Reopen { .. } => PurchaseOrderAction::Reopen,
        }
    }
}
