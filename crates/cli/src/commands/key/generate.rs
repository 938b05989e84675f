//! `key generate`: a passphrase of random words, as strong as was asked for.

use diceware_wordlists::Wordlist;
use schemars::JsonSchema;
use serde::Serialize;
use tresor_repo::random;
use zeroize::Zeroizing;

use crate::exit::{Failure, Result};
use crate::session::Session;

/// Fewer words can be found by those who pay for it.
const FEWEST: usize = 5;
/// More words add nothing: the keys of a repository have 256 bits.
const MOST: usize = 20;

/// How long it is to be.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Number of words, 5 to 20; each adds 12.9 bits
    #[arg(long, value_name = "NUMBER", default_value_t = 7)]
    words: usize,
    #[arg(hide = true)]
    surplus: Vec<String>,
}

/// A passphrase as `--json` tells of it.
#[derive(JsonSchema, Serialize)]
pub(crate) struct Message<'a> {
    message_type: &'static str,
    passphrase: &'a str,
    words: usize,
    /// The logarithm of how many there are, each as likely as this one.
    bits: u32,
}

/// Prints a passphrase.
pub(crate) fn run(args: &Args, session: &Session) -> Result<()> {
    super::super::refuse_arguments(session, "key generate", &args.surplus)?;
    if !(FEWEST..=MOST).contains(&args.words) {
        return Err(Failure::fatal(format!("a passphrase has {FEWEST} to {MOST} words")));
    }
    let list = list();
    let passphrase = passphrase(&list, args.words)?;
    if session.ui.is_json() {
        let bits = (args.words as f64 * (list.len() as f64).log2()) as u32;
        let (message_type, words) = ("passphrase", args.words);
        session.ui.json(&Message { message_type, passphrase: &passphrase, words, bits });
    } else {
        session.ui.important(&passphrase);
    }
    Ok(())
}

/// The long word list of the Electronic Frontier Foundation (CC BY 3.0 US), without four words that have a hyphen: it
/// stands between words.
fn list() -> Vec<&'static str> {
    let words = Wordlist::EffLong.get_list().iter().copied();
    words.filter(|word| word.bytes().all(|byte| byte.is_ascii_lowercase())).collect()
}

/// So many words, each drawn from all.
fn passphrase(list: &[&str], words: usize) -> Result<Zeroizing<String>> {
    // Room for all of it at once: what is copied to grow would stay behind in memory.
    let mut phrase = Zeroizing::new(String::with_capacity(words * 16));
    for _ in 0..words {
        if !phrase.is_empty() {
            phrase.push('-');
        }
        phrase.push_str(list[below(list.len())?]);
    }
    Ok(phrase)
}

/// A number below `end`, all as likely: what would make the first ones likelier is drawn again.
fn below(end: usize) -> Result<usize> {
    let whole = (1 << 16) / end * end;
    loop {
        let drawn = usize::from(u16::from_le_bytes(random::bytes()?));
        if drawn < whole {
            return Ok(drawn % end);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::strength::{Strength, judge};

    #[test]
    fn the_list_is_the_whole_one() {
        let list = list();
        let different: std::collections::HashSet<_> = list.iter().collect();
        assert_eq!((list.len(), different.len()), (7772, 7772));
        assert!(list.iter().all(|word| (3..=9).contains(&word.len())));
        assert!(7.0 * (list.len() as f64).log2() > 90.0);
    }

    #[test]
    fn every_word_is_drawn_and_no_phrase_twice() {
        let list = list();
        let mut drawn = std::collections::HashSet::new();
        for _ in 0..60_000 {
            drawn.insert(below(list.len()).unwrap());
        }
        // Each is left out with a probability of 1 in 2251: three or four are.
        assert!(drawn.len() > list.len() - 40, "{}", drawn.len());
        let first = passphrase(&list, 7).unwrap();
        assert_eq!(first.split('-').filter(|word| list.contains(word)).count(), 7);
        assert_ne!(first, passphrase(&list, 7).unwrap());
    }

    #[test]
    fn what_is_generated_is_strong() {
        let list = list();
        for words in [FEWEST, 7, MOST] {
            for _ in 0..30 {
                let phrase = passphrase(&list, words).unwrap();
                assert_eq!(judge(phrase.as_bytes(), &[]), Strength::Good, "{words} words");
            }
        }
    }
}
