//! The gate as operations see it: what the policy of [`dial`] says to one caller, who is looked up in the store. What is
//! refused is counted and logged.

mod audit;

use std::sync::Arc;

use dial::{DialPolicy, Dialler, Permit, Refusal, Refused};
use thiserror::Error;

use crate::auth::Caller;
use crate::metrics;
use crate::store::{Numbers, Store, StoreError, UserCache, UserName};

pub(crate) use audit::capped;

/// Why there is no permit.
#[derive(Debug, Error)]
pub enum GateError {
    #[error(transparent)]
    Refused(#[from] Refusal),
    #[error("the user's extension cannot be looked up")]
    Store(#[from] StoreError),
}

/// The policy, and what it has to know about users.
#[derive(Clone)]
pub struct Gate {
    policy: Arc<DialPolicy>,
    users: UserCache,
}

impl Gate {
    pub fn new(policy: DialPolicy, users: UserCache) -> Self {
        audit::announce();
        Self {
            policy: Arc::new(policy),
            users,
        }
    }

    /// Decides about one call. A refusal is counted and written to the log, steps and all; the number is shown there at
    /// DEBUG only.
    ///
    /// # Errors
    /// When the dial string is none, nothing allows it, or the user cannot be looked up.
    pub async fn permit(&self, caller: &Caller, dial_string: &str) -> Result<Permit, GateError> {
        let dialler = self.dialler(caller).await?;
        match self.policy.permit(caller.into(), &dialler, dial_string) {
            Ok(permit) => {
                metrics::dial_permitted();
                Ok(permit)
            }
            Err(Refused { why, decision }) => {
                audit::refused(caller, &decision, why);
                Err(why.into())
            }
        }
    }

    /// The number that Play on Phone dials for a user who names none: the user's own extension.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn own_extension(&self, caller: &Caller) -> Result<Option<String>, StoreError> {
        Ok(self.dialler(caller).await?.extension)
    }

    /// Whether there is anything that a user may call.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn may_call(&self, caller: &Caller) -> Result<bool, StoreError> {
        Ok(self.policy.may_call(&self.dialler(caller).await?))
    }

    async fn dialler(&self, caller: &Caller) -> Result<Dialler, StoreError> {
        let name: Option<UserName> = caller.name.as_deref().and_then(|name| name.parse().ok());
        let Some(name) = name else {
            return Ok(Dialler::default());
        };
        let users = self.users.now().await?;
        let numbers = users.get(&name).map(|user| user.numbers.clone());
        Ok(with_numbers(&name, numbers.unwrap_or_default()))
    }
}

impl From<&Caller> for dial::Caller {
    fn from(caller: &Caller) -> Self {
        let Caller { key, name, address } = caller.clone();
        Self { key, name, address }
    }
}

/// A user as the rules see one: also one that the store does not know, who then has no extension.
///
/// # Errors
/// When the store fails.
pub fn dialler(store: &Store, name: &UserName) -> Result<Dialler, StoreError> {
    Ok(with_numbers(name, store.numbers_of(name)?))
}

fn with_numbers(name: &UserName, numbers: Numbers) -> Dialler {
    Dialler {
        name: Some(name.to_string()),
        extension: numbers.extension,
        phones: numbers.phones,
    }
}
