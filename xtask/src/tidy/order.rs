//! A module imports only from modules that stand above it in its crate's list.

use super::{Complaints, House, TextFile};
use crate::Result;
use std::collections::HashMap;

pub(super) fn check(house: &House) -> Result<Complaints> {
    let roots =
        house.rust().filter(|file| file.path.ends_with("src/lib.rs") || file.path.ends_with("src/main.rs"));
    Ok(roots.flat_map(|root| check_crate(house, root)).collect())
}

fn check_crate(house: &House, root: &TextFile) -> Complaints {
    let list = List::of(&root.text);
    let mut complaints = Vec::new();
    let folder = root.path.parent().unwrap_or(&root.path);
    for file in house.rust().filter(|file| file.path.starts_with(folder) && !file.is_test()) {
        let Some(module) = file.path.strip_prefix(folder).ok().and_then(|path| path.iter().next()) else {
            continue;
        };
        let module = module.to_string_lossy();
        let Some(own) = list.place(module.trim_end_matches(".rs")) else { continue };
        for name in imports(file.without_tests()) {
            if let Some((place, other)) = list.home(&name).filter(|(place, _)| *place > own) {
                let below = place - own;
                complaints.push(format!("{}: uses {name} of {other}, {below} below it", file.path.display()));
            }
        }
    }
    complaints
}

/// The modules of a crate in reading order, and the names its root gives out again.
struct List<'a> {
    modules: Vec<&'a str>,
    exported: HashMap<String, &'a str>,
}

impl<'a> List<'a> {
    fn of(root: &'a str) -> Self {
        let mut list = List { modules: Vec::new(), exported: HashMap::new() };
        for statement in root.split_inclusive([';', '\n']).map(str::trim) {
            let declared = statement
                .split_once("mod ")
                .filter(|(before, _)| before.is_empty() || before.starts_with("pub"));
            if let Some(name) = declared.and_then(|(_, name)| name.strip_suffix(';')) {
                list.modules.push(name);
            }
        }
        for (_, rest) in root.match_indices("pub use ").map(|(at, found)| root.split_at(at + found.len())) {
            let Some((path, _)) = rest.split_once(';') else { continue };
            let Some((module, names)) = path.trim_start_matches("crate::").split_once("::") else { continue };
            let words =
                names.split(|c: char| !(c.is_alphanumeric() || c == '_')).filter(|word| !word.is_empty());
            list.exported.extend(words.map(|word| (word.to_owned(), module)));
        }
        list
    }

    fn place(&self, module: &str) -> Option<usize> {
        self.modules.iter().position(|other| *other == module)
    }

    /// Where a name lives that was imported from the crate's root, and in which module.
    fn home(&self, name: &str) -> Option<(usize, &str)> {
        let module =
            self.modules.iter().find(|module| **module == name).or_else(|| self.exported.get(name))?;
        self.place(module).map(|place| (place, *module))
    }
}

/// The names that stand right after `crate::` in code, groups in braces included.
fn imports(code: &str) -> Vec<String> {
    let lines = code.lines().filter(|line| !line.trim_start().starts_with("//"));
    let code: String = lines.flat_map(|line| [line, "\n"]).collect();
    let mut names = Vec::new();
    for (at, found) in code.match_indices("crate::") {
        let own = code[..at]
            .chars()
            .next_back()
            .is_none_or(|before| !(before.is_alphanumeric() || "_$:".contains(before)));
        match &code[at + found.len()..] {
            _ if !own => {}
            rest if rest.starts_with('{') => names.extend(group(&rest[1..])),
            rest => names.push(word(rest)),
        }
    }
    names
}

/// The first words of the members of a group in braces, whose opening brace is gone.
fn group(text: &str) -> Vec<String> {
    let mut names = Vec::new();
    let (mut depth, mut start) = (0, 0);
    for (at, sign) in text.char_indices() {
        match sign {
            '{' => depth += 1,
            '}' if depth > 0 => depth -= 1,
            ',' | '}' if depth == 0 => {
                names.push(word(text[start..at].trim_start()));
                start = at + 1;
            }
            _ => {}
        }
        if sign == '}' && start > at {
            break;
        }
    }
    names.retain(|name| !name.is_empty() && name != "self");
    names
}

fn word(text: &str) -> String {
    text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn imports_are_found_in_every_form() {
        let code = "use crate::{a::{B, C}, d, E};\nuse crate::f::G;\n// crate::no\nlet x = crate::h::i();\n$crate::j;";
        assert_eq!(imports(code), ["a", "d", "E", "f", "h"]);
    }

    #[test]
    fn names_given_out_again_live_in_their_module() {
        let list = List::of(
            "//! x\nmod one;\npub mod two;\n#[cfg(test)]\nmod tests;\npub use two::{Error, deep::Inner};\n",
        );
        assert_eq!(list.modules, ["one", "two", "tests"]);
        assert_eq!(list.home("Inner"), Some((1, "two")));
        assert_eq!(list.home("one"), Some((0, "one")));
        assert_eq!(list.home("Unknown"), None);
    }
}
