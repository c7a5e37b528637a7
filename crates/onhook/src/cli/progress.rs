//! How a call looks while it is followed: on a terminal something that moves, elsewhere a line for each change.

use std::io::{IsTerminal as _, Write as _, stderr};
use std::time::{Duration, Instant};

use ews::PhoneCallState;
use indicatif::{ProgressBar, ProgressStyle};

/// How often what moves is drawn.
const TICK: Duration = Duration::from_millis(100);
const SPINNER: &str = "{spinner} {msg} {elapsed}";
const BAR: &str = "{msg} [{bar:40}] {elapsed} of {prefix}";

/// EWS tells no position in the message, so this goes by the time since the phone was answered.
pub(super) struct Progress {
    bar: Option<ProgressBar>,
    /// How long the message is, if the user said so.
    duration: Option<Duration>,
    shown: Option<PhoneCallState>,
    connected: Option<Instant>,
}

impl Progress {
    pub(super) fn new(duration: Option<Duration>) -> Self {
        Self {
            bar: stderr().is_terminal().then(ProgressBar::new_spinner),
            duration,
            shown: None,
            connected: None,
        }
    }

    pub(super) fn show(&mut self, state: PhoneCallState) {
        if self.shown != Some(state) {
            self.shown = Some(state);
            self.change(state);
        }
        if let (Some(bar), Some(connected), Some(duration)) = (&self.bar, self.connected, self.duration) {
            let played = connected.elapsed().min(duration);
            bar.set_position(u64::try_from(played.as_millis()).unwrap_or(u64::MAX));
        }
    }

    fn change(&mut self, state: PhoneCallState) {
        let text = match state {
            PhoneCallState::Idle | PhoneCallState::Connecting => "calling",
            PhoneCallState::Alerted => "ringing",
            PhoneCallState::Connected => "playing",
            PhoneCallState::Disconnected => "ended",
            PhoneCallState::Incoming | PhoneCallState::Transferring | PhoneCallState::Forwarding => "on its way",
        };
        if state == PhoneCallState::Connected {
            self.connected = Some(Instant::now());
        }
        let Some(bar) = &self.bar else {
            // Nobody may be listening; the call is followed all the same.
            let _ = writeln!(stderr(), "{text}");
            return;
        };
        bar.reset_elapsed();
        match self.duration {
            Some(duration) if state == PhoneCallState::Connected => {
                bar.set_length(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX));
                bar.set_prefix(format!("{}s", duration.as_secs()));
                bar.set_style(style(ProgressStyle::default_bar(), BAR));
            }
            _ => bar.set_style(style(ProgressStyle::default_spinner(), SPINNER)),
        }
        bar.set_message(text);
        bar.enable_steady_tick(TICK);
    }

    pub(super) fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

fn style(plain: ProgressStyle, template: &str) -> ProgressStyle {
    plain.clone().template(template).unwrap_or(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_templates_are_valid() {
        for template in [SPINNER, BAR] {
            assert!(ProgressStyle::default_bar().template(template).is_ok());
        }
    }
}
