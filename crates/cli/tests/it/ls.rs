//! `ls`: forms, orders, folders.

use crate::pair::Pair;

#[test]
fn every_form_and_order_is_that_of_restic() {
    let pair = Pair::on("v2-multi");
    for form in ["-l", "-l --human-readable", "--ncdu", "-q -l", "--reverse --json"] {
        pair.same(&format!("ls --no-lock 16d46e99 {form}"));
    }
    for order in ["size", "time", "mtime", "atime", "ctime", "extension"] {
        pair.same(&format!("ls --no-lock 16d46e99 -s {order} --reverse"));
    }
}

#[test]
fn folders_are_chosen_as_restic_chooses_them() {
    let pair = Pair::on("v2-multi");
    for folders in ["/", "/m", "/m/sub", "--recursive /", "/m/two", "/none", "/m/sub/ /m"] {
        for form in ["", "--ncdu"] {
            pair.same(&format!("ls --no-lock 16d46e99 {form} {folders}"));
        }
    }
}

#[test]
fn every_kind_of_node_and_odd_name_is_listed() {
    let pair = Pair::on("v2-special").variable("TZ", "Europe/Berlin");
    for form in ["", "-l", "--json", "--ncdu", "-s extension"] {
        pair.same(&format!("ls --no-lock latest {form}"));
    }
    Pair::on("v2-odd").same("ls latest --json");
    Pair::on("v1-basic").same("ls latest -l");
}

#[test]
fn a_subfolder_is_a_root_of_its_own() {
    let pair = Pair::on("v2-multi");
    for line in ["16d46e99:m", "16d46e99:/m/./sub/", "16d46e99:m/two", "latest:nope", "16d46e99:m/../m /sub"]
    {
        pair.same(&format!("ls --no-lock {line}"));
    }
}

#[test]
fn wrong_words_are_refused() {
    let pair = Pair::on("v2-multi");
    for line in [
        "ls",
        "ls zzz",
        "ls latest --host x",
        "ls latest foo",
        "ls --ncdu --json latest",
        "ls --ncdu --reverse latest",
        "ls --ncdu -s size latest",
        "ls -s foo latest",
    ] {
        pair.same(line).exits(1);
    }
    pair.same_words(&["ls", ""]).exits(1);
    pair.same_words(&["ls", "latest", ""]).exits(1);
}
