//! One number for all that went in and came out, to tell two runs apart.

use std::fmt::{self, Write as _};

/// FNV-1a with 64 bits, eight bytes a step.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Digest(u64);

impl Default for Digest {
    fn default() -> Self {
        Self(0xCBF2_9CE4_8422_2325)
    }
}

impl Digest {
    pub(crate) fn number(&mut self, number: u64) {
        self.0 = (self.0 ^ number).wrapping_mul(0x0000_0100_0000_01B3).rotate_left(23);
    }

    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        self.number(bytes.len() as u64);
        for chunk in bytes.chunks(8) {
            let mut eight = [0; 8];
            eight[..chunk.len()].copy_from_slice(chunk);
            self.number(u64::from_le_bytes(eight));
        }
    }

    /// What it says of itself for debugging.
    pub(crate) fn debug(&mut self, what: &impl fmt::Debug) {
        let mut pen = Pen {
            digest: self,
            eight: [0; 8],
            filled: 0,
        };
        let _ = write!(pen, "{what:?}");
        let (eight, filled) = (pen.eight, pen.filled as u64);
        self.number(u64::from_le_bytes(eight) ^ filled);
    }

    pub(crate) fn value(self) -> u64 {
        self.0
    }
}

/// Takes text eight bytes at a time, wherever its pieces begin and end.
struct Pen<'a> {
    digest: &'a mut Digest,
    eight: [u8; 8],
    filled: usize,
}

impl fmt::Write for Pen<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for byte in text.bytes() {
            self.eight[self.filled] = byte;
            self.filled += 1;
            if self.filled == self.eight.len() {
                self.digest.number(u64::from_le_bytes(self.eight));
                self.filled = 0;
            }
        }
        Ok(())
    }
}
