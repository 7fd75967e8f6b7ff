//! Units: what quantities count, and which units may be divided. A product has one unit in a store, so
//! that its quantities can be added up.

/// The unit that the quantities of a product count, and whether it can be divided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    Each,
    Pair,
    Set,
    /// Boxes that are sold as boxes, whatever is in them.
    Box,
    Roll,
    Bottle,
    Kilogram,
    Gram,
    Litre,
    Millilitre,
    Metre,
    SquareMetre,
}

impl Unit {
    /// Every unit, those that are counted in whole numbers first.
    pub const ALL: [Self; 12] = [
        Self::Each,
        Self::Pair,
        Self::Set,
        Self::Box,
        Self::Roll,
        Self::Bottle,
        Self::Kilogram,
        Self::Gram,
        Self::Litre,
        Self::Millilitre,
        Self::Metre,
        Self::SquareMetre,
    ];

    /// The name it is stored by.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Each => "EACH",
            Self::Pair => "PAIR",
            Self::Set => "SET",
            Self::Box => "BOX",
            Self::Roll => "ROLL",
            Self::Bottle => "BOTTLE",
            Self::Kilogram => "KILOGRAM",
            Self::Gram => "GRAM",
            Self::Litre => "LITRE",
            Self::Millilitre => "MILLILITRE",
            Self::Metre => "METRE",
            Self::SquareMetre => "SQUARE_METRE",
        }
    }

    /// The unit stored by a name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|unit| unit.name() == name)
    }

    /// Whether quantities in it must be whole numbers: half a bottle cannot be ordered, half a kilogram can.
    pub const fn is_whole(self) -> bool {
        matches!(self, Self::Each | Self::Pair | Self::Set | Self::Box | Self::Roll | Self::Bottle)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_unit_is_found_by_its_name_alone() {
        for unit in Unit::ALL {
            assert_eq!(Unit::from_name(unit.name()), Some(unit));
        }
        for name in ["", "each", "UNIT_EACH"] {
            assert_eq!(Unit::from_name(name), None, "{name:?}");
        }
    }
}
