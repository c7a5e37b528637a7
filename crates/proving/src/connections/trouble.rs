//! What a network does to connections, drawn for one round.

use std::time::{Duration, Instant};

use tokio::time::sleep;

use super::proxy::{End, Leg};
use crate::{phones::Phones, random::Random};

/// One round's troubles are begun within so many T1: well before a CANCEL (68 T1) or a BYE (192 T1) is given up.
const T1_OF_A_ROUND: u32 = 60;
/// What lasts does so for up to so many T1.
const T1_THAT_IT_LASTS: u32 = 32;
/// From one to the next at most.
const T1_BETWEEN: u32 = 30;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trouble {
    /// Every connection ends.
    Ends(End),
    /// Nothing passes for a while, in no direction, on connections old and new.
    Stalls,
    /// The same, and then every connection is reset.
    StallsAndEnds,
    /// Every connection is reset, and there is none for a while.
    Refuses,
    /// For a while each connection ends as soon as something of the server's has passed.
    EndsBehindRequests(End),
}

/// How often there was each kind, and how many phones it met.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Troubles {
    pub(super) up: u64,
    pub(super) ends: u64,
    pub(super) stalls: u64,
    pub(super) refusals: u64,
    pub(super) ends_behind_requests: u64,
}

/// Makes trouble for a while, and says when it was over.
pub(super) async fn trouble(
    legs: &[Leg],
    phones: &Phones,
    t1: Duration,
    random: &mut Random,
    had: &mut Troubles,
) -> Instant {
    let begins_by = Instant::now() + t1 * T1_OF_A_ROUND;
    loop {
        sleep(random.up_to(t1 * T1_BETWEEN)).await;
        // At least one of them.
        let which = random.within(1..1 << legs.len());
        let legs: Vec<&Leg> = (0..)
            .zip(legs)
            .filter(|(at, _)| which >> at & 1 == 1)
            .map(|(_, leg)| leg)
            .collect();
        let end = match random.within(0..3) {
            0 => End::Closed,
            1 => End::HalfClosed,
            _ => End::Reset,
        };
        let kind = match random.within(0..6) {
            0 | 1 => Trouble::Ends(end),
            2 => Trouble::Stalls,
            3 => Trouble::StallsAndEnds,
            4 => Trouble::Refuses,
            _ => Trouble::EndsBehindRequests(end),
        };
        had.up += phones.all_up() as u64;
        make(kind, &legs, random.up_to(t1 * T1_THAT_IT_LASTS)).await;
        match kind {
            Trouble::Ends(_) => had.ends += 1,
            Trouble::Stalls | Trouble::StallsAndEnds => had.stalls += 1,
            Trouble::Refuses => had.refusals += 1,
            Trouble::EndsBehindRequests(_) => had.ends_behind_requests += 1,
        }
        if Instant::now() >= begins_by || random.chance(25) {
            return Instant::now();
        }
    }
}

async fn make(kind: Trouble, legs: &[&Leg], lasts: Duration) {
    let each = |act: &dyn Fn(&Leg)| legs.iter().for_each(|leg| act(leg));
    match kind {
        Trouble::Ends(end) => each(&|leg| leg.end_all(end)),
        Trouble::Stalls | Trouble::StallsAndEnds => {
            each(&|leg| leg.stall(true));
            sleep(lasts).await;
            if kind == Trouble::StallsAndEnds {
                each(&|leg| leg.end_all(End::Reset));
            }
            each(&|leg| leg.stall(false));
        }
        Trouble::Refuses => {
            each(&|leg| leg.refuse(true));
            each(&|leg| leg.end_all(End::Reset));
            sleep(lasts).await;
            each(&|leg| leg.refuse(false));
            // It is over when somebody listens again.
            for leg in legs {
                leg.listens().await;
            }
        }
        Trouble::EndsBehindRequests(end) => {
            each(&|leg| leg.end_behind_requests(Some(end)));
            sleep(lasts).await;
            each(&|leg| leg.end_behind_requests(None));
        }
    }
}
