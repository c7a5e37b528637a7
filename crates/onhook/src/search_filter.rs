//! What a search filter of a directory (RFC 4515) finds an entry by. Pure; read as the library that searches reads it.

use std::collections::BTreeSet;

use ldap3::asn1::{ASNTag as _, PL, StructureTag};
use ldap3::parse_filter;

/// What stands for the user in a filter, and in the template of a DN.
pub(crate) const USER: &str = "{user}";

/// The text is no filter.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct NoFilter;

/// By how many names one entry is found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// By the values of one attribute.
    ByOneAttribute,
    /// By the values of several.
    BySeveralAttributes,
    /// Not by a whole value: by a part of one, by a similar one, or whatever the name is.
    Loosely,
}

/// How entries are found by what stands in the place of [`USER`].
///
/// # Errors
/// When it is no filter.
pub(crate) fn found(filter: &str) -> Result<Found, NoFilter> {
    let filter = parse_filter(filter).map_err(|()| NoFilter)?.into_structure();
    Ok(match Ways::of(&filter) {
        Some(Ways::Equality(attributes)) if attributes.len() == 1 => Found::ByOneAttribute,
        Some(Ways::Equality(_)) => Found::BySeveralAttributes,
        Some(Ways::Loose) | None => Found::Loosely,
    })
}

/// What a part of a filter asks of the user's name.
enum Ways {
    /// To be the value of one of these attributes.
    Equality(BTreeSet<Vec<u8>>),
    Loose,
}

// RFC 4511 §4.5.1.7.
const AND: u64 = 0;
const OR: u64 = 1;
const EQUALITY: u64 = 3;
const EXTENSIBLE: u64 = 9;
/// The attribute of an extensible match.
const TYPE: u64 = 2;

impl Ways {
    /// `None` where it asks nothing of the name.
    fn of(filter: &StructureTag) -> Option<Self> {
        let parts = parts(filter);
        match filter.id {
            // All have to be true: the strictest decides.
            AND => parts.iter().filter_map(Self::of).min_by_key(Self::breadth),
            OR => {
                let ways: Vec<_> = parts.iter().map(Self::of).collect();
                let is_asked = ways.iter().any(Option::is_some);
                // A part that asks nothing of the name is true for any.
                let any = ways
                    .into_iter()
                    .map(|ways| ways.unwrap_or(Self::Loose))
                    .reduce(Self::or);
                any.filter(|_| is_asked)
            }
            EQUALITY => holds_user(filter).then(|| match parts.first().map(|attribute| &attribute.payload) {
                Some(PL::P(attribute)) => Self::attribute(attribute),
                _ => Self::Loose,
            }),
            EXTENSIBLE => holds_user(filter).then(|| {
                let attribute = parts.iter().find(|part| part.id == TYPE).map(|part| &part.payload);
                match attribute {
                    Some(PL::P(attribute)) => Self::attribute(attribute),
                    _ => Self::Loose,
                }
            }),
            _ => holds_user(filter).then_some(Self::Loose),
        }
    }

    fn attribute(name: &[u8]) -> Self {
        Self::Equality(BTreeSet::from([name.to_ascii_lowercase()]))
    }

    fn or(self, other: Self) -> Self {
        match (self, other) {
            (Self::Equality(mut these), Self::Equality(those)) => {
                these.extend(those);
                Self::Equality(these)
            }
            _ => Self::Loose,
        }
    }

    fn breadth(&self) -> usize {
        match self {
            Self::Equality(attributes) => attributes.len(),
            Self::Loose => usize::MAX,
        }
    }
}

fn parts(filter: &StructureTag) -> &[StructureTag] {
    match &filter.payload {
        PL::C(parts) => parts,
        PL::P(_) => &[],
    }
}

/// Whether the user stands anywhere in it.
fn holds_user(filter: &StructureTag) -> bool {
    match &filter.payload {
        PL::C(parts) => parts.iter().any(holds_user),
        PL::P(text) => text.windows(USER.len()).any(|part| part == USER.as_bytes()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_finds_an_entry_by_one_name_or_by_more() {
        for (filter, expected) in [
            ("(uid={user})", Ok(Found::ByOneAttribute)),
            ("(&(objectClass=person)(uid={user}))", Ok(Found::ByOneAttribute)),
            (
                "(&(|(objectClass=person)(objectClass=user))(uid={user}))",
                Ok(Found::ByOneAttribute),
            ),
            ("(mail={user}@example.com)", Ok(Found::ByOneAttribute)),
            ("(|(uid={user})(UID={user}))", Ok(Found::ByOneAttribute)),
            ("(&(uid={user})(|(uid={user})(mail={user})))", Ok(Found::ByOneAttribute)),
            (
                "(&(uid={user})(!(memberOf=cn={user},dc=example)))",
                Ok(Found::ByOneAttribute),
            ),
            ("(uid:caseExactMatch:={user})", Ok(Found::ByOneAttribute)),
            ("(|(uid={user})(mail={user}))", Ok(Found::BySeveralAttributes)),
            (
                "(&(objectClass=person)(|(uid={user})(mail={user}@example.com)))",
                Ok(Found::BySeveralAttributes),
            ),
            (
                "(|(uid={user})(|(mail={user})(cn={user})))",
                Ok(Found::BySeveralAttributes),
            ),
            ("(uid={user}*)", Ok(Found::Loosely)),
            ("(uid=*{user}*)", Ok(Found::Loosely)),
            ("(uid~={user})", Ok(Found::Loosely)),
            ("(uid>={user})", Ok(Found::Loosely)),
            ("(!(uid={user}))", Ok(Found::Loosely)),
            ("(:caseExactMatch:={user})", Ok(Found::Loosely)),
            ("(|(uid={user})(objectClass=person))", Ok(Found::Loosely)),
            ("(uid=alice)", Ok(Found::Loosely)),
            ("(uid={user}", Err(NoFilter)),
            ("uid={user})", Err(NoFilter)),
            ("({user}=alice)", Err(NoFilter)),
            ("", Err(NoFilter)),
        ] {
            assert_eq!(found(filter), expected, "{filter}");
        }
    }
}
