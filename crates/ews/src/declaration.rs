//! The XML declaration: version 1.0, UTF-8 if it names an encoding at all.

/// Checks what stands between `<?xml` and `?>` (XML 1.0 §2.8).
///
/// # Errors
/// What is wrong with it.
pub(crate) fn check(content: &str) -> Result<(), String> {
    const MALFORMED: &str = "The XML declaration is not well-formed.";
    let mut rest = content;
    // The three may only come in this order; version has to.
    let (version, encoding, standalone) = (
        take(&mut rest, "version").ok_or(MALFORMED)?,
        take(&mut rest, "encoding"),
        take(&mut rest, "standalone"),
    );
    if !rest.bytes().all(is_space) || !standalone.is_none_or(|value| matches!(value, "yes" | "no")) {
        return Err(MALFORMED.into());
    }
    if version != "1.0" {
        return Err("The XML declaration does not name version 1.0.".into());
    }
    match encoding {
        Some(name) if !name.eq_ignore_ascii_case("utf-8") => Err(format!(
            "The encoding '{name}' is not supported; the document has to be UTF-8."
        )),
        _ => Ok(()),
    }
}

/// Takes ` name = "value"` off the front, if it is there.
fn take<'a>(rest: &mut &'a str, name: &str) -> Option<&'a str> {
    let unspaced = |text: &'a str| text.trim_start_matches([' ', '\t', '\r', '\n']);
    let after_space = unspaced(rest);
    if after_space.len() == rest.len() {
        return None;
    }
    let after_equals = unspaced(unspaced(after_space.strip_prefix(name)?).strip_prefix('=')?);
    let quote = after_equals
        .chars()
        .next()
        .filter(|quote| matches!(quote, '"' | '\''))?;
    let (value, left) = after_equals.strip_prefix(quote)?.split_once(quote)?;
    *rest = left;
    Some(value)
}

/// `S` of XML 1.0 §2.3.
pub(crate) fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

#[cfg(test)]
mod tests {
    use super::check;

    #[test]
    fn declarations_are_taken_as_clients_write_them() {
        for good in [
            " version=\"1.0\"",
            " version='1.0' encoding='UTF-8'",
            "\n version = \"1.0\"\tencoding=\"utf-8\" standalone=\"yes\" ",
            " version='1.0' standalone='no'",
        ] {
            assert_eq!(check(good), Ok(()), "{good}");
        }
    }

    #[test]
    fn others_are_refused() {
        for bad in [
            "",
            " encoding='utf-8'",
            "version='1.0'",
            " version=1.0",
            " version='1.0\"",
            " version='1.1'",
            " version='1.0'encoding='utf-8'",
            " version='1.0' encoding='utf-8",
            " version='1.0' encoding='utf-16'",
            " version='1.0' standalone='yes' encoding='utf-8'",
            " version='1.0' standalone='maybe'",
            " version='1.0' encoding='utf-8'>",
        ] {
            assert!(check(bad).is_err(), "{bad}");
        }
    }
}
