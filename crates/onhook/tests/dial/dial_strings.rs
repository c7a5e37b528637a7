//! Dial strings at random: parts of the vectors put together, parts that are in none, and strings with one character
//! changed.

use crate::vectors::{Country, Danger, Vectors, bare, filled};

/// Steele, Lea and Flood's SplitMix64: the same strings on every machine.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }

    fn one<'t, T: AsRef<str>>(&mut self, of: &'t [T]) -> &'t str {
        of.get(self.below(of.len().max(1))).map_or("", AsRef::as_ref)
    }

    fn digit(&mut self) -> char {
        char::from(b'0' + self.below(10) as u8)
    }
}

const STARTS: [&str; 20] = [
    "", "", "", "+", "+", "0", "0", "00", "00", "000", "9", "9011", "011", "1", "91", "tel:", "TEL:+", " ", "(", "*31#",
];
const PARTS: [&str; 40] = [
    "49",
    "49",
    "30",
    "171",
    "30",
    "43",
    "41",
    "43",
    "1",
    "1",
    "212",
    "312",
    "876",
    "416",
    "900",
    "9001",
    "180",
    "1803",
    "137",
    "870",
    "881",
    "882",
    "979",
    "808",
    "112",
    "911",
    "110",
    "999",
    "4711",
    "4999",
    "499",
    "33612345678",
    "700",
    "800",
    "32",
    "33",
    "123",
    "(0)",
    "44",
    "0",
];
const BETWEEN: [&str; 12] = ["", "", "", "", "", "", " ", "-", ".", "(", ")", "/"];
const JUNK: [&str; 22] = [
    "*", "#", "+", ";ext=1", "?x", "%30", "\r\n", "\t", "\0", "٤", "４", "x", "@", ":", ",", "sip:", "a", "é",
    "\u{200b}", "tel:", "\u{7f}", "A",
];
const HOSTS: [&str; 9] = [
    "pbx.example.com",
    "PBX.example.COM",
    "pbx.example.com:5060",
    "evil.example",
    "pbx.example.com.evil.example",
    "pbx.example.com;transport=tcp",
    "pbx.example.com?a=b",
    "x@pbx.example.com",
    "pbx.example.com ",
];
/// What somebody at one of the sites may call.
const ALLOWED: [&str; 6] = [
    "4711",
    "47-11",
    "+33 6 12345678",
    "030 123456",
    "2155551234",
    "sip:4998@pbx.example.com",
];

/// What is dialled in a country, and from it.
pub(crate) struct Parts {
    /// Lines, codes, carriers and prefixes, and calling codes.
    prefixes: Vec<String>,
    dangers: Vec<String>,
    ordinary: Vec<String>,
}

impl Parts {
    pub(crate) fn of(country: &Country, outside_line: &str) -> Self {
        let own = &country.prefixes;
        let lists = [
            &own.national,
            &own.abroad,
            &own.carrier,
            &own.carrier_national,
            &own.codes,
        ];
        let mut prefixes: Vec<String> = lists.into_iter().flatten().flat_map(|prefix| filled(prefix)).collect();
        // Those that are used most.
        for prefix in own.national.iter().chain(own.abroad.first()) {
            prefixes.extend([prefix.clone(), prefix.clone()]);
        }
        let abroad = own.abroad.first().map_or("+", String::as_str);
        prefixes.extend([outside_line.to_owned(), outside_line.to_owned(), "+".to_owned()]);
        prefixes.extend(["+", abroad].map(|before| format!("{before}{}", country.calling_code)));
        Self {
            prefixes,
            dangers: country.dangers.iter().flat_map(spelt).collect(),
            ordinary: country.ordinary.iter().map(|number| bare(number)).collect(),
        }
    }

    pub(crate) fn of_the_world(vectors: &Vectors) -> Self {
        let foreign = vectors
            .countries
            .iter()
            .flat_map(|country| country.dangers.iter().step_by(5));
        Self {
            prefixes: ["+", "00", "011", "0", "1", "9", "*31#"].map(str::to_owned).to_vec(),
            dangers: vectors.world.iter().chain(foreign).flat_map(spelt).collect(),
            ordinary: vectors
                .countries
                .iter()
                .flat_map(|country| country.ordinary.iter().take(20))
                .map(|one| bare(one))
                .collect(),
        }
    }
}

fn spelt(danger: &Danger) -> Vec<String> {
    let e164 = danger.e164.as_ref();
    let ways = [Some(&danger.home).filter(|home| !home.is_empty()), e164];
    let digits = e164.map(|e164| e164[1..].to_owned());
    ways.into_iter().flatten().cloned().chain(digits).collect()
}

/// One of a country's or the world's numbers, dangerous or not, with prefixes before it, or parts at random; now and then in
/// another form, or damaged.
pub(crate) fn dial_string(random: &mut Random, home: &Parts, world: &Parts) -> String {
    let text = match random.below(3) {
        0 => at_random(random),
        _ => put_together(random, home, world),
    };
    in_a_form(random, text)
}

fn put_together(random: &mut Random, home: &Parts, world: &Parts) -> String {
    let mut text = String::new();
    for _ in 0..[0, 0, 1, 1, 1, 2, 2, 3][random.below(8)] {
        let from = if random.below(8) == 0 { world } else { home };
        text += random.one(&from.prefixes);
    }
    let from = if random.below(4) == 0 { world } else { home };
    let numbers = if random.below(5) < 3 {
        &from.dangers
    } else {
        &from.ordinary
    };
    let mut number = random.one(numbers).to_owned();
    // Its neighbours, too.
    if random.below(4) == 0 && number.len() > 4 {
        let kept = number.len() - random.below(4);
        number.truncate(kept);
        (0..random.below(5)).for_each(|_| number.push(random.digit()));
    }
    let start = if random.below(16) == 0 {
        random.below(number.len().min(3))
    } else {
        0
    };
    for c in number[start..].chars() {
        text.push(c);
        if random.below(12) == 0 {
            text += random.one(&BETWEEN);
        }
    }
    if random.below(4) == 0 {
        (0..=random.below(3)).for_each(|_| text.push(random.digit()));
    }
    text
}

fn at_random(random: &mut Random) -> String {
    let mut text = String::from(random.one(&STARTS));
    for _ in 0..random.below(4) {
        text += random.one(&PARTS);
        text += random.one(&BETWEEN);
    }
    for _ in 0..random.below(10) {
        text.push(random.digit());
        if random.below(12) == 0 {
            text += random.one(&BETWEEN);
        }
    }
    text
}

fn in_a_form(random: &mut Random, mut text: String) -> String {
    match random.below(16) {
        0 => {
            let mut at = random.below(text.len() + 1);
            while !text.is_char_boundary(at) {
                at -= 1;
            }
            text.insert_str(at, random.one(&JUNK));
        }
        1 => {
            let scheme = random.one(&["sip:", "SIP:", "sips:", "sip:a"]);
            text = format!("{scheme}{text}@{}", random.one(&HOSTS));
        }
        2 => text = text.repeat(1 + random.below(4)),
        3 => text = random.one(&ALLOWED).to_owned(),
        4 => text.insert_str(0, "tel:"),
        _ => {}
    }
    text
}

/// The same with one character more, less, or another.
pub(crate) fn near(random: &mut Random, dialled: &str) -> String {
    const OTHERS: [char; 19] = [
        '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', '*', '#', '+', '-', ' ', '@', ';', 'a', '\n',
    ];
    let mut characters: Vec<char> = dialled.chars().collect();
    let at = random.below(characters.len());
    let other = OTHERS[random.below(OTHERS.len())];
    match random.below(3) {
        0 => characters.insert(at, other),
        1 => drop(characters.remove(at)),
        _ => characters[at] = other,
    }
    characters.into_iter().collect()
}
