//! What a turn puts out, in a word or two each.

use call::Save;
use switch::{Answer, Output, Sound};

use super::{TRUNK, phone::header};

/// An output in a word or two.
pub(super) fn word(output: &Output) -> Option<String> {
    Some(match output {
        Output::Transmit(transmit) => {
            let text = String::from_utf8_lossy(&transmit.bytes).into_owned();
            let start = text.split("\r\n").next().unwrap_or_default();
            let what = match start.strip_prefix("SIP/2.0 ") {
                Some(rest) => format!(
                    "{} to {}",
                    rest.split(' ').next().unwrap_or_default(),
                    header(&text, "CSeq")
                        .and_then(|cseq| cseq.split(' ').nth(1))
                        .unwrap_or_default()
                ),
                None => start.split(' ').next().unwrap_or_default().to_owned(),
            };
            match transmit.path.remote.to_string() {
                remote if remote == TRUNK => what,
                remote => format!("{what} > {remote}"),
            }
        }
        Output::Connect { remote, host, .. } if remote.ip().to_string() == *host => format!("connect {remote}"),
        Output::Connect { remote, host, .. } => format!("connect {remote} as {host}"),
        Output::Close(path) => format!("close {} from {}", path.remote, path.local),
        Output::Resolve(host) => format!("resolve {host}"),
        Output::Journal(entries) => {
            let saves = entries.iter().map(|entry| save_word(entry.save));
            format!("journal {}", saves.collect::<Vec<_>>().join(" "))
        }
        Output::Answer(request, answer) => format!("answer {request}: {}", answer_word(answer)),
        Output::Snapshot(_, None) => "forgotten".to_owned(),
        Output::Snapshot(_, Some(known)) => format!("{:?}", known.information.state),
        Output::Sound(_, Sound::Start { .. }) => "sound starts".to_owned(),
        Output::Sound(_, Sound::Change { .. }) => "sound changes".to_owned(),
        Output::Sound(_, Sound::Stop) => "sound stops".to_owned(),
        Output::TakingUp(keys) => format!("taking up {}", keys.len()),
        Output::TakenUp(keys) => format!("taken up {}", keys.len()),
        Output::Sound(_, Sound::Prepare { .. }) | Output::Admit(_) | Output::Dismiss(_) | Output::Event(_) => {
            return None;
        }
    })
}

fn save_word(save: Save) -> String {
    match save {
        Save::Fork(_) => "fork".to_owned(),
        save => format!("{save:?}").to_lowercase(),
    }
}

pub(super) fn answer_word(answer: &Answer) -> String {
    match answer {
        Answer::Placed(_) => "placed".to_owned(),
        Answer::NotPlaced(why) => format!("{why:?}"),
        Answer::Disconnected => "disconnected".to_owned(),
        Answer::NotDisconnected(why) => format!("{why:?}"),
        Answer::AllEnded => "all ended".to_owned(),
        Answer::Left => "left".to_owned(),
    }
}
