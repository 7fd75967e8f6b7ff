//! What a command must know before it can decide, as plain data: the repository unites the needs of
//! a batch and loads them with a fixed number of statements.

use super::code::{PrincipalId, ProductId};
use super::order::OrderId;
use super::request::Made;

/// The needs of one command besides its store, its caller's grants and its request record, which
/// every command needs.
#[derive(Clone, Debug, Default)]
pub struct Needs {
    /// Orders, and how much of each.
    pub orders: Vec<OrderNeed>,
    /// Levels of products that no loaded line names.
    pub products: Vec<ProductId>,
    /// The roles of these principals besides the caller.
    pub grants_of: Vec<PrincipalId>,
    /// Everybody's roles in the store.
    pub all_grants: bool,
    /// The numbers of the store's first open orders. A command that needs them comes first of its
    /// store in its transaction, so that the list is true when it decides.
    pub open_orders: bool,
}

/// How much of an order to load. Its header always comes.
#[derive(Clone, Debug)]
pub struct OrderNeed {
    /// Which order.
    pub order: OrderId,
    /// Which lines; the levels of their products come with them.
    pub lines: LineNeed,
    /// These receipts with their items.
    pub receipts: Vec<i32>,
    /// All standing receipts with their items.
    pub standing_receipts: bool,
}

/// Which lines of an order to load.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LineNeed {
    /// The lines with these numbers.
    Numbers(Vec<i32>),
    /// The lines that a receipt has items of.
    OfReceipt(i32),
    /// Every line.
    All,
}

impl LineNeed {
    /// No lines.
    pub const NONE: Self = Self::Numbers(Vec::new());
}

impl Needs {
    /// An order and some of its lines.
    pub fn order(&mut self, order: OrderId, lines: LineNeed) -> &mut OrderNeed {
        self.orders.push(OrderNeed { order, lines, receipts: Vec::new(), standing_receipts: false });
        let last = self.orders.len() - 1;
        &mut self.orders[last]
    }

    /// What repeating a first answer needs.
    pub fn of_replay(made: &Made) -> Self {
        let mut needs = Self::default();
        if let Some(order) = made.order {
            needs.order(order, LineNeed::Numbers(made.lines.clone())).receipts = made.receipt.into_iter().collect();
        }
        needs
    }
}
