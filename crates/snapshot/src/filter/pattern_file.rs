//! Reads a file of patterns: one a line, comments, and variables that stand for their values.

/// The patterns in the lines of `text`, in order.
///
/// White space around a pattern, empty lines and lines that begin with `#` do not count. `$NAME`
/// and `${NAME}` are replaced by what `lookup` says, by nothing when that is `None`; `$$` is a
/// dollar. `text` is decoded already (no byte order mark).
pub fn parse_pattern_file(text: &[u8], lookup: impl Fn(&[u8]) -> Option<Vec<u8>>) -> Vec<Vec<u8>> {
    let lines = text.split(|&byte| byte == b'\n').map(trim);
    lines.filter(|line| !line.is_empty() && line[0] != b'#').map(|line| expand(line, &lookup)).collect()
}

/// `line` without the white space of Unicode around it; bytes that are not UTF-8 are none.
fn trim(line: &[u8]) -> &[u8] {
    let start =
        line.utf8_chunks().next().map_or(0, |chunk| chunk.valid().len() - chunk.valid().trim_start().len());
    let line = &line[start..];
    let end = line
        .utf8_chunks()
        .last()
        .filter(|chunk| chunk.invalid().is_empty())
        .map_or(0, |chunk| chunk.valid().len() - chunk.valid().trim_end().len());
    &line[..line.len() - end]
}

/// Replaces variables as Go's `os.Expand` does.
fn expand(line: &[u8], lookup: &impl Fn(&[u8]) -> Option<Vec<u8>>) -> Vec<u8> {
    let mut expanded = Vec::with_capacity(line.len());
    let mut rest = line;
    while let Some(dollar) = rest.iter().position(|&byte| byte == b'$') {
        expanded.extend(&rest[..dollar]);
        let after = &rest[dollar + 1..];
        let (name, length) = variable(after);
        match name {
            b"$" => expanded.push(b'$'),
            b"" if length == 0 => expanded.push(b'$'), // Nothing that could be a name: a mere dollar.
            b"" => {}                                  // `${` without a name vanishes.
            name => expanded.extend(lookup(name).unwrap_or_default()),
        }
        rest = &after[length..];
    }
    expanded.extend(rest);
    expanded
}

/// The name that `text`, which follows a dollar, begins with, and the length of all that is used up.
///
/// The special parameters of a shell are names of one character.
fn variable(text: &[u8]) -> (&[u8], usize) {
    let special = |byte: u8| byte.is_ascii_digit() || b"*#$@!?-".contains(&byte);
    match text {
        [b'{', byte, b'}', ..] if special(*byte) => (&text[1..2], 3),
        [b'{', braced @ ..] => match braced.iter().position(|&byte| byte == b'}') {
            Some(end) => (&braced[..end], end + 2),
            None => (b"", 1),
        },
        [byte, ..] if special(*byte) => (&text[..1], 1),
        _ => {
            let end = text.iter().position(|&byte| byte != b'_' && !byte.is_ascii_alphanumeric());
            let end = end.unwrap_or(text.len());
            (&text[..end], end)
        }
    }
}
