//! Every fault that was found once is kept as a text: `kept/*.txt`. As it ships nothing breaks in it, and with the sabotage that brings the
//! fault back the same rule does.

use std::{fs, path::Path};

use sim::{Lanes, Sabotage, Settings, WrittenRun, run};

fn broken_rule(kept: &WrittenRun, sabotage: Sabotage) -> Option<String> {
    let settings = Settings {
        sabotage,
        ..Settings::default()
    };
    let violation = run(Lanes::replay(kept.decisions.clone()), settings).violation;
    violation.map(|violation| violation.rule.to_owned())
}

#[test]
fn each_is_clean_as_shipped_and_broken_with_its_sabotage() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("kept");
    let mut stale = Vec::new();
    let mut sabotages = Vec::new();
    for file in fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let kept: WrittenRun = fs::read_to_string(&path).unwrap().parse().unwrap();
        assert_eq!(broken_rule(&kept, Sabotage::Nothing), None, "{name}, as it ships");
        let broken = broken_rule(&kept, kept.sabotage);
        if broken.as_ref() != Some(&kept.rule) {
            stale.push(format!("{name} breaks {broken:?} and not {:?}", kept.rule));
        }
        sabotages.push(kept.sabotage);
    }
    assert!(
        stale.is_empty(),
        "these prove nothing any more; scripts/keep-faults finds and writes them anew:\n{}",
        stale.join("\n")
    );
    assert!(
        Sabotage::all().all(|sabotage| sabotages.contains(&sabotage)),
        "a sabotage has no fault kept for it"
    );
}
