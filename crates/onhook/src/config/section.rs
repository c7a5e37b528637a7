//! How a section of the configuration file is written down: once, as a struct whose fields carry their documentation
//! and their default, from which come the reader, the list of allowed keys and the example file.
//!
//! It knows nothing of what the keys mean.

use serde::de::IntoDeserializer;
use toml::Spanned;
use toml::de::{DeValue, Error};

use super::unseen::Value;

/// What may stand in one table of the file.
pub(super) struct Shape {
    pub(super) docs: &'static [&'static str],
    pub(super) keys: &'static [Key],
}

/// One key of a table.
pub(super) struct Key {
    pub(super) name: &'static str,
    pub(super) docs: &'static [&'static str],
    pub(super) kind: Kind,
    /// Whether a value can be read as the field's type; the error says what is allowed.
    pub(super) check: fn(Spanned<DeValue<'_>>) -> Result<(), Error>,
    /// What is wanted, where a value must not be shown; see [`Value`].
    pub(super) wanted_unseen: fn() -> Option<String>,
}

/// How a key behaves when the file leaves it out. Texts are values in TOML.
pub(super) enum Kind {
    /// The field then has this value.
    Default(&'static str),
    /// The field is then `None`; the text is an example.
    Optional(&'static str),
    /// The file is then refused; the text is an example.
    Required(&'static str),
    /// A `[table]`, which may be left out.
    Table(&'static Shape),
    /// Any number of `[[tables]]`.
    Tables(&'static Shape),
}

/// A struct that is read from one table of the file.
pub(super) trait Section {
    const SHAPE: Shape;
}

/// Reads a value as `T` and forgets it.
pub(super) fn check<T: Value>(value: Spanned<DeValue<'_>>) -> Result<(), Error> {
    T::deserialize(value.into_deserializer()).map(drop)
}

/// Declares a section: `field: Type = kind(value)`, where kind is a variant of [`Kind`] in lower case.
macro_rules! section {
    (
        $(#[doc = $doc:literal])*
        pub struct $Section:ident {
            $( $(#[doc = $field_doc:literal])* $field:ident : $Type:ty = $kind:ident ( $value:tt ), )*
        }
    ) => {
        $(#[doc = $doc])*
        #[derive(Clone, Debug, serde::Deserialize)]
        #[serde(deny_unknown_fields)]
        pub struct $Section {
            $( $(#[doc = $field_doc])* pub $field: $Type, )*
        }

        impl $crate::config::unseen::Value for $Section {
            /// Of a table, each key says it for itself.
            fn wanted_unseen() -> Option<String> {
                None
            }
        }

        impl $crate::config::section::Section for $Section {
            const SHAPE: $crate::config::section::Shape = $crate::config::section::Shape {
                docs: &[$($doc),*],
                keys: &[$(
                    $crate::config::section::Key {
                        name: stringify!($field),
                        docs: &[$($field_doc),*],
                        kind: $crate::config::section::kind!($kind $value),
                        check: $crate::config::section::check::<$Type>,
                        wanted_unseen: <$Type as $crate::config::unseen::Value>::wanted_unseen,
                    },
                )*],
            };
        }
    };
}

macro_rules! kind {
    (default $value:tt) => {
        $crate::config::section::Kind::Default(stringify!($value))
    };
    (optional $value:tt) => {
        $crate::config::section::Kind::Optional(stringify!($value))
    };
    (required $value:tt) => {
        $crate::config::section::Kind::Required(stringify!($value))
    };
    (table $Section:tt) => {
        $crate::config::section::Kind::Table(&<$Section as $crate::config::section::Section>::SHAPE)
    };
    (tables $Section:tt) => {
        $crate::config::section::Kind::Tables(&<$Section as $crate::config::section::Section>::SHAPE)
    };
}

pub(super) use {kind, section};
