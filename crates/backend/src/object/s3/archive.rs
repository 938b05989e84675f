//! Objects in an archive: which are, how far they are on their way back, and how that is ordered.

use super::BringBack;
use crate::net::failure::Failure;
use crate::served::Outcome;
use crate::{Availability, ErrorKind};
use ::http::header::HeaderMap;

/// The header that says how far an object is; without it, nobody ordered it.
const PROGRESS: &str = "x-amz-restore";
const STORAGE_CLASS: &str = "x-amz-storage-class";
/// Where an object of Intelligent-Tiering lies, if that is an archive.
const ARCHIVE_STATUS: &str = "x-amz-archive-status";

/// Storage classes from which nothing can be read at once.
pub(super) fn is_archive(class: &str) -> bool {
    matches!(class, "GLACIER" | "DEEP_ARCHIVE")
}

/// Whether an object can be read, by the answer to `HEAD`; nothing if it has to be ordered first.
pub(super) fn availability(headers: &HeaderMap) -> Outcome<Option<Availability>> {
    let header = |name| headers.get(name).map(|value| value.to_str().unwrap_or_default());
    let lies_in_archive = header(STORAGE_CLASS).is_some_and(is_archive) || header(ARCHIVE_STATUS).is_some();
    let Some(progress) = header(PROGRESS).filter(|_| lies_in_archive) else {
        return Ok((!lies_in_archive).then_some(Availability::Now));
    };
    // ongoing-request="false", expiry-date="Fri, 21 Dec 2012 00:00:00 GMT"
    let ongoing = progress.split(',').find_map(|field| field.trim().strip_prefix("ongoing-request="));
    match ongoing.map(|value| value.trim_matches('"')) {
        Some("true") => Ok(Some(Availability::Later)),
        Some("false") => Ok(Some(Availability::Now)),
        _ => Err(Failure::Answer("does not say whether the object is on its way back from the archive")),
    }
}

/// What is sent to have an object brought back.
pub(super) fn order(how: &BringBack) -> Vec<u8> {
    let days = how.days.map(|days| format!("<Days>{days}</Days>")).unwrap_or_default();
    let tier = match &*how.tier {
        "" => String::new(),
        tier => {
            let tier = quick_xml::escape::escape(tier);
            format!("<GlacierJobParameters><Tier>{tier}</Tier></GlacierJobParameters>")
        }
    };
    format!("<RestoreRequest xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">{days}{tier}</RestoreRequest>")
        .into_bytes()
}

/// What it means that an object lies in an archive.
pub(super) fn cannot_be_read(message: &str) -> Failure {
    Failure::refused(
        ErrorKind::Unusable,
        &format!(
            "{message} (InvalidObjectState): if it lies in an archive, -o s3.enable-restore=true has it brought \
             back where that is possible"
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::num::NonZeroU32;
    use std::time::Duration;

    fn head(headers: &[(&'static str, &'static str)]) -> Result<Option<Availability>, String> {
        let headers = headers.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()));
        availability(&headers.collect()).map_err(|failure| failure.to_string())
    }

    #[test]
    fn an_object_is_there_or_on_its_way_or_not_ordered() {
        use Availability::{Later, Now};
        let glacier = (STORAGE_CLASS, "GLACIER");
        let progress = |text| (PROGRESS, text);
        assert_eq!(head(&[]), Ok(Some(Now)));
        assert_eq!(head(&[(STORAGE_CLASS, "STANDARD_IA")]), Ok(Some(Now)));
        assert_eq!(head(&[(STORAGE_CLASS, "GLACIER_IR")]), Ok(Some(Now)), "that one can be read at once");
        assert_eq!(head(&[glacier]), Ok(None));
        assert_eq!(
            head(&[(STORAGE_CLASS, "INTELLIGENT_TIERING"), (ARCHIVE_STATUS, "ARCHIVE_ACCESS")]),
            Ok(None)
        );
        assert_eq!(head(&[glacier, progress("ongoing-request=\"true\"")]), Ok(Some(Later)));
        let back = "ongoing-request=\"false\", expiry-date=\"Fri, 21 Dec 2012 00:00:00 GMT\"";
        assert_eq!(head(&[glacier, progress(back)]), Ok(Some(Now)));
        for garbage in ["", "ongoing-request", "ongoing-request=\"maybe\"", "expiry-date=\"x\"", "\"true\""] {
            assert!(head(&[glacier, progress(garbage)]).is_err(), "{garbage}");
        }
    }

    #[test]
    fn an_order_says_how_long_and_how_fast() {
        let how = |days, tier: &str| {
            let how = BringBack { days: NonZeroU32::new(days), tier: tier.into(), patience: Duration::ZERO };
            String::from_utf8(order(&how)).unwrap()
        };
        assert!(how(7, "Bulk").ends_with(
            "><Days>7</Days><GlacierJobParameters><Tier>Bulk</Tier></GlacierJobParameters></RestoreRequest>"
        ));
        assert!(how(0, "").ends_with("\"></RestoreRequest>"));
        assert!(how(1, "<&").contains("<Tier>&lt;&amp;</Tier>"));
    }
}
