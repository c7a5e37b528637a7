//! What a directory's result codes mean here (RFC 4511 §4.1.9; their names are those of its appendix A).

use ldap3::LdapResult;
use tracing::info;

use super::LdapError;
use crate::store::UserName;

const SUCCESS: u32 = 0;
const SIZE_LIMIT_EXCEEDED: u32 = 4;
const CONSTRAINT_VIOLATION: u32 = 19;
const NO_SUCH_OBJECT: u32 = 32;
const INVALID_DN_SYNTAX: u32 = 34;
const INAPPROPRIATE_AUTHENTICATION: u32 = 48;
const INVALID_CREDENTIALS: u32 = 49;
const INSUFFICIENT_ACCESS_RIGHTS: u32 = 50;
const UNWILLING_TO_PERFORM: u32 = 53;

/// Whether a bind has shown that it is this user.
///
/// # Errors
/// When it says nothing of the user: the directory is busy, wants something else than a simple bind, refers to another one
/// (which is not followed), or does not work.
pub(super) fn is_bound(user: &UserName, bound: &LdapResult) -> Result<bool, LdapError> {
    match bound.rc {
        SUCCESS => Ok(true),
        // There is no such entry, it has no password, or another one. Active Directory has this code for accounts that are
        // locked, disabled or expired, too.
        NO_SUCH_OBJECT | INVALID_DN_SYNTAX | INAPPROPRIATE_AUTHENTICATION | INVALID_CREDENTIALS => Ok(false),
        // The account is locked after too many failures, may not bind, or is inactivated: whatever the password is.
        CONSTRAINT_VIOLATION | INSUFFICIENT_ACCESS_RIGHTS | UNWILLING_TO_PERFORM => {
            info!(%user, answer = ?bound.to_string(), "the directory does not let this account in");
            Ok(false)
        }
        _ => Err(LdapError::Unexpected(bound.to_string())),
    }
}

/// What a search has come to.
pub(super) enum Searched {
    /// All that there is.
    Whole,
    /// More entries than were asked for.
    TooMany,
}

/// # Errors
/// When it says nothing of the user. A base that is not there (noSuchObject) is so for all of them.
pub(super) fn searched(done: &LdapResult) -> Result<Searched, LdapError> {
    match done.rc {
        SUCCESS => Ok(Searched::Whole),
        SIZE_LIMIT_EXCEEDED => Ok(Searched::TooMany),
        _ => Err(LdapError::Unexpected(done.to_string())),
    }
}

/// # Errors
/// Always our fault, or the directory's, and no user's.
pub(super) fn search_account(bound: &LdapResult) -> Result<(), LdapError> {
    match bound.rc {
        SUCCESS => Ok(()),
        _ => Err(LdapError::SearchAccount(bound.to_string())),
    }
}
