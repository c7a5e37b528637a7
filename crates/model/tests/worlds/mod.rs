//! What the checker goes through.
#![allow(dead_code, reason = "every test file uses the part it needs")]

use model::{Budget, World};

const NOTHING_WRONG: Budget = Budget {
    deaths: 0,
    losses: 0,
    doubles: 0,
    outages: 0,
    refused_byes: 0,
    phone_byes: 0,
    refused_writes: 0,
    late_writes: 0,
    hang_ups: 1,
};

/// One phone, and nearly everything goes wrong once.
pub(crate) const ONE_PHONE: World = World {
    phones: 1,
    budget: Budget {
        deaths: 1,
        losses: 1,
        refused_byes: 1,
        phone_byes: 1,
        refused_writes: 1,
        late_writes: 1,
        ..NOTHING_WRONG
    },
    fault: None,
};

/// One phone, a server that dies again while it takes up what it left, and a client that asks again.
pub(crate) const TWO_DEATHS: World = World {
    phones: 1,
    budget: Budget {
        deaths: 2,
        refused_byes: 1,
        hang_ups: 2,
        ..NOTHING_WRONG
    },
    fault: None,
};

/// One phone, and a time in which nothing is heard of it.
pub(crate) const OUTAGE: World = World {
    phones: 1,
    budget: Budget {
        losses: 1,
        doubles: 1,
        outages: 1,
        refused_byes: 1,
        ..NOTHING_WRONG
    },
    fault: None,
};

/// Two phones that may both answer, and a server that dies once.
pub(crate) const TWO_PHONES: World = World {
    phones: 2,
    budget: Budget {
        deaths: 1,
        ..NOTHING_WRONG
    },
    fault: None,
};

/// Two phones on a bad line.
pub(crate) const TWO_PHONES_BAD_LINE: World = World {
    phones: 2,
    budget: Budget {
        losses: 1,
        refused_byes: 1,
        ..NOTHING_WRONG
    },
    fault: None,
};

pub(crate) const WORLDS: [(&str, World); 5] = [
    ("one phone", ONE_PHONE),
    ("two deaths", TWO_DEATHS),
    ("an outage", OUTAGE),
    ("two phones", TWO_PHONES),
    ("two phones on a bad line", TWO_PHONES_BAD_LINE),
];

/// Those that take too long for every day.
pub(crate) const LARGER: [(&str, World); 4] = [
    (
        "two phones on a bad line, and a death",
        larger(
            2,
            Budget {
                deaths: 1,
                losses: 1,
                ..NOTHING_WRONG
            },
        ),
    ),
    (
        "two phones, one refuses a BYE, and a death",
        larger(
            2,
            Budget {
                deaths: 1,
                refused_byes: 1,
                ..NOTHING_WRONG
            },
        ),
    ),
    (
        "two phones and an outage",
        larger(
            2,
            Budget {
                outages: 1,
                ..NOTHING_WRONG
            },
        ),
    ),
    (
        "two deaths on a bad line",
        larger(
            1,
            Budget {
                deaths: 2,
                losses: 1,
                refused_byes: 1,
                late_writes: 1,
                ..NOTHING_WRONG
            },
        ),
    ),
];

const fn larger(phones: usize, budget: Budget) -> World {
    World {
        phones,
        budget,
        fault: None,
    }
}
