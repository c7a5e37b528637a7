//! Phones that let little wait: what the server sends faster than they read is lost.

use crate::{
    BenchError,
    figures::Figures,
    lab::{Lab, Layout, Program},
    measures,
};

/// Bytes that may wait.
const SMALL: usize = 64 * 1024;

pub(crate) async fn small(
    program: &Program,
    nth: usize,
    calls: usize,
    figures: &mut Figures,
) -> Result<(), BenchError> {
    let layout = Layout {
        receive_buffer: SMALL,
        ..Layout::default()
    };
    let lab = Lab::open(program, layout).await?;
    lab.place(32, 0..calls)?;
    let facts = lab.farm.facts();
    figures.add(
        nth,
        measures::INVITES_TWICE,
        facts.repeated_invites as f64 * 100.0 / facts.invites as f64,
    );
    lab.close().await
}
