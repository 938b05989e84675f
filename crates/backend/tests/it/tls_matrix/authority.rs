//! Certificates as the matrix needs them: by rcgen, and by `openssl` where rcgen is too honest.

use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, CertifiedIssuer, DnType,
    GeneralSubtree, IsCa, KeyIdMethod, KeyPair, KeyUsagePurpose, NameConstraints, RevokedCertParams,
    SerialNumber, date_time_ymd,
};
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;
use tresor_backend::net::{Options, Revoked, Roots};

pub(super) type Authority = CertifiedIssuer<'static, KeyPair>;

fn described(name: &str) -> CertificateParams {
    let mut params = CertificateParams::new([]).unwrap();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

pub(super) fn root(name: &str) -> Authority {
    CertifiedIssuer::self_signed(described(name), KeyPair::generate().unwrap()).unwrap()
}

/// An authority below another one, for hosts of `domain` only if there is one.
pub(super) fn below(issuer: &Authority, name: &str, domain: Option<&str>) -> Authority {
    let mut params = described(name);
    params.name_constraints = domain.map(|domain| NameConstraints {
        permitted_subtrees: vec![GeneralSubtree::DnsName(domain.into())],
        excluded_subtrees: vec![],
    });
    CertifiedIssuer::signed_by(params, KeyPair::generate().unwrap(), issuer).unwrap()
}

/// A certificate of number 7 for `host`, with its key and then the chain.
pub(super) fn leaf(
    issuer: &Authority,
    host: &str,
    change: fn(&mut CertificateParams),
    chain: &str,
) -> String {
    let (mut params, key) =
        (CertificateParams::new([host.to_owned()]).unwrap(), KeyPair::generate().unwrap());
    params.serial_number = Some(SerialNumber::from(7));
    change(&mut params);
    let certificate = params.signed_by(&key, issuer).unwrap();
    format!("{}{}{chain}", certificate.pem(), key.serialize_pem())
}

/// A list that takes back the certificate of this number.
pub(super) fn taken_back(issuer: &Authority, number: u64, until: i32) -> Revoked {
    let list = CertificateRevocationListParams {
        this_update: date_time_ymd(2020, 1, 1),
        next_update: date_time_ymd(until, 1, 1),
        crl_number: SerialNumber::from(1),
        issuing_distribution_point: None,
        revoked_certs: vec![RevokedCertParams {
            serial_number: SerialNumber::from(number),
            revocation_time: date_time_ymd(2020, 1, 1),
            reason_code: None,
            invalidity_date: None,
        }],
        key_identifier_method: KeyIdMethod::Sha256,
    };
    let mut revoked = Revoked::default();
    revoked.add(list.signed_by(issuer).unwrap().pem().unwrap().as_bytes()).unwrap();
    revoked
}

/// What believes whom these PEM texts describe.
pub(super) fn trusting(pem: &str) -> Options {
    let mut roots = Roots::default();
    roots.add_pem(pem.as_bytes()).unwrap();
    Options { roots: Some(roots), stuck_after: std::time::Duration::from_secs(3), ..Options::default() }
}

/// An authority in the files of a folder, by the program `openssl`.
pub(super) struct Old(TempDir);

impl Old {
    pub(super) fn new() -> Self {
        let old = Old(TempDir::new().unwrap());
        let made = "req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -subj /CN=old -days 30";
        openssl(old.0.path(), made);
        old
    }

    pub(super) fn pem(&self) -> String {
        std::fs::read_to_string(self.0.path().join("ca.pem")).unwrap()
    }

    /// A certificate for `localhost` in a file, and its key in another; `key` as `rsa:BITS`.
    pub(super) fn certificate(&self, name: &str, key: &str, digest: &str) -> [PathBuf; 2] {
        let folder = self.0.path();
        std::fs::write(folder.join("names"), "subjectAltName=DNS:localhost").unwrap();
        openssl(
            folder,
            &format!("req -newkey {key} -nodes -keyout {name}.key -out {name}.csr -subj /CN=localhost"),
        );
        openssl(
            folder,
            &format!(
                "x509 -req -in {name}.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 30 -{digest} -extfile names \
                 -out {name}.pem"
            ),
        );
        ["pem", "key"].map(|end| folder.join(format!("{name}.{end}")))
    }
}

fn openssl(folder: &Path, words: &str) {
    let mut command = Command::new("openssl");
    let output = command.args(words.split(' ')).current_dir(folder).output();
    let output = output.expect("openssl is missing: install it");
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}
