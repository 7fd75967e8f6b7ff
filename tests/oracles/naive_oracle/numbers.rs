//! Exact numbers: what the model works with are whole numbers of the smallest parts, and whatever may have
//! to be rounded is a fraction of two of them until it is rounded once.

/// Ten-thousandths of a unit, of a pack, or of a per cent.
pub type Quantity = i64;
/// Millionths of the currency, for one unit or one pack.
pub type Cost = i64;
/// Ten-thousandths of the currency.
pub type Amount = i128;
/// Ten thousand millionths of the currency: what a quantity times a cost comes to.
pub type Exact = i128;

pub const WHOLE: Quantity = 10_000;
/// The most that a unit or a pack may cost.
pub const DEAREST: Cost = 1_000_000_000 * 1_000_000;
/// The most that an order, or what was received of it, may be worth.
pub const MOST_WORTH: Amount = 100_000_000_000 * 10_000;

/// The nearest whole number, and the even one of two that are equally near.
fn half_even(numerator: i128, denominator: i128) -> i128 {
    let below = numerator.div_euclid(denominator);
    let to_below = numerator - below * denominator;
    let to_above = denominator - to_below;
    if to_below < to_above || to_below == to_above && below % 2 == 0 { below } else { below + 1 }
}

pub fn times(quantity: Quantity, cost: Cost) -> Exact {
    i128::from(quantity) * i128::from(cost)
}

pub fn rounded(exact: Exact) -> Amount {
    half_even(exact, 1_000_000)
}

/// What one unit of a pack costs.
pub fn part_of_pack(pack_cost: Cost, size: Quantity) -> Cost {
    half_even(i128::from(pack_cost) * i128::from(WHOLE), i128::from(size)) as Cost
}

/// The average cost of what is there and what comes.
pub fn mixed(there: (Quantity, Cost), comes: (Quantity, Cost)) -> Cost {
    if there.0 <= 0 {
        return comes.1;
    }
    half_even(times(there.0, there.1) + times(comes.0, comes.1), i128::from(there.0 + comes.0)) as Cost
}

/// The average cost of what is left when goods are taken out at their own cost, as long as that is a cost.
pub fn without(there: (Quantity, Cost), goes: (Quantity, Cost)) -> Cost {
    let left = there.0 - goes.0;
    if left <= 0 {
        return there.1;
    }
    let average = half_even(times(there.0, there.1) - times(goes.0, goes.1), i128::from(left)) as Cost;
    if (0..=DEAREST).contains(&average) { average } else { there.1 }
}

/// How many units so many packs are, if that comes out exactly.
fn units(packs: Quantity, size: Quantity) -> Option<Quantity> {
    let parts = packs * size;
    (parts % WHOLE == 0).then_some(parts / WHOLE)
}

/// The quantity that is said in units, in packs or in both; nothing if it cannot be said so.
pub fn stated(said: Option<Quantity>, packs: Option<Quantity>, size: Option<Quantity>) -> Option<Quantity> {
    let Some(packs) = packs else { return Some(said.unwrap_or(0)) };
    let from_packs = units(packs, size?)?;
    if said.is_some_and(|said| said != from_packs) { None } else { Some(from_packs) }
}

/// Whether `received` of `wanted` is within a tolerance.
pub fn within(received: Quantity, wanted: Quantity, tolerance: Quantity) -> bool {
    i128::from(received) * 1_000_000 <= i128::from(wanted) * i128::from(1_000_000 + tolerance)
}

/// The most that is within it.
pub fn most_within(wanted: Quantity, tolerance: Quantity) -> Quantity {
    (i128::from(wanted) * i128::from(1_000_000 + tolerance) / 1_000_000) as Quantity
}

/// As text, of so many ten-thousandths.
pub fn decimal(parts: impl Into<i128>) -> String {
    text(parts.into(), 4)
}

/// As text, of so many millionths.
pub fn cost(cost: Cost) -> String {
    text(cost.into(), 6)
}

fn text(parts: i128, places: u32) -> String {
    let (one, sign) = (10_i128.pow(places), if parts < 0 { "-" } else { "" });
    let (whole, rest) = (parts.abs() / one, parts.abs() % one);
    let text = format!("{sign}{whole}.{rest:0width$}", width = places as usize);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}
