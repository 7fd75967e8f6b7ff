//! What was delivered, as the caller says it: quantities, and the goods that they are of.

use std::fmt;

use crate::domain::code::ProductId;
use crate::domain::gtin::Gtin;
use crate::domain::inventory::lot::LotQuantity;
use crate::domain::needs::{Need, Needs};
use crate::domain::order::OrderId;
use crate::domain::order::receipt::{ItemCosts, Rejection};

use crate::domain::pack::StatedQuantity;
use crate::domain::quantity::Quantity;
use crate::domain::unit::Unit;

/// What was delivered of some goods.
#[derive(Clone, Debug)]
pub struct NewItem {
    /// Where the item stands in the request, for the paths of violations: items without any quantity are
    /// passed over.
    pub index: usize,
    /// Which goods they are.
    pub target: ItemTarget,
    /// What is kept.
    pub accepted: StatedQuantity,
    /// What is sent back or refused; it stays pending on the line.
    pub rejected: StatedQuantity,
    /// Why it is rejected; required where anything is.
    pub rejection: Option<Rejection>,
    /// What the goods cost, where it is not what the line says.
    pub costs: ItemCosts,
    /// The lots of what is kept, each at most once and above zero, in the order in which lines are filled with
    /// them.
    pub lots: Vec<LotQuantity>,
}

/// Which goods an item is of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ItemTarget {
    /// Those of one line.
    Line(OrderId, i32),
    /// A product, whichever lines it is pending on: those of one order, or where none is named those of every
    /// order of the supplier that can be received.
    Product(Option<OrderId>, ProductSelector),
    /// Goods that the order does not name. They get a line of their own.
    Unlisted(OrderId, UnlistedProduct),
}

impl ItemTarget {
    /// The order that the item names, if it names one.
    pub const fn order(&self) -> Option<OrderId> {
        match self {
            Self::Line(order, _) | Self::Unlisted(order, _) => Some(*order),
            Self::Product(order, _) => *order,
        }
    }

    /// Adds what must be loaded to book an item on the order that it names.
    pub(super) fn needs(&self, needs: &mut Needs) {
        match self {
            Self::Line(order, number) => needs.add(Need::Line(*order, *number)),
            Self::Product(Some(order), selector) => needs.add(Need::LinesOfProduct(*order, selector.clone())),
            // Which orders have it is not known before; their supplier is.
            Self::Product(None, _) => {}
            Self::Unlisted(order, unlisted) => {
                needs.add(Need::LinesOfProduct(*order, unlisted.selector()));
                needs.add(Need::Level(unlisted.product.clone()));
            }
        }
    }
}

/// How an item names a product: by what the store calls it, or by the number under its bar code.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ProductSelector {
    /// Lines of this product.
    Product(ProductId),
    /// Lines that bear this number.
    Gtin(Gtin),
}

impl fmt::Display for ProductSelector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Product(product) => write!(f, "product {product}"),
            Self::Gtin(gtin) => write!(f, "GTIN {gtin}"),
        }
    }
}

/// A product that the order does not name, as its new line will describe it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnlistedProduct {
    /// The product; if it is new to the store, its unit is fixed by the line.
    pub product: ProductId,
    /// The description that people read.
    pub description: String,
    /// The global trade item number, with a valid check digit.
    pub gtin: Option<String>,
    /// The unit that the quantities count; it must be the one in which the store counts the product.
    pub unit: Unit,
    /// How many units are in a pack; above zero.
    pub pack_size: Option<Quantity>,
}

impl UnlistedProduct {
    /// What finds the lines of the product.
    pub fn selector(&self) -> ProductSelector {
        ProductSelector::Product(self.product.clone())
    }
}
