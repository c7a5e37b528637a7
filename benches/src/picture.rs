//! How each cost grows with the calls that are up, as SVG: a small chart for each, all with the same axis of calls.

use std::fmt::Write as _;

use crate::{figures::median, rows::growth::Costs};

const WIDTH: f64 = 300.0;
const HEIGHT: f64 = 190.0;
/// Around the lines, for what is written.
const LEFT: f64 = 54.0;
const TOP: f64 = 34.0;
const BELOW: f64 = 36.0;
const COLUMNS: usize = 3;

type Cost = fn(&Costs) -> f64;

const CHARTS: [(&str, Cost); 5] = [
    ("hang-ups a second, 8 clients", |costs| costs.hang_ups),
    ("to its BYE, p99, ms", |costs| costs.bye_p99),
    ("CPU of a call, ms", |costs| costs.cpu),
    ("memory of a held call, KiB", |costs| costs.memory),
    ("holding them, % of a core", |costs| costs.holding),
];

/// Medians of the rounds; each round has the same numbers of calls.
pub(crate) fn draw(rounds: &[Vec<Costs>]) -> String {
    let rows = CHARTS.len().div_ceil(COLUMNS);
    let (width, height) = (WIDTH * COLUMNS as f64, HEIGHT * rows as f64);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" font-family=\"sans-serif\" font-size=\"11\">\n\
         <rect width=\"{width}\" height=\"{height}\" fill=\"#fff\"/>\n"
    );
    for (nth, (title, cost)) in CHARTS.iter().enumerate() {
        let points: Vec<(f64, f64)> = (0..rounds.first().map_or(0, Vec::len))
            .map(|at| {
                let of_rounds: Vec<&Costs> = rounds.iter().filter_map(|round| round.get(at)).collect();
                let values: Vec<f64> = of_rounds.iter().map(|costs| cost(costs)).collect();
                (of_rounds[0].up as f64, median(&values))
            })
            .collect();
        let (x, y) = ((nth % COLUMNS) as f64 * WIDTH, (nth / COLUMNS) as f64 * HEIGHT);
        let _ = writeln!(svg, "<g transform=\"translate({x} {y})\">");
        chart(&mut svg, title, &points);
        svg.push_str("</g>\n");
    }
    svg.push_str("</svg>\n");
    svg
}

fn chart(svg: &mut String, title: &str, points: &[(f64, f64)]) {
    let (right, bottom) = (WIDTH - 16.0, HEIGHT - BELOW);
    let most = points.iter().map(|(_, value)| *value).fold(0.0, f64::max);
    let top = ceiling(most);
    let (first, last) = match points {
        [first, .., last] => (first.0.log10(), last.0.log10()),
        _ => (0.0, 1.0),
    };
    let across = |calls: f64| LEFT + (calls.log10() - first) / (last - first) * (right - LEFT);
    let up = |value: f64| bottom - value / top * (bottom - TOP);
    let _ = writeln!(svg, "<text x=\"{LEFT}\" y=\"18\" font-weight=\"bold\">{title}</text>");
    for part in [0.0, 0.5, 1.0] {
        let (value, y) = (top * part, up(top * part));
        let _ = writeln!(
            svg,
            "<path d=\"M{LEFT} {y:.1}H{right}\" stroke=\"#ddd\"/><text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\" fill=\"#555\">{value}</text>",
            LEFT - 6.0,
            y + 4.0
        );
    }
    let _ = writeln!(
        svg,
        "<text x=\"{right}\" y=\"{:.1}\" text-anchor=\"end\" fill=\"#555\">calls up</text>",
        bottom + 27.0
    );
    let line: Vec<String> = points
        .iter()
        .map(|(calls, value)| format!("{:.1},{:.1}", across(*calls), up(*value)))
        .collect();
    let _ = writeln!(
        svg,
        "<polyline points=\"{}\" fill=\"none\" stroke=\"#1f5fa8\" stroke-width=\"2\"/>",
        line.join(" ")
    );
    for (calls, value) in points {
        let (x, y) = (across(*calls), up(*value));
        let _ = writeln!(
            svg,
            "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3\" fill=\"#1f5fa8\"/>\
             <text x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"middle\" fill=\"#555\">{calls}</text>",
            bottom + 16.0
        );
    }
}

/// The next round number: 1, 2 or 5 times a power of ten.
fn ceiling(value: f64) -> f64 {
    if value <= 0.0 {
        return 1.0;
    }
    let power = 10_f64.powf(value.log10().floor());
    let steps = [1.0, 2.0, 5.0, 10.0].map(|step| step * power);
    steps.into_iter().find(|step| *step >= value).unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_end_at_round_numbers() {
        assert_eq!(
            [0.0, 0.7, 1.0, 3.1, 7000.0].map(ceiling),
            [1.0, 1.0, 1.0, 5.0, 10_000.0]
        );
    }
}
