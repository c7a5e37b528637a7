//! Content models: what an element may hold, refused in the words of a schema validator.

use std::borrow::Cow;

use crate::declaration::is_space;
use crate::namespace::{Name, Namespace};
use crate::violation::Violation;
use crate::xml::{Attribute, Element, Node, Reader};

impl<'a> Reader<'a> {
    /// The next child of `parent`, if there is one; it has to be one of `expected`.
    pub(crate) fn child(
        &mut self,
        parent: &Element<'_>,
        expected: &[Name<'_>],
    ) -> Result<Option<Element<'a>>, Violation> {
        let Some(child) = self.any_child(parent, expected)? else {
            return Ok(None);
        };
        if expected.contains(&child.name) {
            return Ok(Some(child));
        }
        Err(self.unexpected_child(parent, &child, expected))
    }

    /// The next child of `parent`, whatever its name; `expected` is for the message when there is text instead.
    pub(crate) fn any_child(
        &mut self,
        parent: &Element<'_>,
        expected: &[Name<'_>],
    ) -> Result<Option<Element<'a>>, Violation> {
        loop {
            match self.next()? {
                Node::Start(child) => return Ok(Some(child)),
                Node::End | Node::Eof => return Ok(None),
                Node::Text { text, .. } if text.bytes().all(is_space) => {}
                Node::Text { text, offset } => {
                    let leading = text.len() - text.trim_start().len();
                    let message = format!("The element {} cannot contain text.{}", parent.name, list(expected));
                    return Err(self.violation(offset + leading, message));
                }
            }
        }
    }

    /// The next child of `parent`, which has to be there.
    pub(crate) fn required_child(
        &mut self,
        parent: &Element<'_>,
        expected: &[Name<'_>],
    ) -> Result<Element<'a>, Violation> {
        match self.child(parent, expected)? {
            Some(child) => Ok(child),
            None => Err(self.incomplete(parent, expected)),
        }
    }

    /// The end of `parent`.
    pub(crate) fn end(&mut self, parent: &Element<'_>) -> Result<(), Violation> {
        self.child(parent, &[]).map(drop)
    }

    /// The end of an element that holds nothing.
    pub(crate) fn end_of_empty(&mut self, element: &Element<'_>) -> Result<(), Violation> {
        const WHY: &str = "because the parent element's content model is empty.";
        loop {
            match self.next()? {
                Node::End | Node::Eof => return Ok(()),
                Node::Text { text, .. } if text.bytes().all(is_space) => {}
                Node::Text { offset, .. } => {
                    let text = format!("The element {} cannot contain text {WHY}", element.name);
                    return Err(self.violation(offset, text));
                }
                Node::Start(child) => {
                    let text = format!(
                        "The element {} cannot contain child element {} {WHY}",
                        element.name, child.name
                    );
                    return Err(self.violation(child.offset, text));
                }
            }
        }
    }

    /// The text of an element that holds text only, to its end.
    pub(crate) fn text_of(&mut self, element: &Element<'_>) -> Result<String, Violation> {
        let mut content = String::new();
        loop {
            match self.next()? {
                Node::End | Node::Eof => return Ok(content),
                Node::Text { text, .. } => content.push_str(&text),
                Node::Start(child) => {
                    let text = format!(
                        "The element {} cannot contain child element {} because the parent element's content model is text only.",
                        element.name, child.name
                    );
                    return Err(self.violation(child.offset, text));
                }
            }
        }
    }

    /// Passes over an element whose start has been read. It still has to be well-formed.
    pub(crate) fn skip(&mut self) -> Result<(), Violation> {
        let mut depth = 1;
        while depth > 0 {
            match self.next()? {
                Node::Start(_) => depth += 1,
                Node::End => depth -= 1,
                Node::Text { .. } => {}
                Node::Eof => return Ok(()),
            }
        }
        Ok(())
    }

    pub(crate) fn unexpected_child(
        &self,
        parent: &Element<'_>,
        child: &Element<'_>,
        expected: &[Name<'_>],
    ) -> Violation {
        let text = format!(
            "The element {} has invalid child element {}.{}",
            parent.name,
            child.name,
            list(expected)
        );
        self.violation(child.offset, text)
    }

    /// Reported where the element began: its end is where something is missing, its start is what has to be mended.
    pub(crate) fn incomplete(&self, element: &Element<'_>, expected: &[Name<'_>]) -> Violation {
        let text = format!("The element {} has incomplete content.{}", element.name, list(expected));
        self.violation(element.offset, text)
    }

    /// Refuses attributes that the schema does not declare for `element`.
    ///
    /// `xsi:` attributes are of the schema language itself, and SOAP 1.1 allows its own everywhere
    /// (§4.1.1 `encodingStyle`).
    pub(crate) fn declared(&self, element: &Element<'_>, names: &[&str]) -> Result<(), Violation> {
        let undeclared = element
            .attributes
            .iter()
            .find(|attribute| match attribute.name.namespace {
                Namespace::Xsi | Namespace::Soap => false,
                Namespace::Unqualified => !names.contains(&attribute.name.local),
                _ => true,
            });
        match undeclared {
            None => Ok(()),
            Some(attribute) => {
                let text = format!("The {} attribute is not declared.", attribute.name);
                Err(self.violation(attribute.offset, text))
            }
        }
    }

    pub(crate) fn required<'e, 'n>(
        &self,
        element: &'e Element<'n>,
        name: &str,
    ) -> Result<&'e Attribute<'n>, Violation> {
        element
            .attribute(name)
            .ok_or_else(|| self.violation(element.offset, format!("The required attribute '{name}' is missing.")))
    }

    /// A value that is none of its type's.
    pub(crate) fn not_in_enumeration(&self, offset: usize, subject: &str, value: &str, simple_type: &str) -> Violation {
        let text = format!(
            "The {subject} is invalid - The value '{}' is invalid according to its datatype \
             'http://schemas.microsoft.com/exchange/services/2006/types:{simple_type}' - The Enumeration constraint failed.",
            excerpt(value)
        );
        self.violation(offset, text)
    }
}

impl<'a> Element<'a> {
    pub(crate) fn attribute(&self, name: &str) -> Option<&Attribute<'a>> {
        self.attributes
            .iter()
            .find(|attribute| attribute.name.namespace == Namespace::Unqualified && attribute.name.local == name)
    }

    pub(crate) fn value(&self, name: &str) -> Option<&Cow<'a, str>> {
        self.attribute(name).map(|attribute| &attribute.value)
    }
}

/// Enough of a value to recognise it by.
fn excerpt(value: &str) -> String {
    const LENGTH: usize = 64;
    if value.chars().count() <= LENGTH {
        return value.to_owned();
    }
    value.chars().take(LENGTH).chain(['…']).collect()
}

/// Lists what would have been allowed, names of one namespace together.
fn list(expected: &[Name<'_>]) -> String {
    let Some(first) = expected.first() else {
        return String::new();
    };
    let of_first: Vec<_> = expected
        .iter()
        .filter(|name| name.namespace == first.namespace)
        .map(|name| name.local)
        .collect();
    let joined = of_first.join(", ");
    let group = Name {
        namespace: first.namespace.clone(),
        local: &joined,
    };
    format!(" List of possible elements expected: {group}.")
}
