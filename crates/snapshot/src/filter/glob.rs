//! One component of a pattern, ready to match one component of a path (Go's `filepath.Match`).

/// What one component of a path must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Part {
    /// `**`: any number of components. Only a whole pattern can match it.
    AnyRun,
    /// `*`: any component.
    Any,
    /// No wildcard: these bytes.
    Literal(Box<[u8]>),
    /// A `*` and no other wildcard behind it: anything that ends so.
    Suffix(Box<[u8]>),
    /// Everything else.
    Glob(Box<[Chunk]>),
}

/// The pieces between two stars.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Chunk {
    /// Whether any bytes may come before; always so except in the first chunk.
    star: bool,
    /// What must follow.
    tokens: Vec<Token>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    Byte(u8),
    /// `?`
    Character,
    /// `[…]`, `[^…]`: ranges with both ends.
    Class {
        negated: bool,
        ranges: Vec<(char, char)>,
    },
}

/// The component breaks off inside of `[…]` or after `\`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Malformed;

impl Part {
    /// Reads one component of a pattern.
    pub(super) fn parse(text: &[u8]) -> Result<Self, Malformed> {
        if text == b"**" {
            return Ok(Self::AnyRun);
        }
        if !text.iter().any(|byte| b"\\[]*?".contains(byte)) {
            return Ok(Self::Literal(text.into()));
        }
        let chunks = parse_chunks(text)?;
        let part = match &chunks[..] {
            [Chunk { star: false, tokens }] => literal(tokens).map(Self::Literal),
            [Chunk { star: true, tokens }] if tokens.is_empty() => Some(Self::Any),
            [Chunk { star: true, tokens }] => literal(tokens).map(Self::Suffix),
            _ => None,
        };
        Ok(part.unwrap_or_else(|| Self::Glob(chunks.into())))
    }

    /// Whether `component` is what this part describes; it holds no `/`.
    #[inline]
    pub(super) fn matches(&self, component: &[u8]) -> bool {
        match self {
            Self::AnyRun | Self::Any => true,
            Self::Literal(bytes) => **bytes == *component,
            Self::Suffix(bytes) => component.ends_with(bytes),
            Self::Glob(chunks) => glob(chunks, component),
        }
    }
}

/// The bytes that `tokens` stand for if each of them stands for one.
fn literal(tokens: &[Token]) -> Option<Box<[u8]>> {
    tokens.iter().map(|token| if let Token::Byte(byte) = token { Some(*byte) } else { None }).collect()
}

/// Gives each chunk the first place where it fits, and never reconsiders; the last one ends the name.
fn glob(chunks: &[Chunk], mut name: &[u8]) -> bool {
    for (index, Chunk { star, tokens }) in chunks.iter().enumerate() {
        let last = index + 1 == chunks.len();
        if last && tokens.is_empty() {
            return true; // A star at the end takes the rest.
        }
        // A star skips bytes, not characters, and so may leave one that is cut in two.
        let skips = if *star { name.len() } else { 0 };
        let fits = |skip| rest_after(tokens, &name[skip..]).filter(|rest| !last || rest.is_empty());
        match (0..=skips).find_map(fits) {
            Some(rest) => name = rest,
            None => return false,
        }
    }
    true
}

/// What remains of `name` when all tokens have taken their part of its beginning.
fn rest_after<'a>(tokens: &[Token], mut name: &'a [u8]) -> Option<&'a [u8]> {
    for token in tokens {
        let (&first, _) = name.split_first()?;
        let width = match token {
            Token::Byte(byte) => (*byte == first).then_some(1)?,
            Token::Character => first_character(name).1,
            Token::Class { negated, ranges } => {
                let (character, width) = first_character(name);
                let inside = ranges.iter().any(|&(low, high)| low <= character && character <= high);
                (inside != *negated).then_some(width)?
            }
        };
        name = &name[width..];
    }
    Some(name)
}

/// The first character of `text` and its length; a byte that begins none counts as U+FFFD.
fn first_character(text: &[u8]) -> (char, usize) {
    let longest = &text[..text.len().min(4)];
    let first = longest.utf8_chunks().next().and_then(|chunk| chunk.valid().chars().next());
    first.map_or((char::REPLACEMENT_CHARACTER, 1), |character| (character, character.len_utf8()))
}

fn parse_chunks(mut text: &[u8]) -> Result<Vec<Chunk>, Malformed> {
    let mut chunks = Vec::new();
    let mut chunk = Chunk { star: false, tokens: Vec::new() };
    while let Some((&first, rest)) = text.split_first() {
        let token;
        (token, text) = match first {
            b'*' => {
                // Several stars in a row are one, and nothing comes before one at the beginning.
                if !chunk.tokens.is_empty() {
                    chunks.push(chunk);
                }
                chunk = Chunk { star: true, tokens: Vec::new() };
                text = rest;
                continue;
            }
            b'?' => (Token::Character, rest),
            b'[' => parse_class(rest)?,
            b'\\' => rest.split_first().map(|(&byte, rest)| (Token::Byte(byte), rest)).ok_or(Malformed)?,
            byte => (Token::Byte(byte), rest),
        };
        chunk.tokens.push(token);
    }
    chunks.push(chunk);
    Ok(chunks)
}

/// Reads what follows `[`; returns what follows the `]` that ends it.
fn parse_class(text: &[u8]) -> Result<(Token, &[u8]), Malformed> {
    let (negated, mut text) = text.strip_prefix(b"^").map_or((false, text), |rest| (true, rest));
    let mut ranges = Vec::new();
    loop {
        match text.strip_prefix(b"]") {
            Some(rest) if !ranges.is_empty() => return Ok((Token::Class { negated, ranges }, rest)),
            _ => {}
        }
        let (low, rest) = parse_class_character(text)?;
        let (high, rest) = match rest.strip_prefix(b"-") {
            Some(rest) => parse_class_character(rest)?,
            None => (low, rest),
        };
        ranges.push((low, high));
        text = rest;
    }
}

/// Reads a character or an escaped one in `[…]`; something must follow it.
fn parse_class_character(text: &[u8]) -> Result<(char, &[u8]), Malformed> {
    let text = match text.first() {
        None | Some(b'-' | b']') => return Err(Malformed),
        Some(b'\\') => &text[1..],
        Some(_) => text,
    };
    if text.is_empty() {
        return Err(Malformed);
    }
    let (character, width) = first_character(text);
    let rest = &text[width..];
    let invalid = character == char::REPLACEMENT_CHARACTER && width == 1;
    if invalid || rest.is_empty() { Err(Malformed) } else { Ok((character, rest)) }
}
