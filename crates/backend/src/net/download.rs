//! Reading a file that an answer holds, exactly as much of it as was asked for.

use super::failure::Failure;
use super::http::Answer;
use crate::ByteRange;
use ::http::StatusCode;
use ::http::header::RANGE;
use reqwest::RequestBuilder;

/// The request with this `Range` header, if there is one.
pub(crate) fn ranged(request: RequestBuilder, range: Option<&str>) -> RequestBuilder {
    match range {
        Some(range) => request.header(RANGE, range),
        None => request,
    }
}

/// Loads exactly `range` into `into`, from what `get` is answered when it asks with this `Range` header.
///
/// `length` tells how long the file is, for ranges nobody can ask for.
pub(crate) fn range<'a>(
    range: ByteRange,
    into: &mut Vec<u8>,
    get: impl FnOnce(String) -> Result<Answer<'a>, Failure>,
    length: impl FnOnce() -> Result<u64, Failure>,
) -> Result<(), Failure> {
    let last = range.end().and_then(|end| end.checked_sub(1)).filter(|last| i64::try_from(*last).is_ok());
    let (Some(last), 1..) = (last, range.length) else {
        // Nothing, or more than any file has.
        let whole = range.length == 0 && length()? >= range.offset;
        return if whole { Ok(()) } else { Err(too_short()) };
    };
    let wanted = usize::try_from(range.length).map_err(std::io::Error::other)?;
    let mut answer = get(format!("bytes={}-{last}", range.offset))?;
    let (first, total) = match (answer.range(), answer.status()) {
        (Some(part), _) => part,
        (None, StatusCode::PARTIAL_CONTENT) => return Err(Failure::Answer("does not say which part it is")),
        // Some answer so when the part is the whole file.
        (None, _) if answer.length().is_some_and(|length| length == last + 1) => (0, None),
        (None, _) if answer.length().is_some_and(|length| length <= last) => return Err(too_short()),
        (None, _) => return Err(Failure::Answer("is a whole file where a part was asked for")),
    };
    if total.is_some_and(|total| last >= total) {
        return Err(too_short());
    }
    if first != range.offset {
        return Err(Failure::Answer("is another part than was asked for"));
    }
    answer.read_into(wanted, into)?;
    answer.finish();
    Ok(())
}

/// Loads all that is left of `answer` into `into`, and no more than `at_most` bytes of it.
pub(crate) fn whole(mut answer: Answer<'_>, at_most: u64, into: &mut Vec<u8>) -> Result<(), Failure> {
    if let Some(length) = answer.length() {
        if length > at_most {
            return Err(too_short());
        }
        let length = usize::try_from(length).map_err(std::io::Error::other)?;
        answer.read_into(length, into)?;
        answer.finish();
        return Ok(());
    }
    loop {
        let piece = answer.next_piece()?;
        if piece.is_empty() {
            return Ok(());
        }
        if (into.len() + piece.len()) as u64 > at_most {
            return Err(too_short());
        }
        into.extend_from_slice(&piece);
    }
}

/// A file that is not as long as it has to be.
fn too_short() -> Failure {
    std::io::Error::new(std::io::ErrorKind::UnexpectedEof, "the file is not as long as expected").into()
}
