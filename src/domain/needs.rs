//! Needs: what a command must know before it can decide, as a flat set of values.
//!
//! The repository unites the needs of a batch and loads each kind with one statement, whose joins lead
//! from the values themselves to the rows. No lookup waits for what another has found, so the number of
//! statements does not depend on the number of commands or rows.

use super::code::{PrincipalId, ProductId};
use super::order::OrderId;
use super::order::receive::items::ProductSelector;
use super::outcome::{Outcome, OutcomeOfOrder};
use super::time::Date;

/// Something to load from one store, besides what the gate has loaded for every command: the store,
/// the caller's permissions, the stored response and the header of the target order.
///
/// The working set notes with the same value that a set of rows is loaded completely.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Need {
    /// A header that is not the command's target.
    Order(OrderId),
    /// One line by its number, and the level of its product.
    Line(OrderId, i32),
    /// The lines of an order that are of a product, and the levels of their products.
    LinesOfProduct(OrderId, ProductSelector),
    /// The lines of a product on the orders of a supplier that can be received: these orders, the lines and the
    /// levels of their products. The working set keeps them as they are loaded.
    ReceivableLines(String, ProductSelector),
    /// Every line of an order, and the levels of their products.
    AllLines(OrderId),
    /// The lines that a receipt has items of, and the levels of their products.
    LinesOfReceipt(OrderId, i32),
    /// A receipt with all its items; one that does not exist is known to be absent.
    Receipt(OrderId, i32),
    /// The items of an order's active receipts: what a completion puts on hand.
    StagedItems(OrderId),
    /// For each line of a receipt, the earliest and latest `receive_time` of the order's other active
    /// receipts that have the line too. A summary that the database makes.
    OtherReceiveTimes(OrderId, i32),
    /// The level of a product that no loaded line may name.
    Level(ProductId),
    /// The lots of a product that are in stock, those that are sold first, as many as an adjustment may take stock
    /// out of. The working set keeps them up to date.
    LotsInStock(ProductId),
    /// The lots of a product with this code, in stock or not; with an expiry date, the one that has it. Without one, as
    /// many as an adjustment may take stock out of, and one more if there are more. The working set keeps them up to
    /// date.
    LotsWithCode(ProductId, String, Option<Date>),
    /// Which order of the store has this external id, if one has.
    ExternalId(String),
    /// For a delivery note that arrives with goods of an order: the active receipt of the same supplier that
    /// bears it already, the one that arrived last if there are several. Where the goods correct a receipt of the
    /// order, that one and those of the same delivery do not count. A summary that the database makes.
    DeliveryNote(OrderId, String, Option<i32>),
    /// The same for a delivery of a supplier, whichever orders it is for.
    DeliveryNoteOfSupplier(String, String),
    /// The store's roles and what each allows.
    Roles,
    /// Every grant of the store that holds now.
    Grants,
    /// The grants that one principal holds in the store now.
    GrantsOf(PrincipalId),
    /// The numbers of the store's first open orders. A summary that the database makes.
    OpenOrders,
    /// The back order of an order, if it has one: its header, its lines and the levels of their products.
    BackOrderOf(OrderId),
    /// What the last completion of an order put on hand and cancelled, with what is left of it in stock.
    LastCompletion(OrderId),
}

impl Need {
    /// Whether the working set cannot keep it up to date while other commands of the store are decided.
    /// A command with such a need is the only one of its store in its transaction: summaries would be
    /// stale, and a command that changes roles changes what the callers of other commands may do. Which order is
    /// the back order of another, and which completion was its last, may change in the same batch too.
    const fn is_exclusive(&self) -> bool {
        // `Grants` needs no mention: every command that needs them needs `Roles` too.
        matches!(
            self,
            Self::OtherReceiveTimes(..)
                | Self::ReceivableLines(..)
                | Self::DeliveryNote(..)
                | Self::DeliveryNoteOfSupplier(..)
                | Self::OpenOrders
                | Self::Roles
                | Self::BackOrderOf(_)
                | Self::LastCompletion(_)
        )
    }
}

/// The needs of one command. They follow from the command alone, so they can be united over a batch
/// before anything is loaded.
#[derive(Clone, Debug, Default)]
pub struct Needs {
    values: Vec<Need>,
}

impl Needs {
    /// Adds a need; one that is there already costs nothing, because needs are united before they are
    /// loaded.
    pub fn add(&mut self, need: Need) {
        self.values.push(need);
    }

    /// Iterates over the needs in the order in which they were added.
    pub fn iter(&self) -> impl Iterator<Item = &Need> {
        self.values.iter()
    }

    /// Whether its command must be the only one of its store in its transaction.
    pub fn are_exclusive(&self) -> bool {
        self.values.iter().any(Need::is_exclusive)
    }

    /// What must be loaded to answer with a stored outcome again: the orders, lines, receipts and level that
    /// the answer shows as they are now.
    pub fn of_replay(outcome: &Outcome) -> Self {
        let mut needs = Self::default();
        outcome.product().into_iter().for_each(|product| needs.add(Need::Level(product)));
        for OutcomeOfOrder { order, receipt, lines } in outcome.orders() {
            needs.add(Need::Order(order));
            // Single lines, and not all of the order: an answer shows those that the command was about.
            needs.extend(lines.iter().map(|line| Need::Line(order, *line)));
            needs.extend(receipt.map(|receipt| Need::Receipt(order, receipt)));
        }
        needs
    }
}

impl Extend<Need> for Needs {
    fn extend<I: IntoIterator<Item = Need>>(&mut self, needs: I) {
        self.values.extend(needs);
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::domain::outcome::ReceiptChanged;

    const ORDER: OrderId = OrderId(Uuid::from_u128(1));

    #[test]
    fn a_command_that_needs_roles_or_a_summary_is_the_only_one_of_its_store() {
        for (need, exclusive) in [
            (Need::Order(ORDER), false),
            (Need::Line(ORDER, 1), false),
            (Need::AllLines(ORDER), false),
            (Need::LinesOfReceipt(ORDER, 1), false),
            (Need::Receipt(ORDER, 1), false),
            (Need::StagedItems(ORDER), false),
            (Need::OtherReceiveTimes(ORDER, 1), true),
            (Need::Level(ProductId::new("oak")), false),
            (Need::LotsInStock(ProductId::new("oak")), false),
            (Need::LotsWithCode(ProductId::new("oak"), "L1".to_owned(), None), false),
            (Need::ExternalId("erp-1".to_owned()), false),
            (Need::DeliveryNote(ORDER, "LS-1".to_owned(), None), true),
            (Need::Roles, true),
            (Need::GrantsOf(PrincipalId::new("ann")), false),
            (Need::OpenOrders, true),
            (Need::BackOrderOf(ORDER), true),
            (Need::LastCompletion(ORDER), true),
        ] {
            let mut needs = Needs::default();
            needs.add(Need::Receipt(ORDER, 7));
            needs.add(need.clone());
            assert_eq!(needs.are_exclusive(), exclusive, "{need:?}");
        }
    }

    #[test]
    fn a_replay_needs_what_its_answer_shows() {
        let receipt =
            ReceiptChanged { event: 12, order: ORDER, receipt: 3, lines: vec![4, 5], same_delivery_note: None };
        for (outcome, expected) in [
            (Outcome::access_changed(12), vec![]),
            (Outcome::order_changed(12, ORDER), vec![Need::Order(ORDER)]),
            (
                Outcome::ReceiptBooked(receipt),
                vec![Need::Order(ORDER), Need::Line(ORDER, 4), Need::Line(ORDER, 5), Need::Receipt(ORDER, 3)],
            ),
        ] {
            let needs = Needs::of_replay(&outcome);
            assert_eq!(needs.iter().cloned().collect::<Vec<_>>(), expected);
        }
    }
}
