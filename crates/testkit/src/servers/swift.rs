//! OpenStack Swift on one node, with its own authentication and a double of Keystone before it.

use super::object::python;
use super::{Server, free_address};
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

/// Variables by name.
pub type Variables = Vec<(&'static str, String)>;

/// The node: a script around the real servers of the package `swift`.
const NODE: &str = include_str!("swift_node.py");

/// Swift in one process, which keeps what it has below `folder`; its storage policies are `gold` and `silver`.
///
/// Each token is taken as often as `uses` says, or as long as it lives for 0. Who we may be, say [`swift_logins`].
pub fn swift(folder: &Path, uses: u32) -> Server {
    let address = free_address();
    let mut command = Command::new(python("python"));
    command.args(["-W", "ignore", "-c", NODE]).arg(folder);
    command.args([address.port().to_string(), uses.to_string()]);
    Server::start(command, address)
}

/// Every way to log in there, by a name for it.
pub fn swift_logins(address: SocketAddr) -> Vec<(&'static str, Variables)> {
    let url = |path: &str| format!("http://{address}{path}");
    let with = |address: (&'static str, String), more: &[(&'static str, &str)]| {
        let more = more.iter().map(|&(name, value)| (name, value.to_owned()));
        std::iter::once(address).chain(more).collect()
    };
    let keystone = |path: &str, more: &[(&'static str, &str)]| {
        let mut variables: Variables = with(("OS_AUTH_URL", url(path)), more);
        variables.push(("OS_REGION_NAME", "here".to_owned()));
        variables
    };
    let user = [("OS_USERNAME", "keystone-user"), ("OS_USER_DOMAIN_NAME", "Default")];
    let password = ("OS_PASSWORD", "keystone-secret");
    let by_id = ("OS_USER_ID", "0123456789abcdef");
    let credential = ("OS_APPLICATION_CREDENTIAL_SECRET", "credential-secret");
    let project = ("OS_PROJECT_NAME", "the-project");
    let domain = ("OS_PROJECT_DOMAIN_NAME", "Default");
    vec![
        ("v1", with(("ST_AUTH", url("/auth/v1.0")), &[("ST_USER", "test:tester"), ("ST_KEY", "testing")])),
        ("v2", keystone("/v2.0", &[user[0], password, ("OS_TENANT_NAME", "the-project")])),
        ("v2, tenant by id", keystone("/v2.0/", &[user[0], password, ("OS_TENANT_ID", "fedcba9876543210")])),
        ("v3", keystone("/v3", &[user[0], user[1], password, project, domain])),
        ("v3, all by id", keystone("/v3/", &[by_id, password, ("OS_TENANT_ID", "fedcba9876543210")])),
        ("v3, trust", keystone("/v3", &[by_id, password, ("OS_TRUST_ID", "8899aabbccdd")])),
        (
            "v3, application credential",
            keystone("/v3", &[("OS_APPLICATION_CREDENTIAL_ID", "00112233445566"), credential]),
        ),
        (
            "v3, application credential by name",
            keystone("/v3", &[("OS_APPLICATION_CREDENTIAL_NAME", "the-credential"), credential, by_id]),
        ),
    ]
}
