//! Faults put in on purpose: each must be found, or the simulation proves nothing.
//!
//! Those of the code that ships are in it, behind a feature (`crates/sabotage`); those that only its shell can have are here.

use std::{fmt, str::FromStr};

use sabotage::Fault;

/// What is broken, and where.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sabotage {
    #[default]
    Nothing,
    /// In what ships.
    Shipped(Fault),
    /// In the shell that drives it: what the switch wants is not done, or it is told what is not true.
    InShell(ShellFault),
}

/// What a shell could do wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ShellFault {
    /// Everything is said to be durable when it is not.
    SaidDurable,
    /// What can be asked about a call is told at the end of the turn.
    LateSnapshot,
    /// A message has one byte too few.
    CutShort,
    /// One process takes up what it never said it would.
    TakenUpUnsaid,
}

impl ShellFault {
    pub const ALL: [Self; 4] = [
        Self::SaidDurable,
        Self::LateSnapshot,
        Self::CutShort,
        Self::TakenUpUnsaid,
    ];

    const fn name(self) -> &'static str {
        match self {
            Self::SaidDurable => "said-durable",
            Self::LateSnapshot => "late-snapshot",
            Self::CutShort => "cut-short",
            Self::TakenUpUnsaid => "taken-up-unsaid",
        }
    }
}

impl Sabotage {
    /// Each that breaks something.
    pub fn all() -> impl Iterator<Item = Self> {
        let shipped = Fault::ALL.iter().copied().map(Self::Shipped);
        shipped.chain(ShellFault::ALL.map(Self::InShell))
    }

    pub(crate) fn is_in_shell(self, fault: ShellFault) -> bool {
        self == Self::InShell(fault)
    }

    /// What the switch is made with.
    #[cfg(feature = "faults")]
    pub(crate) fn of_switch(self) -> sabotage::Sabotage {
        match self {
            Self::Shipped(fault) => sabotage::Sabotage::of(fault),
            Self::Nothing | Self::InShell(_) => sabotage::Sabotage::default(),
        }
    }

    /// What the switch is made with: it ships without faults.
    #[cfg(not(feature = "faults"))]
    pub(crate) fn of_switch(self) -> sabotage::Sabotage {
        sabotage::Sabotage::default()
    }
}

impl fmt::Display for Sabotage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing => f.write_str("nothing"),
            Self::Shipped(fault) => fault.fmt(f),
            Self::InShell(fault) => f.write_str(fault.name()),
        }
    }
}

/// No fault is called so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownSabotage;

impl fmt::Display for UnknownSabotage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no fault is called so (--list-sabotages)")
    }
}

impl std::error::Error for UnknownSabotage {}

impl FromStr for Sabotage {
    type Err = UnknownSabotage;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut all = Self::all().chain([Self::Nothing]);
        all.find(|sabotage| sabotage.to_string() == text).ok_or(UnknownSabotage)
    }
}
