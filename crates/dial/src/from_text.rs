//! Values that a configuration file spells as text.

/// Reads a type from a text through its `FromStr`.
macro_rules! from_text {
    ($($Type:ty),*) => {$(
        impl<'de> serde::Deserialize<'de> for $Type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
            }
        }
    )*};
}
pub(crate) use from_text;
