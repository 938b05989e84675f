//! In the containers of OpenStack Swift.

use crate::exchange::Pair;
use tempfile::TempDir;
use tresor_testkit::Client;
use tresor_testkit::servers::{swift, swift_logins};

#[test]
fn programs_take_turns_in_a_container_however_they_log_in() {
    let folder = TempDir::new().unwrap();
    let server = swift(&folder.path().join("node"), 0);
    for (number, (name, variables)) in swift_logins(server.address).into_iter().enumerate() {
        if !["v1", "v3"].contains(&name) {
            continue;
        }
        let variables: Vec<(&str, &str)> = variables.iter().map(|(name, value)| (*name, &**value)).collect();
        let location = format!("swift:container{number}:/some/prefix");
        Pair::new(&location, &["swift.connections=4"], &variables).exchanges();
    }
}

#[test]
fn programs_take_turns_where_tokens_soon_grow_old() {
    let folder = TempDir::new().unwrap();
    let server = swift(&folder.path().join("node"), 20);
    let (_, variables) = swift_logins(server.address).remove(1);
    let variables: Vec<(&str, &str)> = variables.iter().map(|(name, value)| (*name, &**value)).collect();
    Pair::new("swift:container:/", &[], &variables).exchanges();
}

#[test]
fn a_swift_killed_in_the_middle_of_a_backup_loses_nothing_though_it_has_forgotten_all_tokens() {
    let folder = TempDir::new().unwrap();
    let mut server = swift(&folder.path().join("node"), 0);
    let (_, variables) = swift_logins(server.address).remove(1);
    let variables: Vec<(&str, &str)> = variables.iter().map(|(name, value)| (*name, &**value)).collect();
    Pair::new("swift:container:/", &[], &variables).outlive(&mut server, folder.path());
}

#[test]
fn every_way_to_log_in_and_a_token_lead_to_the_same_repository() {
    let folder = TempDir::new().unwrap();
    let server = swift(&folder.path().join("node"), 0);
    let client = |variables: &[(&str, String)]| {
        let client = Client::tresor(env!("CARGO_BIN_EXE_tresor"), "swift:container:/repo");
        variables.iter().fold(client, |client, (name, value)| client.variable(name, value))
    };
    let logins = swift_logins(server.address);
    client(&logins[0].1).run(["snapshots"]).exits(10);
    client(&logins[0].1).ok(["init"]);
    for (_, variables) in &logins {
        client(variables).ok(["snapshots"]);
    }
    let nobody = client(&[]).run(["snapshots"]).exits(1).errors();
    assert!(nobody.contains("OS_AUTH_URL"), "{nobody}");
    let stranger = [("OS_STORAGE_URL", format!("http://{}/v1/AUTH_test", server.address))];
    let token = ("OS_AUTH_TOKEN", "made-up".to_owned());
    let refused = client(&[stranger[0].clone(), token]).run(["snapshots"]).exits(1).errors();
    assert!(refused.contains("401") && !refused.contains("made-up"), "{refused}");
}
