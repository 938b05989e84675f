//! What pages and refusals mean.

use super::*;

fn listing(inner: &str) -> String {
    format!("<ListBucketResult xmlns='x'>{inner}</ListBucketResult>")
}

fn next(inner: &str, v1: bool) -> std::result::Result<Option<String>, String> {
    page(listing(inner).as_bytes(), v1).map(|page| page.next).map_err(|failure| failure.to_string())
}

#[test]
fn a_page_says_how_to_go_on_or_is_the_last() {
    let file = "<Contents><Key>a/b</Key><Size>3</Size></Contents>";
    assert_eq!(page(listing(file).as_bytes(), false).unwrap().objects, [("a/b".to_owned(), 3)]);
    assert_eq!(next(&format!("<IsTruncated>false</IsTruncated>{file}"), false), Ok(None));
    let token = "<IsTruncated>true</IsTruncated><NextContinuationToken>t&amp;</NextContinuationToken>";
    assert_eq!(next(token, false), Ok(Some("t&".into())));
    assert_eq!(next(&format!("<IsTruncated>true</IsTruncated>{file}"), true), Ok(Some("a/b".into())));
    assert_eq!(next("<IsTruncated>true</IsTruncated><NextMarker>m</NextMarker>", true), Ok(Some("m".into())));
    for short in [
        "<IsTruncated>true</IsTruncated>",
        "<IsTruncated>true</IsTruncated><NextContinuationToken/>",
        "<Contents><Key>a</Key></Contents>",
        "<Contents><Size>1</Size></Contents>",
        "<Contents><Key>a</Key><Size>-1</Size></Contents>",
    ] {
        assert!(next(short, false).is_err(), "{short}");
    }
    assert!(next("<IsTruncated>true</IsTruncated>", true).is_err());
    for other in ["<Error><Code>InternalError</Code></Error>", "<html></html>", ""] {
        assert!(page(other.as_bytes(), false).is_err(), "{other}");
    }
}

#[test]
fn keys_are_decoded_only_if_they_are_encoded() {
    let file = "<Contents><Key>a+b%2F</Key><Size>3</Size></Contents>";
    let key = |inner: &str| page(listing(inner).as_bytes(), false).unwrap().objects[0].0.clone();
    assert_eq!(key(file), "a+b%2F");
    assert_eq!(key(&format!("<EncodingType>url</EncodingType>{file}")), "a b/");
}

#[test]
fn codes_say_more_than_the_status() {
    let bad = StatusCode::BAD_REQUEST;
    assert_eq!(kind("NoSuchBucket", StatusCode::NOT_FOUND), ErrorKind::Unusable);
    assert_eq!(kind("NoSuchKey", StatusCode::NOT_FOUND), ErrorKind::NotFound);
    assert_eq!(kind("SignatureDoesNotMatch", StatusCode::FORBIDDEN), ErrorKind::Denied);
    assert_eq!(kind("ExpiredToken", bad), ErrorKind::Denied);
    assert_eq!(kind("InvalidObjectState", StatusCode::FORBIDDEN), ErrorKind::Unusable);
    for (code, status) in
        [("RequestTimeout", bad), ("SlowDown", StatusCode::SERVICE_UNAVAILABLE), ("New", bad)]
    {
        assert!(kind(code, status).is_temporary(), "{code}");
    }
}
