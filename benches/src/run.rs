//! What is measured, and when.

use clap::ValueEnum;

use crate::{
    BenchError,
    figures::Figures,
    lab::Program,
    rows::{
        alone::alone,
        crowd::crowd,
        growth::{Costs, growth},
        over_time::{OldStore, churn, held_at_once},
        sipp::sipp,
        small::small,
        streams::streams,
        turns::turns,
    },
};

/// A measurement, which fills some rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Part {
    /// Set-ups, queries and hang-ups by many clients; what a held call costs
    Crowd,
    /// Hang-ups by one client while many calls are up
    Turns,
    /// One request at a time
    Alone,
    /// Phones with a small buffer
    Small,
    /// Sound for many phones
    Streams,
    /// Costs with few and with many calls up
    Growth,
    /// SIPp's phones
    Sipp,
    /// As many calls as there are files for
    Files,
    /// Memory when many calls have come and gone
    Churn,
    /// A restart with many calls up
    Restart,
}

/// How much of everything.
pub(crate) struct Scale {
    /// The bars are of this scale.
    has_bars: bool,
    calls: usize,
    alone: usize,
    small: usize,
    streams: &'static [usize],
    growth: &'static [usize],
    held_at_once: usize,
    churn: usize,
    restart: usize,
    old_records: u64,
}

pub(crate) const WHOLE: Scale = Scale {
    has_bars: true,
    calls: 4500,
    alone: 100,
    small: 2000,
    streams: &[1000, 2000, 3000, 4000],
    growth: &[10, 100, 1000, 4000, 8000],
    held_at_once: 10_400,
    churn: 100_000,
    restart: 8000,
    old_records: 2_000_000,
};

pub(crate) const SHORT: Scale = Scale {
    has_bars: false,
    calls: 300,
    alone: 10,
    small: 300,
    streams: &[200],
    growth: &[10, 100, 300],
    held_at_once: 300,
    churn: 2000,
    restart: 200,
    old_records: 10_000,
};

pub(crate) struct Run<'p> {
    programs: &'p [Program],
    scale: &'p Scale,
    pub(crate) figures: Figures,
    /// Of this program: a round each.
    pub(crate) costs: Vec<Vec<Costs>>,
    old_store: Option<OldStore>,
}

impl<'p> Run<'p> {
    pub(crate) const fn new(programs: &'p [Program], scale: &'p Scale) -> Self {
        Self {
            programs,
            scale,
            figures: Figures::new(programs.len(), scale.has_bars),
            costs: Vec::new(),
            old_store: None,
        }
    }

    /// Each part once, or only these.
    pub(crate) async fn round(&mut self, round: u16, rounds: u16, only: &[Part]) {
        self.figures.begin(round);
        let parts = Part::value_variants().iter();
        for part in parts.filter(|part| only.is_empty() || only.contains(part)) {
            let mut turns: Vec<usize> = match part {
                Part::Crowd | Part::Small | Part::Streams | Part::Growth | Part::Sipp | Part::Files => {
                    (0..self.programs.len()).collect()
                }
                // All programs take turns in it, or its bar is none of the other's.
                Part::Turns | Part::Alone | Part::Churn | Part::Restart => vec![0],
            };
            // Each is the first as often as the last.
            if round % 2 == 1 {
                turns.reverse();
            }
            for nth in turns {
                let name = &self.programs[nth].name;
                let what = format!("round {} of {rounds}: {part:?}, {name}", round + 1);
                eprintln!("bench: {what}");
                if let Err(error) = self.measure(*part, nth).await {
                    eprintln!("bench: {what}: {error}");
                    self.figures.failed(format!("{what}: {error}"));
                }
            }
        }
    }

    async fn measure(&mut self, part: Part, nth: usize) -> Result<(), BenchError> {
        let (program, scale, figures) = (&self.programs[nth], self.scale, &mut self.figures);
        match part {
            Part::Crowd => crowd(program, nth, scale.calls, figures).await,
            Part::Turns => turns(self.programs, scale.calls, figures).await,
            Part::Alone => {
                alone(self.programs, scale.alone, true, figures).await?;
                // Earlier programs always wait, and have no such setting; the bar is none of theirs.
                alone(&self.programs[..1], scale.alone, false, figures).await
            }
            Part::Small => small(program, nth, scale.small, figures).await,
            Part::Streams => streams(program, nth, scale.streams, figures).await,
            Part::Growth => {
                let costs = growth(program, nth, scale.growth, figures).await?;
                if nth == 0 {
                    self.costs.push(costs);
                }
                Ok(())
            }
            Part::Sipp => sipp(program, nth, scale.calls, figures).await,
            Part::Files => held_at_once(program, nth, scale.held_at_once, figures).await,
            Part::Churn => churn(program, scale.churn, figures).await,
            Part::Restart => {
                let store = match &mut self.old_store {
                    Some(store) => store,
                    none => none.insert(OldStore::fill(program, scale.old_records).await?),
                };
                store.restart(scale.restart, figures).await
            }
        }
    }
}
