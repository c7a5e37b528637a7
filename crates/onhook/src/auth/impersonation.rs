//! Who may act for whom (`t:ExchangeImpersonation`): an account for the mailboxes that are listed for it, and for no
//! others. Everybody may act for oneself.

use std::collections::{BTreeMap, HashMap, HashSet};

use ews::ConnectingSid;
use thiserror::Error;

use super::Caller;
use super::domains::Domains;
use crate::config;
use crate::store::{Reader, StoreError, UserCache, UserName};

/// Why a caller is not let act for a mailbox.
#[derive(Debug, Error)]
pub enum ImpersonationError {
    /// Not for this one, whether it exists or not.
    #[error("the caller may not act for that mailbox")]
    Denied,
    /// It is listed, but there is no such user, and no message for one.
    #[error("there is no such mailbox")]
    NoMailbox,
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The lists.
#[derive(Debug)]
pub struct Impersonation {
    users: UserCache,
    reader: Reader,
    mailboxes_of: HashMap<UserName, HashSet<UserName>>,
    sids: BTreeMap<String, UserName>,
    domains: Domains,
}

impl Impersonation {
    pub fn new(users: UserCache, reader: Reader, login: &config::Login) -> Self {
        let lists = login.impersonation.iter();
        Self {
            users,
            reader,
            mailboxes_of: lists
                .map(|list| (list.account.clone(), list.mailboxes.iter().cloned().collect()))
                .collect(),
            sids: login
                .sids
                .iter()
                .map(|(sid, user)| (sid.to_uppercase(), user.clone()))
                .collect(),
            domains: Domains::new(&login.domains),
        }
    }

    /// The mailbox's owner, in whose place the caller then is.
    ///
    /// # Errors
    /// [`ImpersonationError::Denied`] also when the mailbox does not exist: whoever may not ask does not learn that.
    pub async fn act_as(&self, caller: &Caller, sid: &ConnectingSid) -> Result<Caller, ImpersonationError> {
        let own: Option<UserName> = caller.name.as_deref().and_then(|name| name.parse().ok());
        let (Some(own), Some(mailbox)) = (own, self.mailbox(sid)) else {
            return Err(ImpersonationError::Denied);
        };
        if mailbox == own {
            return Ok(caller.clone());
        }
        if !self.mailboxes_of.get(&own).is_some_and(|list| list.contains(&mailbox)) {
            return Err(ImpersonationError::Denied);
        }
        let owner = Caller {
            address: caller.address,
            ..Caller::named(&mailbox)
        };
        let is_user = self.users.now().await?.contains_key(&mailbox);
        if is_user || self.reader.has_messages(owner.key).await? {
            Ok(owner)
        } else {
            Err(ImpersonationError::NoMailbox)
        }
    }

    /// Whether a name or an address, in any case, is the caller's own: the user's name as it stands, or at a domain of this
    /// site.
    pub fn is_own(&self, caller: &Caller, address: &str) -> bool {
        let own = caller.name.as_deref();
        let is = |user: UserName| own == Some(user.as_str());
        address.parse().is_ok_and(is) || self.domains.user(address).is_some_and(is)
    }

    /// The user that the header means.
    fn mailbox(&self, sid: &ConnectingSid) -> Option<UserName> {
        match sid {
            ConnectingSid::PrincipalName(name)
            | ConnectingSid::PrimarySmtpAddress(name)
            | ConnectingSid::SmtpAddress(name) => self.domains.user(name),
            ConnectingSid::Sid(sid) => self.sids.get(&sid.trim().to_uppercase()).cloned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::time::Duration;

    use super::*;
    use crate::config::Config;
    use crate::store::Store;

    const LISTS: &str = r#"
        [login]
        domains = ["example.com"]
        sids = { "S-1-5-21-1-2-3-1105" = "alice", "S-1-5-21-1-2-3-1106" = "bob" }
        [[login.impersonation]]
        account = "dialler"
        mailboxes = ["alice", "ghost", "eve@other.example"]
    "#;

    fn impersonation(toml: &str) -> (tempfile::TempDir, Impersonation) {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("onhook.db")).unwrap();
        for user in ["alice", "bob", "dialler", "eve@other.example"] {
            store.add_user(&user.parse().unwrap(), "hash").unwrap();
        }
        let config = Config::parse(toml, Path::new("onhook.toml")).unwrap();
        let users = UserCache::start(&store).unwrap();
        let reader = Reader::start(&store, "reader", Duration::from_secs(60)).unwrap();
        (folder, Impersonation::new(users, reader, &config.login))
    }

    fn caller(name: &str) -> Caller {
        Caller::named(&name.parse().unwrap())
    }

    #[tokio::test]
    async fn an_account_acts_for_the_mailboxes_on_its_list_in_each_form() {
        let (_folder, impersonation) = impersonation(LISTS);
        let address = "Alice@Example.com".to_owned();
        for sid in [
            ConnectingSid::PrincipalName(address.clone()),
            ConnectingSid::PrincipalName(" alice ".to_owned()),
            ConnectingSid::PrimarySmtpAddress(address.clone()),
            ConnectingSid::SmtpAddress(address),
            ConnectingSid::Sid("s-1-5-21-1-2-3-1105".to_owned()),
        ] {
            let address = Some(std::net::IpAddr::from([192, 0, 2, 1]));
            let dialler = Caller {
                address,
                ..caller("dialler")
            };
            let owner = impersonation.act_as(&dialler, &sid).await.unwrap();
            assert_eq!(owner.key, caller("alice").key, "{sid:?}");
            assert_eq!(owner.address, address, "it is still that client who asks");
        }
        let eve = ConnectingSid::SmtpAddress("eve@other.example".to_owned());
        let owner = impersonation.act_as(&caller("dialler"), &eve).await.unwrap();
        assert_eq!(owner, caller("eve@other.example"));
    }

    #[tokio::test]
    async fn every_other_mailbox_is_denied_whether_it_exists_or_not() {
        let (_folder, impersonation) = impersonation(LISTS);
        for sid in [
            ConnectingSid::PrincipalName("bob".to_owned()),
            ConnectingSid::PrincipalName("nobody".to_owned()),
            ConnectingSid::PrimarySmtpAddress("alice@evil.example".to_owned()),
            ConnectingSid::Sid("S-1-5-21-1-2-3-1106".to_owned()),
            ConnectingSid::Sid("S-1-5-21-1-2-3-9999".to_owned()),
            ConnectingSid::Sid("alice".to_owned()),
        ] {
            let denied = impersonation.act_as(&caller("dialler"), &sid).await;
            assert!(matches!(denied, Err(ImpersonationError::Denied)), "{sid:?}");
        }
        let alice = ConnectingSid::PrincipalName("alice".to_owned());
        for stranger in ["bob", "dialler@example.com"] {
            let denied = impersonation.act_as(&caller(stranger), &alice).await;
            assert!(matches!(denied, Err(ImpersonationError::Denied)), "{stranger}");
        }
        let ghost = ConnectingSid::PrincipalName("ghost".to_owned());
        let missing = impersonation.act_as(&caller("dialler"), &ghost).await;
        assert!(matches!(missing, Err(ImpersonationError::NoMailbox)));
    }

    #[tokio::test]
    async fn by_default_everybody_acts_for_oneself_only() {
        let (_folder, impersonation) = impersonation("");
        let [alice, address] = ["Alice", "eve@other.example"].map(|name| ConnectingSid::PrincipalName(name.to_owned()));
        let own = impersonation.act_as(&caller("alice"), &alice).await;
        assert_eq!(own.unwrap(), caller("alice"));
        let eve = caller("eve@other.example");
        assert_eq!(impersonation.act_as(&eve, &address).await.unwrap(), eve);
        let denied = impersonation.act_as(&caller("dialler"), &alice).await;
        assert!(matches!(denied, Err(ImpersonationError::Denied)));
        let nameless = Caller {
            key: [1; 32],
            name: None,
            address: None,
        };
        let nobody = ConnectingSid::PrincipalName(String::new());
        assert!(matches!(
            impersonation.act_as(&nameless, &nobody).await,
            Err(ImpersonationError::Denied)
        ));
    }
}
