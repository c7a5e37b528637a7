//! The picture: who said what to whom, and when.

use std::{
    fmt::Write as _,
    time::{Duration, Instant},
};

/// Characters between the client's line and onhook's, and between onhook's and the phone's.
const EWS_WIDTH: usize = 50;
const SIP_WIDTH: usize = 30;

/// One message, as a person wants to see it.
#[derive(Clone, Debug)]
pub(super) struct Rung {
    pub(super) at: Instant,
    pub(super) between: Between,
    pub(super) way: Way,
    pub(super) label: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Between {
    /// SOAP over HTTP.
    ClientAndOnhook,
    /// SIP.
    OnhookAndPhone,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    Right,
    Left,
}

/// The names above the three lines.
pub(super) fn head() -> String {
    format!(
        "          {:<ews$}{:<sip$}phone",
        "EWS client",
        "onhook",
        ews = EWS_WIDTH + 1,
        sip = SIP_WIDTH + 1
    )
}

impl Rung {
    /// The rung as a line of text; `started` is the time at the top.
    pub(super) fn draw(&self, started: Instant) -> String {
        let (ews, sip) = match self.between {
            Between::ClientAndOnhook => (self.arrow(EWS_WIDTH), " ".repeat(SIP_WIDTH)),
            Between::OnhookAndPhone => (" ".repeat(EWS_WIDTH), self.arrow(SIP_WIDTH)),
        };
        format!(
            "{:>7}   │{ews}│{sip}│",
            seconds(self.at.saturating_duration_since(started))
        )
    }

    fn arrow(&self, width: usize) -> String {
        let label: String = self.label.chars().take(width - 6).collect();
        let line = "─".repeat(width - 5 - label.chars().count());
        let mut arrow = String::new();
        let _ = match self.way {
            Way::Right => write!(arrow, "─ {label} {line}─▶"),
            Way::Left => write!(arrow, "◀─ {label} {line}─"),
        };
        arrow
    }
}

pub(super) fn seconds(duration: Duration) -> String {
    format!("{:.3}", duration.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rung_is_as_wide_as_the_ladder() {
        let started = Instant::now();
        for between in [Between::ClientAndOnhook, Between::OnhookAndPhone] {
            for way in [Way::Right, Way::Left] {
                for label in ["", "INVITE", &"long ".repeat(30)] {
                    let rung = Rung {
                        at: started,
                        between,
                        way,
                        label: label.to_owned(),
                    };
                    assert_eq!(rung.draw(started).chars().count(), 10 + 3 + EWS_WIDTH + SIP_WIDTH);
                }
            }
        }
    }
}
