//! What quantities count, and which units may be divided.

/// A stock unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Single items.
    Each,
    /// Pairs.
    Pair,
    /// Sets.
    Set,
    /// Boxes sold as boxes.
    Box,
    /// Rolls.
    Roll,
    /// Bottles.
    Bottle,
    /// Kilograms.
    Kilogram,
    /// Grams.
    Gram,
    /// Litres.
    Litre,
    /// Millilitres.
    Millilitre,
    /// Metres.
    Metre,
    /// Square metres.
    SquareMetre,
}

impl Unit {
    /// Every unit.
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

    /// Whether quantities must be whole numbers.
    pub const fn is_whole(self) -> bool {
        matches!(self, Self::Each | Self::Pair | Self::Set | Self::Box | Self::Roll | Self::Bottle)
    }
}
