//! Where the bucket is: in the path, or before the host.

use super::{DEFAULT_REGION, Lookup};
use crate::location;
use crate::object::encode;

/// An endpoint with its bucket.
pub(super) struct Endpoint {
    scheme: &'static str,
    host: String,
    bucket: String,
    before_host: bool,
}

impl Endpoint {
    pub(super) fn new(place: &location::S3, lookup: Lookup) -> Self {
        let host = place.endpoint.clone();
        let before_host = match lookup {
            Lookup::Dns => true,
            Lookup::Path => false,
            Lookup::Auto => {
                // A certificate for *.host does not hold for names with more dots.
                let dotted = place.bucket.contains('.') && !place.plain_http;
                let wants = is_amazon(&host)
                    || host == "storage.googleapis.com"
                    || (host.starts_with("oss-") && host.ends_with(".aliyuncs.com"));
                wants && !dotted
            }
        };
        let scheme = if place.plain_http { "http" } else { "https" };
        Endpoint { scheme, host, bucket: place.bucket.clone(), before_host }
    }

    /// The region its name tells.
    pub(super) fn region(&self) -> Option<String> {
        let name = self.host.split(':').next()?;
        let name = name.strip_suffix(".cn").unwrap_or(name).strip_suffix(".amazonaws.com")?;
        let rest = name.strip_prefix("s3")?.strip_prefix(['.', '-'])?;
        let region = rest.strip_prefix("dualstack.").unwrap_or(rest);
        let region = region.strip_prefix("fips.").unwrap_or(region).trim_start_matches("fips-");
        (region.matches('-').count() >= 2 && !region.contains('.') && region != "external-1")
            .then(|| region.to_owned())
    }

    /// The URL of an object, or of the bucket itself.
    pub(super) fn url(&self, region: &str, key: Option<&str>) -> String {
        let host = match &*self.host {
            "s3.amazonaws.com" if region != DEFAULT_REGION => {
                let china = if region.starts_with("cn-") { ".cn" } else { "" };
                format!("s3.{region}.amazonaws.com{china}")
            }
            host => host.to_owned(),
        };
        let key = key.map(encode::path).unwrap_or_default();
        match self.before_host {
            true => format!("{}://{}.{host}/{key}", self.scheme, self.bucket),
            false => format!("{}://{host}/{}/{key}", self.scheme, encode::path(&self.bucket)),
        }
    }
}

fn is_amazon(host: &str) -> bool {
    let name = host.split(':').next().unwrap_or_default();
    name.starts_with("s3") && (name.ends_with(".amazonaws.com") || name.ends_with(".amazonaws.com.cn"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint(host: &str, bucket: &str, lookup: Lookup) -> Endpoint {
        let place = location::S3 {
            endpoint: host.into(),
            plain_http: host.contains(':'),
            bucket: bucket.into(),
            prefix: String::new(),
        };
        Endpoint::new(&place, lookup)
    }

    #[test]
    fn the_bucket_goes_where_the_service_wants_it() {
        let url = |host, bucket, lookup, region| endpoint(host, bucket, lookup).url(region, Some("a b/c"));
        assert_eq!(
            url("s3.amazonaws.com", "buck", Lookup::Auto, "us-east-1"),
            "https://buck.s3.amazonaws.com/a%20b/c"
        );
        assert_eq!(
            url("s3.amazonaws.com", "buck", Lookup::Path, "eu-west-1"),
            "https://s3.eu-west-1.amazonaws.com/buck/a%20b/c"
        );
        assert_eq!(
            url("s3.amazonaws.com", "b.x", Lookup::Auto, "us-east-1"),
            "https://s3.amazonaws.com/b.x/a%20b/c"
        );
        assert_eq!(url("host:9000", "buck", Lookup::Auto, "us-east-1"), "http://host:9000/buck/a%20b/c");
        assert_eq!(url("host:9000", "buck", Lookup::Dns, "us-east-1"), "http://buck.host:9000/a%20b/c");
        assert_eq!(endpoint("host:1", "buck", Lookup::Auto).url("x", None), "http://host:1/buck/");
    }

    #[test]
    fn a_region_is_read_from_the_name() {
        let region = |host| endpoint(host, "b", Lookup::Auto).region();
        for host in [
            "s3.eu-central-1.amazonaws.com",
            "s3-eu-central-1.amazonaws.com",
            "s3.dualstack.eu-central-1.amazonaws.com",
        ] {
            assert_eq!(region(host).as_deref(), Some("eu-central-1"), "{host}");
        }
        assert_eq!(region("s3.cn-north-1.amazonaws.com.cn").as_deref(), Some("cn-north-1"));
        for host in ["s3.amazonaws.com", "s3-external-1.amazonaws.com", "minio.example", "localhost:9000"] {
            assert_eq!(region(host), None, "{host}");
        }
    }
}
