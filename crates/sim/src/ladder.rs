//! A run as a SIP ladder. Costs nothing while nobody looks.

use crate::{
    message::{At, Message, Node},
    scenario::{Millis, Scenario},
};

#[derive(Default)]
pub(crate) struct Ladder {
    lines: Option<Vec<Line>>,
}

enum Line {
    Note(Millis, String),
    Message {
        at: Millis,
        from: Node,
        to: Node,
        arrives: Option<Millis>,
        label: String,
    },
}

const LANE: usize = 14;

impl Ladder {
    pub(crate) fn drawn() -> Self {
        Self {
            lines: Some(Vec::new()),
        }
    }

    pub(crate) fn note(&mut self, at: Millis, text: impl FnOnce() -> String) {
        if let Some(lines) = &mut self.lines {
            lines.push(Line::Note(at, text()));
        }
    }

    pub(crate) fn message(&mut self, at: Millis, from: Node, to: Node, arrives: Option<Millis>, message: &Message) {
        if let Some(lines) = &mut self.lines {
            let label = message.label();
            lines.push(Line::Message {
                at,
                from,
                to,
                arrives,
                label,
            });
        }
    }

    pub(crate) fn print(self, scenario: &Scenario) -> String {
        let Some(lines) = self.lines else { return String::new() };
        let mut nodes = vec![Node::House];
        for (call, script) in scenario.calls.iter().enumerate() {
            nodes.extend(script.proxy.map(|_| Node::Proxy(call)));
            nodes.extend(script.behind.map(|_| Node::Behind(call)));
            nodes.extend((0..script.phones.len()).map(|phone| Node::Phone(At { call, phone })));
        }
        let lane = |node: Node| nodes.iter().position(|other| *other == node).unwrap_or_default();
        let heads = nodes.iter().map(|node| match node {
            Node::House => "onhook".to_owned(),
            Node::Proxy(call) => format!("proxy {}", call + 1),
            Node::Behind(call) => format!("behind {}", call + 1),
            Node::Phone(at) => at.to_string(),
        });
        let heads: String = heads.map(|head| format!("{head:<LANE$}")).collect();
        let lanes = nodes.len();
        let mut text = format!("{:>10}  {}\n", "seconds", heads.trim_end());
        for line in lines {
            let (at, drawing, remark) = match line {
                Line::Note(at, note) => (at, rungs(lanes, None, false), note),
                Line::Message {
                    at,
                    from,
                    to,
                    arrives,
                    label,
                } => {
                    let remark = match arrives {
                        Some(arrives) => format!("{label}  (arrives {})", seconds(arrives)),
                        None => format!("{label}  (lost)"),
                    };
                    (
                        at,
                        rungs(lanes, Some((lane(from), lane(to))), arrives.is_none()),
                        remark,
                    )
                }
            };
            text.push_str(&format!("{:>10}  {drawing}  {remark}\n", seconds(at)));
        }
        text
    }
}

fn seconds(at: Millis) -> String {
    format!("{}.{:03}", at / 1000, at % 1000)
}

/// The lanes, with an arrow between two of them; one that is lost does not arrive.
fn rungs(lanes: usize, arrow: Option<(usize, usize)>, lost: bool) -> String {
    let mut drawing = vec![' '; (lanes - 1) * LANE + 1];
    for lane in 0..lanes {
        drawing[lane * LANE] = '│';
    }
    if let Some((from, to)) = arrow {
        let (left, right) = (from.min(to) * LANE, from.max(to) * LANE);
        for cell in &mut drawing[left + 1..right] {
            *cell = '─';
        }
        let (head, sign) = if from < to {
            (right - 1, '▶')
        } else {
            (left + 1, '◀')
        };
        drawing[head] = if lost { '╳' } else { sign };
    }
    drawing.into_iter().collect()
}
