//! Schema versions a client may ask for, and the version this server says it has.

/// `Version` of `t:RequestServerVersion`: the schema a request was written against, oldest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ServerVersion(usize);

/// `t:ExchangeVersionType` as published up to Exchange 2019 and Exchange Online.
const NAMES: [&str; 19] = [
    "Exchange2007",
    "Exchange2007_SP1",
    "Exchange2010",
    "Exchange2010_SP1",
    "Exchange2010_SP2",
    "Exchange2013",
    "Exchange2013_SP1",
    "Exchange2015",
    "Exchange2016",
    "V2015_10_05",
    "V2016_01_06",
    "V2016_04_13",
    "V2016_07_13",
    "V2016_10_10",
    "V2017_01_07",
    "V2017_04_14",
    "V2017_07_11",
    "V2017_10_09",
    "V2018_01_08",
];

impl ServerVersion {
    /// The first version with the phone operations.
    pub const EXCHANGE_2010: Self = Self(2);
    /// What our own client asks for: the newest version that every server it may meet knows.
    pub const EXCHANGE_2013: Self = Self(5);

    /// Every version, oldest first.
    pub fn all() -> impl Iterator<Item = Self> {
        (0..NAMES.len()).map(Self)
    }

    /// The version of that name, if the schema has it.
    pub fn named(name: &str) -> Option<Self> {
        NAMES.iter().position(|known| *known == name).map(Self)
    }

    /// The name in the schema's enumeration.
    pub fn name(self) -> &'static str {
        NAMES.get(self.0).copied().unwrap_or_default()
    }
}

/// `t:ServerVersionInfo`, in the header of every answer. Clients choose what they ask for by it, and some refuse to
/// work without it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerVersionInfo {
    /// `MajorVersion`: 15 since Exchange 2013.
    pub major: u16,
    /// `MinorVersion`
    pub minor: u16,
    /// `MajorBuildNumber`
    pub build: u16,
    /// `MinorBuildNumber`
    pub revision: u16,
    /// `Version`: a plain name of the enumeration; clients reject others.
    pub version: ServerVersion,
}

/// Exchange 2016, the last to serve the phone operations.
impl Default for ServerVersionInfo {
    fn default() -> Self {
        Self {
            major: 15,
            minor: 1,
            build: 2507,
            revision: 6,
            version: ServerVersion(8),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn constants_name_what_they_say() {
        assert_eq!(ServerVersion::EXCHANGE_2010.name(), "Exchange2010");
        assert_eq!(ServerVersion::EXCHANGE_2013.name(), "Exchange2013");
        assert_eq!(ServerVersionInfo::default().version.name(), "Exchange2016");
    }

    #[test]
    fn names_lead_back_to_versions() {
        for version in ServerVersion::all() {
            assert_eq!(ServerVersion::named(version.name()), Some(version));
        }
        assert_eq!(ServerVersion::named("exchange2010"), None);
    }
}
