//! Guesses at users of a directory: it knows them by more spellings and names than one, and must not tell who they are.

use crate::house::{House, THROTTLED};
use crate::slapd::Slapd;

const UID: &str = "(uid={user})";
const OF_DAVE: &str = "BIND cn=D,dc=example,dc=com";

/// A house whose users the directory searches for, and says who they are.
async fn house(slapd: &Slapd, filter: &str) -> House {
    let ldap = slapd.by_search(filter, "pass-of-the-search");
    House::plain(&format!(
        "login = [\"ldap\"]\n[login.ldap]\n{ldap}user_attribute = \"uid\"\n"
    ))
    .await
}

/// What a wrong password gets under each spelling, one after the other.
async fn statuses(house: &House, spellings: &[&str]) -> Vec<u16> {
    let mut statuses = Vec::new();
    for user in spellings {
        statuses.push(house.login(user, "guess").await.unwrap_err());
    }
    statuses
}

/// All of these are `carol` to a directory that compares as RFC 4518 says (§2.2 maps and drops, §2.3 normalizes, §2.6.1 is
/// about spaces), or that passes over accents, too, as Active Directory does.
#[tokio::test(flavor = "multi_thread")]
async fn another_spelling_with_each_guess_is_no_other_user() {
    let slapd = Slapd::start().await;
    let spellings = [
        "carol",
        "CaROL",
        " carol ",
        "ca\u{AD}rol",
        "\u{FF43}arol",
        "\u{217D}arol",
        "\u{1D5BC}arol",
        "ca\u{200B}rol",
        "caro\u{FE0F}l",
        "c\u{E0}rol",
        "ca\u{301}rol",
        "carol\u{2060}",
    ];
    let house = house(&slapd, UID).await;
    assert_eq!(
        statuses(&house, &spellings).await,
        [[401; 10].as_slice(), &[THROTTLED; 2]].concat()
    );
    // Whether there is such a user or not.
    let nobody = spellings.map(|spelling| format!("{}-nobody", spelling.trim()));
    assert_eq!(
        statuses(&house, &nobody.each_ref().map(String::as_str)).await,
        [[401; 10].as_slice(), &[THROTTLED; 2]].concat()
    );
}

/// What no folding of ours knows, the entry that is found shows: here it has two names.
#[tokio::test(flavor = "multi_thread")]
async fn an_entry_that_is_found_by_several_names_is_not_guessed_at_more_often() {
    let mut slapd = Slapd::start().await;
    let filter = "(|(uid={user})(cn={user}))";
    let guessed_at = house(&slapd, filter).await;
    let guesses = [["dave"; 7], ["d"; 7]].concat();
    // As everybody else: that two names are one would say that there is such a user.
    assert_eq!(statuses(&guessed_at, &guesses).await, [401; 14]);
    let asked = slapd.connections(guesses.len()).await.concat();
    let binds = |of: &str| asked.iter().filter(|asked| asked.starts_with(of)).count();
    assert_eq!(binds(OF_DAVE), 10);
    assert_eq!(
        binds("BIND "),
        2 * 14,
        "with the account that searches, and nobody in the place of dave"
    );
    let right = guessed_at.login("d", "pass-of-dave").await;
    assert_eq!(right, Err(401), "nor is a right password tried");
    assert_eq!(guessed_at.login("carol", "pass-of-carol").await.as_deref(), Ok("carol"));
    let elsewhere = house(&slapd, filter).await;
    for name in ["dave", "d"] {
        assert_eq!(elsewhere.login(name, "pass-of-dave").await.as_deref(), Ok("dave"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_is_the_same_operations_whoever_is_in_the_directory() {
    let mut slapd = Slapd::start().await;
    let house = house(&slapd, "(cn={user})").await;
    // Once there, not there, there twice, there without a password.
    for (before, user) in ["carol", "nobody", "twin", "other"].into_iter().enumerate() {
        assert_eq!(house.login(user, "guess").await, Err(401), "{user}");
        let asked = &slapd.connections(before + 1).await[before];
        let operations: Vec<_> = asked.iter().map(|asked| asked.split(' ').next().unwrap()).collect();
        assert_eq!(
            operations,
            ["EXT", "BIND", "SRCH", "BIND", "UNBIND"],
            "{user}: {asked:?}"
        );
    }
}
