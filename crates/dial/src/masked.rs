//! How telephone numbers look where not everybody may read them.

use std::fmt;

/// A telephone number as log lines show it: its last two digits. Whatever else a client sent as a number is hidden, and
/// its length from twenty characters on.
#[derive(Clone, Copy)]
pub struct Masked<'a>(pub &'a str);

impl fmt::Display for Masked<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A number of two digits would not be hidden at all.
        let (hidden, shown) = match self.0.len().checked_sub(2) {
            Some(hidden @ 1..) => self.0.split_at_checked(hidden).unwrap_or((self.0, "")),
            Some(0) | None => (self.0, ""),
        };
        for _ in hidden.chars().take(18) {
            f.write_str("*")?;
        }
        shown
            .chars()
            .try_for_each(|c| write!(f, "{}", if c.is_ascii_digit() { c } else { '*' }))
    }
}

impl fmt::Debug for Masked<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{self}\"")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_show_their_last_two_digits() {
        for (number, masked) in [
            ("+4930123456", "*********56"),
            ("4711", "**11"),
            ("110", "*10"),
            ("99", "**"),
            ("", ""),
        ] {
            assert_eq!(Masked(number).to_string(), masked);
            assert_eq!(format!("{:?}", Masked(number)), format!("\"{masked}\""));
        }
        assert_eq!(Masked(&"1".repeat(60_000)).to_string().len(), 20);
    }
}
