//! OpenLDAP's slapd, on ports of its own, in a folder of its own, as whoever runs the tests.

use std::collections::HashMap;
use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::watch;
use tokio::time::timeout;

use crate::authority::Authority;
use crate::house::PATIENCE;

const BASE: &str = "dc=example,dc=com";

/// Carol and Dave can log in; there are two people called Twin, one of them without a password. Alice is in the store, too.
const PEOPLE: &str = "\
dn: dc=example,dc=com
objectClass: domain
dc: example

dn: cn=onhook,dc=example,dc=com
objectClass: person
cn: onhook
sn: onhook
userPassword: pass-of-the-search

dn: uid=carol,dc=example,dc=com
objectClass: inetOrgPerson
uid: carol
cn: Carol
sn: Carol
mail: c.smith@example.com
userPassword: pass-of-carol

dn: uid=device,uid=carol,dc=example,dc=com
objectClass: inetOrgPerson
uid: device
cn: Something of Carol's
sn: Device
userPassword: pass-of-the-device

dn: cn=D,dc=example,dc=com
objectClass: inetOrgPerson
uid: dave
cn: D
cn: Twin
sn: D
mail: dave@example.com
userPassword: pass-of-dave

dn: cn=Other,dc=example,dc=com
objectClass: inetOrgPerson
uid: other
cn: Other
cn: Twin
sn: Other

dn: uid=alice,dc=example,dc=com
objectClass: inetOrgPerson
uid: alice
cn: Alice
sn: Alice
userPassword: pass-of-the-directory
";

pub(crate) struct Slapd {
    child: Child,
    log: watch::Receiver<Log>,
    pub(crate) ldaps: String,
    pub(crate) ldap: String,
    pub(crate) ca: PathBuf,
    folder: tempfile::TempDir,
}

/// What it has said so far.
#[derive(Default)]
struct Log {
    /// Whom it was asked to bind.
    binds: Vec<String>,
    connections: usize,
    most_connections: usize,
    /// What was asked on each connection that is open.
    asked: HashMap<String, Vec<String>>,
    /// The same of those that are closed, in their order.
    closed: Vec<Vec<String>>,
}

impl Log {
    fn read(&mut self, line: &str) {
        if let Some((_, bind)) = line.split_once(" BIND dn=\"") {
            self.binds.extend(bind.split('"').next().map(str::to_owned));
        } else if line.contains(" ACCEPT ") {
            self.connections += 1;
            self.most_connections = self.most_connections.max(self.connections);
        } else if line.contains(" closed") {
            self.connections -= 1;
        }
        self.read_operation(line);
    }

    /// `… conn=1000 op=1 BIND dn="uid=carol,dc=example,dc=com" method=128` is `BIND uid=carol,dc=example,dc=com`.
    fn read_operation(&mut self, line: &str) -> Option<()> {
        let (connection, event) = line.split_once("conn=")?.1.split_once(' ')?;
        if event.contains(" closed") {
            self.closed.extend(self.asked.remove(connection));
        }
        let (_, operation) = event.strip_prefix("op=")?.split_once(' ')?;
        let (word, details) = operation.split_once(' ').unwrap_or((operation, ""));
        let asked = match word {
            "BIND" if details.contains(" method=") => format!("BIND {}", details.split('"').nth(1)?),
            "SRCH" if details.starts_with("base=") => word.to_owned(),
            "EXT" | "UNBIND" => word.to_owned(),
            _ => return None,
        };
        self.asked.entry(connection.to_owned()).or_default().push(asked);
        Some(())
    }
}

impl Slapd {
    pub(crate) async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let authority = Authority::new(folder.path(), "ldap-ca");
        let conf = prepare(folder.path(), &authority).await;
        // It cannot be told to choose its ports; another program may have taken one of these meanwhile.
        for _ in 0..5 {
            let [ldaps, ldap] = free_ports();
            let ldaps = format!("ldaps://127.0.0.1:{ldaps}");
            let ldap = format!("ldap://127.0.0.1:{ldap}");
            let mut child = Command::new(folder.path().join("slapd"))
                .arg("-f")
                .arg(&conf)
                .args(["-h", &format!("{ldaps} {ldap}"), "-d", "256"])
                .stdin(Stdio::null())
                .stderr(Stdio::piped())
                .kill_on_drop(true)
                .spawn()
                .unwrap();
            let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
            let starting = async {
                while let Ok(Some(line)) = lines.next_line().await {
                    if line.contains("slapd starting") {
                        return true;
                    }
                }
                false
            };
            if timeout(PATIENCE, starting).await.unwrap() {
                // It stops when nobody reads what it says.
                let (told, log) = watch::channel(Log::default());
                tokio::spawn(async move {
                    while let Ok(Some(line)) = lines.next_line().await {
                        told.send_modify(|log| log.read(&line));
                    }
                });
                return Self {
                    child,
                    log,
                    ldaps,
                    ldap,
                    ca: authority.ca(),
                    folder,
                };
            }
        }
        panic!("slapd does not start");
    }

    /// Waits until it was asked to bind this user, and says whom it was asked for until then.
    pub(crate) async fn was_asked_for(&mut self, user: &str) -> Vec<String> {
        let rdn = format!("uid={user},");
        let asked = self.log.wait_for(|log| log.binds.iter().any(|dn| dn.starts_with(&rdn)));
        timeout(PATIENCE, asked).await.unwrap().unwrap().binds.clone()
    }

    /// Waits until so many connections have come and gone, and says what was asked on each.
    pub(crate) async fn connections(&mut self, count: usize) -> Vec<Vec<String>> {
        let closed = self.log.wait_for(|log| log.closed.len() >= count);
        timeout(PATIENCE, closed).await.unwrap().unwrap().closed.clone()
    }

    /// How many connections it had at once at most.
    pub(crate) fn most_connections(&self) -> usize {
        self.log.borrow().most_connections
    }

    /// `[login.ldap]` that binds by a template.
    pub(crate) fn by_template(&self) -> String {
        format!(
            "url = {:?}\nca = {:?}\nbind_dn = \"uid={{user}},{BASE}\"\n",
            self.ldaps, self.ca
        )
    }

    /// `[login.ldap]` that searches first.
    pub(crate) fn by_search(&self, filter: &str, account_password: &str) -> String {
        format!(
            "url = {:?}\nca = {:?}\nsearch_base = {BASE:?}\nsearch_filter = {filter:?}\nsearch_dn = \"cn=onhook,{BASE}\"\n\
             search_password = {account_password:?}\n",
            self.ldap, self.ca
        )
    }

    /// Gives somebody another password.
    pub(crate) async fn change_password(&self, dn: &str, password: &str) {
        let change = self.folder.path().join("change.ldif");
        fs::write(
            &change,
            format!("dn: {dn}\nchangetype: modify\nreplace: userPassword\nuserPassword: {password}\n"),
        )
        .unwrap();
        let changed = Command::new("ldapmodify")
            .env("LDAPTLS_CACERT", &self.ca)
            .args([
                "-x",
                "-H",
                &self.ldaps,
                "-D",
                "cn=root,dc=example,dc=com",
                "-w",
                "pass-of-root",
                "-f",
            ])
            .arg(&change)
            .output()
            .await
            .expect("ldapmodify could not be run: `make setup` installs it (Debian: ldap-utils)");
        assert!(changed.status.success(), "{}", String::from_utf8_lossy(&changed.stderr));
    }

    pub(crate) async fn stop(&mut self) {
        self.child.kill().await.unwrap();
    }
}

/// Its configuration and its database.
async fn prepare(folder: &Path, authority: &Authority) -> PathBuf {
    let server = authority.server();
    let database = folder.join("db");
    fs::create_dir(&database).unwrap();
    // Where AppArmor has rules for slapd, they are for the one in its place, and would keep it out of this folder.
    let program = ["/usr/sbin/slapd", "/usr/local/sbin/slapd", "/usr/libexec/slapd"];
    let program = program.iter().find(|path| Path::new(path).exists());
    let program = program.expect("there is no slapd: `make setup` installs it (Debian: slapd)");
    fs::copy(program, folder.join("slapd")).unwrap();
    std::os::unix::fs::symlink("slapd", folder.join("slapadd")).unwrap();
    let conf = folder.join("slapd.conf");
    let text = format!(
        "include /etc/ldap/schema/core.schema\ninclude /etc/ldap/schema/cosine.schema\n\
         include /etc/ldap/schema/inetorgperson.schema\nmodulepath /usr/lib/ldap\nmoduleload back_mdb\n\
         pidfile {folder}/slapd.pid\nargsfile {folder}/slapd.args\nTLSCertificateFile {cert}\nTLSCertificateKeyFile {key}\n\
         # No password without TLS.\nsecurity simple_bind=128\n\
         database mdb\nmaxsize 10485760\nsuffix \"{BASE}\"\nrootdn \"cn=root,{BASE}\"\nrootpw pass-of-root\n\
         directory {database}\naccess to attrs=userPassword by anonymous auth by * none\n\
         access to * by dn.exact=\"cn=onhook,{BASE}\" read by * none\n",
        folder = folder.display(),
        cert = server.cert.display(),
        key = server.key.display(),
        database = database.display(),
    );
    fs::write(&conf, text).unwrap();
    let people = folder.join("people.ldif");
    fs::write(&people, PEOPLE).unwrap();
    let added = Command::new(folder.join("slapadd"))
        .arg("-f")
        .arg(&conf)
        .arg("-l")
        .arg(&people)
        .output()
        .await
        .unwrap();
    assert!(added.status.success(), "{}", String::from_utf8_lossy(&added.stderr));
    conf
}

fn free_ports() -> [u16; 2] {
    let listeners = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
    listeners.map(|listener| listener.local_addr().unwrap().port())
}
