//! Every key of `onhook.toml`, its meaning and its default. The comments below are the comments of
//! `onhook.example.toml`: write them for the operator.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use dial::Network;

use super::dialling::Dial;
use super::login::{CertificateName, ClientCertificate, LoginMethod, SigningAlgorithm};
use super::next_hop::NextHop;
use super::section::section;
use super::values::{
    Codec, Level, ListenAddress, LogFormat, OneOrMany, Period, PlainBasic, PortRange, Readers, SchemaVersion, Secret,
    ServerVersion, SipToken, Size, Srtp,
};
use crate::store::UserName;

section! {
    /// onhook: PlayOnPhone, GetPhoneCallInformation and DisconnectPhoneCall for Exchange Web Services.
    ///
    /// A line that starts with "# " explains; a line that starts with "#" and a key can be uncommented.
    /// What stands uncommented is the default. Durations are written "500ms", "30s", "30m", "2h", "7d".
    /// Relative paths start at the folder of this file. What nobody can mean (a request that waits for days, a cap of
    /// millions) is refused, and the error says what is the most.
    pub struct Config {
        /// Where EWS clients come in: POST /EWS/Exchange.asmx.
        http: Http = table(Http),
        /// How callers prove who they are. Which of these a listener takes is said there, with its key login.
        login: Login = table(Login),
        /// The SIP side: where onhook listens, and how it shows itself.
        sip: Sip = table(Sip),
        /// Sound on the wire.
        media: Media = table(Media),
        /// Where calls go: a PBX, a provider or an SBC. With several, the first one in the file that is up is used.
        trunk: Vec<Trunk> = tables(Trunk),
        /// Users, voice messages and calls.
        store: Store = table(Store),
        /// Limits of calls: of each, and of how many.
        calls: Calls = table(Calls),
        /// Who may be called. docs/dialling.md has examples; `onhook dial explain` tells which rule decides.
        dial: Dial = table(Dial),
        /// What is written to standard error.
        log: Log = table(Log),
        /// Counts for a monitoring system, as Prometheus reads them: GET /metrics. docs/metrics.md lists them.
        metrics: Metrics = table(Metrics),
    }
}

section! {
    /// `[http]`
    pub struct Http {
        /// Plain listeners: one address, or a list. [] for none.
        listen: OneOrMany<SocketAddr> = default("127.0.0.1:8080"),
        /// What the plain listeners take: "users" (Basic, the users of the store), "ldap" (Basic, the directory of
        /// [login.ldap]), "oauth" (Bearer, the tokens of [login.oauth]); several in a list.
        login: Vec<LoginMethod> = default(["users"]),
        /// Whether passwords and tokens are taken over plain HTTP: "loopback-only", or "everywhere" for a server
        /// behind a proxy that does TLS, on a network where nobody listens.
        basic_over_plain_http: PlainBasic = default("loopback-only"),
        /// The realm that clients show when they ask for a password.
        realm: String = default("onhook"),
        /// The longest request body that is read, in bytes.
        body_limit: u32 = default(65536),
        /// How many bytes of request bodies are held at once, of all clients. Who finds no room waits, as long as body_timeout.
        bodies_limit: u32 = default(33554432),
        /// How long a client may take for the handshake of TLS, and then to send the head of a request.
        header_timeout: Period = default("5s"),
        /// How long a client may take to send the body of a request. One that sends hardly anything is not waited for.
        body_timeout: Period = default("15s"),
        /// How long a connection is kept for a next request. Clients are told of a second less (Keep-Alive).
        idle_timeout: Period = default("60s"),
        /// How many connections there may be at once. When there are more, the quietest one is closed.
        max_connections: u32 = default(4096),
        /// How many of them from one address (of IPv6: from one /64). Trusted proxies may hold all.
        max_connections_per_address: u32 = default(256),
        /// Whether requests whose namespaces are spelled https://, as some documentation prints them, are refused.
        strict_namespaces: bool = default(false),
        /// The version in every answer's ServerVersionInfo: four numbers.
        server_version: ServerVersion = default("15.1.2507.61"),
        /// The schema version beside it.
        schema_version: SchemaVersion = default("Exchange2016"),
        /// The address clients reach this server at, for the WSDL; without it, the address they asked.
        public_url: Option<String> = optional("https://voice.example.com/EWS/Exchange.asmx"),
        /// Reverse proxies whose X-Forwarded-For is believed: addresses or networks ("10.1.0.0/16"). Without them all
        /// clients behind a proxy count as one when failed logins are counted. No network wider than one holder's: /8, of IPv6 /16.
        trusted_proxies: Vec<Network> = default([]),
        /// TLS listeners, any number (TLS 1.2 and 1.3).
        tls: Vec<HttpTls> = tables(HttpTls),
    }
}

section! {
    /// `[[http.tls]]`
    pub struct HttpTls {
        /// The address to listen on.
        listen: SocketAddr = required("0.0.0.0:8443"),
        /// The certificate with its chain, PEM.
        cert: PathBuf = required("server.crt"),
        /// Its private key, PEM.
        key: PathBuf = required("server.key"),
        /// What this listener takes: "users", "ldap" and "oauth" as a plain one, and "certificate" (the client's
        /// own, see [login.certificate]).
        login: Vec<LoginMethod> = default(["users"]),
        /// The authorities that sign client certificates, PEM. Without it clients are not asked for one.
        client_ca: Option<PathBuf> = optional("clients-ca.crt"),
        /// With client_ca: revocation lists, PEM; for certificates that some other authority has signed in between, its list,
        /// too. A list that has expired vouches for nobody. SIGHUP reads it again.
        client_crl: Option<PathBuf> = optional("clients.crl"),
        /// With client_ca: "optional", or "required" to end the handshake with a client that has no certificate.
        client_certificate: ClientCertificate = default("optional"),
    }
}

section! {
    /// `[login]`
    pub struct Login {
        /// The mail domains of this site: what a token, a certificate or a directory calls alice@example.com is then
        /// the user alice. Of any other domain, the whole address is the user.
        domains: Vec<String> = default([]),
        /// Security identifiers that clients put into ExchangeImpersonation, each with its mailbox:
        /// { "S-1-5-21-1-2-3-1105" = "alice" }
        sids: BTreeMap<String, UserName> = default({}),
        /// A directory that verifies passwords. Always over TLS: ldap:// is raised with StartTLS.
        ldap: LoginLdap = table(LoginLdap),
        /// An issuer of bearer tokens (JWT).
        oauth: LoginOAuth = table(LoginOAuth),
        /// Client certificates.
        certificate: LoginCertificate = table(LoginCertificate),
        /// Accounts that may act for other mailboxes (ExchangeImpersonation), and for which: for these and no others.
        impersonation: Vec<LoginImpersonation> = tables(LoginImpersonation),
    }
}

section! {
    /// `[login.ldap]`
    pub struct LoginLdap {
        /// Where it is: ldaps://, or ldap:// for StartTLS.
        url: Option<String> = optional("ldaps://ldap.example.com"),
        /// The authorities that sign its certificate, PEM; without it, the ones of the system.
        ca: Option<PathBuf> = optional("ldap-ca.crt"),
        /// The DN to bind as, with {user} for the user: when it can be told without a search.
        bind_dn: Option<String> = optional("uid={user},ou=people,dc=example,dc=com"),
        /// Where the user's entry is searched for, in place of bind_dn.
        search_base: Option<String> = optional("ou=people,dc=example,dc=com"),
        /// How it is found. It has to be one entry; with more, nobody is let in. Where one entry is found by several
        /// attributes, or by less than its name, user_attribute has to say who that is.
        search_filter: String = default("(&(objectClass=person)(uid={user}))"),
        /// The account that searches; without it, the search is anonymous.
        search_dn: Option<String> = optional("cn=onhook,dc=example,dc=com"),
        /// Its password. Better: a file that only onhook can read.
        search_password: Option<Secret> = optional("secret"),
        /// A file whose first line is the password.
        search_password_file: Option<PathBuf> = optional("ldap.password"),
        /// The environment variable that holds the password.
        search_password_env: Option<String> = optional("ONHOOK_LDAP_PASSWORD"),
        /// The attribute of the entry that is the user; without it, what was typed.
        user_attribute: Option<String> = optional("uid"),
        /// How long a login may take at the directory, all steps together.
        timeout: Period = default("5s"),
        /// How many connections are open at once; further logins wait.
        max_connections: u32 = default(8),
        /// How long a password that was right is remembered; for so long an old one may still work. "0s" for never.
        remember: Period = default("60s"),
    }
}

section! {
    /// `[login.oauth]`
    pub struct LoginOAuth {
        /// The issuer, exactly as tokens spell it in iss.
        issuer: Option<String> = optional("https://login.example.com/"),
        /// What tokens must be meant for (aud): one of these.
        audience: Vec<String> = default([]),
        /// Where its keys are (JWKS).
        jwks_url: Option<String> = optional("https://login.example.com/keys"),
        /// The authorities that sign the certificate of jwks_url, PEM; without it, the public ones.
        ca: Option<PathBuf> = optional("login-ca.crt"),
        /// The algorithms that are taken: "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384".
        algorithms: Vec<SigningAlgorithm> = default(["RS256"]),
        /// The claim that is the user. It must be one that users cannot choose themselves.
        user_claim: String = default("upn"),
        /// A scope that tokens must have (scp or scope).
        scope: Option<String> = optional("EWS.AccessAsUser.All"),
        /// By how much the clocks of issuer and onhook may differ, 5 minutes at most.
        leeway: Period = default("60s"),
        /// Applications whose own tokens, which name no user, are taken, and which account each of them is. Without an entry
        /// here an application is not let in.
        app: Vec<LoginOAuthApp> = tables(LoginOAuthApp),
    }
}

section! {
    /// `[[login.oauth.app]]`
    pub struct LoginOAuthApp {
        /// Its id, exactly as its tokens spell it in client_id, appid, azp or cid.
        id: String = required("6f0b1c9e-57a1-4d0e-9a53-0d2f8f1b7c11"),
        /// Which account it is; one that has a list in [[login.impersonation]].
        account: UserName = required("dialler"),
        /// A role that its tokens must have (roles).
        role: Option<String> = optional("full_access_as_app"),
    }
}

section! {
    /// `[login.certificate]`
    pub struct LoginCertificate {
        /// Which name of the certificate's subjectAltName is the user: "upn", "email", "dns". The first kind that the
        /// certificate has counts, and it must have just one of that kind.
        user: Vec<CertificateName> = default(["upn", "email"]),
    }
}

section! {
    /// `[[login.impersonation]]`
    pub struct LoginImpersonation {
        /// The account that may act for others: a user, however it logs in.
        account: UserName = required("dialler"),
        /// The mailboxes that it may act for.
        mailboxes: Vec<UserName> = default([]),
    }
}

section! {
    /// `[sip]`
    pub struct Sip {
        /// Listeners: udp:, tcp: or tls: with an address; a list.
        listen: OneOrMany<ListenAddress> = default(["udp:127.0.0.1:5060"]),
        /// The address peers of its family see when onhook is behind NAT; it goes into Via, Contact and SDP.
        external_address: Option<IpAddr> = optional("203.0.113.7"),
        /// Who may speak SIP to onhook besides the trunks: addresses and networks, like "192.0.2.7" or "10.0.0.0/8", no
        /// names. The rest of the world gets no answer at all.
        peers: Vec<Network> = default([]),
        /// Requests that belong to no call of onhook's (OPTIONS, unknown INVITEs) and are looked at in a second; more are
        /// dropped. "Unknown" requests never ring anything; this keeps a flood of them cheap.
        requests_per_second: u32 = default(100),
        /// The User-Agent header.
        user_agent: String = default("onhook"),
        /// Certificates for tls: listeners and trunks.
        tls: SipTls = table(SipTls),
        /// The timers of RFC 3261; change them for tests only.
        timers: SipTimers = table(SipTimers),
    }
}

section! {
    /// `[sip.tls]`
    pub struct SipTls {
        /// The certificate with its chain, PEM; needed for a tls: listener.
        cert: Option<PathBuf> = optional("sip.crt"),
        /// Its private key, PEM.
        key: Option<PathBuf> = optional("sip.key"),
        /// The authorities that sign the certificates of trunks, PEM; without it, the ones of the system.
        ca: Option<PathBuf> = optional("ca.crt"),
    }
}

section! {
    /// `[sip.timers]`
    pub struct SipTimers {
        /// T1, the estimated round trip; all retransmissions and time-outs follow from it.
        t1: Period = default("500ms"),
        /// T2, the longest pause between two retransmissions.
        t2: Period = default("4s"),
        /// T4, how long a message may stay in the network.
        t4: Period = default("5s"),
    }
}

section! {
    /// `[media]`
    pub struct Media {
        /// The local addresses sound is sent from, one of IPv4 and one of IPv6; a call has that of the family its trunk is
        /// reached by. Of a family that is not named here, it is the first one in sip.listen.
        bind: Option<OneOrMany<IpAddr>> = optional(["192.0.2.10", "2001:db8::10"]),
        /// The UDP ports for RTP (even) and RTCP (odd): two for each live call, in each family.
        rtp_ports: PortRange = default("16384-32767"),
    }
}

section! {
    /// `[[trunk]]`
    pub struct Trunk {
        /// A name of your own, for logs and records; unique.
        name: SipToken = required("pbx"),
        /// Where its INVITEs go: a SIP URI, with ;transport=tcp or ;transport=tls where it is not UDP.
        next_hop: NextHop = required("sip:127.0.0.1:5061"),
        /// A proxy that every request passes first.
        outbound_proxy: Option<NextHop> = optional("sip:proxy.example.com;transport=tcp"),
        /// The domain in From and in the Request-URI; without it, the host of next_hop.
        domain: Option<String> = optional("example.com"),
        /// The account at the peer. It is the user of From, too, unless from_user says otherwise.
        username: Option<SipToken> = optional("onhook"),
        /// The user name for digest, where it is not the account's.
        auth_username: Option<String> = optional("onhook-auth"),
        /// The account's password. Better: a file that only onhook can read.
        password: Option<Secret> = optional("secret"),
        /// A file whose first line is the password.
        password_file: Option<PathBuf> = optional("pbx.password"),
        /// The environment variable that holds the password.
        password_env: Option<String> = optional("ONHOOK_PBX_PASSWORD"),
        /// Whether onhook registers there.
        register: bool = default(false),
        /// How long a registration is asked for.
        register_expires: Period = default("1h"),
        /// How often OPTIONS is sent to learn whether the trunk is up; "0s" for never.
        keepalive: Period = default("30s"),
        /// The user of From: the number that the called phone shows.
        from_user: Option<SipToken> = optional("5000"),
        /// The name beside it.
        from_name: Option<String> = optional("Voice mail"),
        /// Where its answers may send onhook's requests and sound, besides to the trunk itself: addresses and networks, no
        /// names. Without it: every host in the trunk's own scope (this machine, private, public) or a wider one, so that a
        /// provider on the Internet cannot point into your network; and a host that is not listed and never sends anything
        /// back gets ten seconds of sound. Requests that may not be sent there go to the trunk.
        allowed_hosts: Option<Vec<Network>> = optional(["10.0.0.0/8"]),
        /// The codecs to offer, best first: "PCMU", "PCMA", "G722".
        codecs: Vec<Codec> = default(["PCMU", "PCMA", "G722"]),
        /// Whether the sound is encrypted (SRTP with keys in SDP): "off"; "prefer", where the far end can; "require", or
        /// the call ends. The keys travel in the signalling, so both need ;transport=tls.
        srtp: Srtp = default("off"),
    }
}

section! {
    /// `[store]`
    pub struct Store {
        /// The database file; it is made on first start.
        path: PathBuf = default("onhook.db"),
        /// How long the records of ended calls are kept.
        keep_records: Period = default("90d"),
        /// Room kept in a file beside the database: when the disk is full the file goes, new calls are refused, and
        /// running ones can still end durably. "0" for none.
        ballast: Size = default("64 MiB"),
        /// How long a request waits for the disk; then it is told ErrorInternalServerTransientError. A call that was asked
        /// for is then not placed, and a hang-up goes on: it is only not promised yet that a crash would not forget it.
        disk_wait: Period = default("10s"),
    }
}

section! {
    /// `[calls]`
    pub struct Calls {
        /// How long a phone rings before the call is given up. One whose trunk is down, and says nothing at all, is given up
        /// after 32 s (RFC 3261's Timer B).
        ring_limit: Period = default("30s"),
        /// How long a call may last.
        max_duration: Period = default("30m"),
        /// How soon onhook notices that an answered phone has vanished without hanging up (session timers, RFC 4028):
        /// at least "90s", or "0s" for never. A phone that knows no session timers is bound by max_duration alone.
        session_expires: Period = default("5m"),
        /// How long DisconnectPhoneCall waits for the phone's confirmation before it answers.
        disconnect_wait: Period = default("2s"),
        /// How long an ended call can still be asked about.
        ended_retention: Period = default("15m"),
        /// How long running calls may go on after SIGTERM before they are hung up; "0s" for not at all.
        drain_timeout: Period = default("60s"),
        /// How many calls may live at once; one more is told that the server is busy.
        max_live: u32 = default(100),
        /// How many of them for one mailbox.
        max_live_per_mailbox: u32 = default(2),
        /// How many of them over one trunk.
        max_live_per_trunk: u32 = default(10),
        /// How many calls may start over one trunk in a second. All of the caps from here on count over restarts.
        starts_per_second_per_trunk: u32 = default(20),
        /// How many calls from one mailbox to its user's own extension and phones may start in a minute.
        starts_per_minute_to_own_phone: u32 = default(60),
        /// How many minutes these may last together in 24 hours.
        minutes_per_day_to_own_phone: u32 = default(240),
        /// How many calls may start for one mailbox in a minute. This cap and those below are for calls to other phones.
        starts_per_minute_per_mailbox: u32 = default(5),
        /// How many in an hour.
        starts_per_hour_per_mailbox: u32 = default(30),
        /// How many minutes these may last together in 24 hours.
        minutes_per_day_per_mailbox: u32 = default(60),
        /// How many calls the clients at one address (of IPv6: in one /64) may start in a minute.
        starts_per_minute_per_address: u32 = default(20),
        /// How many calls to one number may start in ten minutes.
        starts_per_ten_minutes_per_number: u32 = default(3),
    }
}

section! {
    /// `[log]`
    pub struct Log {
        /// "error", "warn", "info", "debug" or "trace". Telephone numbers are masked above debug.
        level: Level = default("info"),
        /// "text" for people, "json" for machines.
        format: LogFormat = default("text"),
    }
}

section! {
    /// `[metrics]`
    pub struct Metrics {
        /// Where it is read, over plain HTTP and without a login; without this key, nowhere.
        listen: Option<SocketAddr> = optional("127.0.0.1:9464"),
        /// From where: "loopback-only", or "everywhere" for an address of the network. The counts name no user and no
        /// number, but tell how much is called, and when somebody is guessing passwords.
        readers: Readers = default("loopback-only"),
    }
}
