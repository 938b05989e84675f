//! A double of Backblaze B2, written from the public description of its protocol.
//!
//! The newest version of each file is a file below a folder named like the bucket, so that others can read and
//! write there, too; older versions and what hides them lie in a folder of their own.

use super::Mortal;
use super::double::{Answer, Double, Request};
use crate::certificates;
use rustls::ServerConfig;
use serde_json::{Value, json};
use sha1::{Digest, Sha1};
use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The id of the application key, and the key.
pub const B2_KEY: [&str; 2] = ["0012345", "the-application-key"];

/// The host that everybody logs in at.
const BACKBLAZE: &str = "api.backblazeb2.com";
/// Where versions lie that are not the newest.
const OLD: &str = ".old-versions";

/// A double of B2; it ends when dropped.
pub struct B2 {
    double: Double,
    state: Arc<Mutex<State>>,
}

struct State {
    folder: PathBuf,
    page: usize,
    trouble: u64,
    calls: u64,
    busy: u32,
    full: bool,
    forbidden: Vec<String>,
    /// Counts up when all tokens are forgotten.
    era: u32,
    url: String,
    /// The number of the next version that is not the newest any more.
    next: u32,
}

impl B2 {
    /// Starts it with buckets in `folder`.
    pub fn start(folder: &Path) -> Self {
        B2::at(folder, None)
    }

    /// Starts it as a proxy (its URL) behind which it is Backblaze itself, with a certificate by this authority (PEM).
    pub fn start_as_backblaze(folder: &Path) -> (Self, String) {
        let authority = certificates::authority();
        let pem = certificates::certificate(&authority, BACKBLAZE, |_| {});
        (B2::at(folder, Some(certificates::server(&pem, None))), authority.pem())
    }

    fn at(folder: &Path, tls: Option<Arc<ServerConfig>>) -> Self {
        let is_backblaze = tls.is_some();
        let state = Arc::new(Mutex::new(State {
            folder: folder.to_owned(),
            page: 1000,
            trouble: 0,
            calls: 0,
            busy: 0,
            full: false,
            forbidden: Vec::new(),
            era: 0,
            url: String::new(),
            next: 0,
        }));
        let shared = Arc::clone(&state);
        let double = Double::start(tls, move |request| locked(&shared).answer(request));
        locked(&state).url = match is_backblaze {
            true => format!("https://{BACKBLAZE}"),
            false => format!("http://{}", double.address),
        };
        B2 { double, state }
    }

    /// Its address as a URL.
    pub fn url(&self) -> String {
        format!("http://{}", self.double.address)
    }

    /// Makes a bucket.
    pub fn bucket(&self, name: &str) {
        fs::create_dir_all(locked(&self.state).folder.join(name)).expect("the folder can be made");
    }

    /// No page of a listing is longer than that.
    pub fn pages_of(&self, files: usize) {
        locked(&self.state).page = files;
    }

    /// At every n-th call all tokens become too old; 0 for never.
    pub fn trouble(&self, every: u64) {
        let mut state = locked(&self.state);
        (state.trouble, state.calls) = (every, 0);
    }

    /// The next uploads find their addresses busy.
    pub fn busy_uploads(&self, count: u32) {
        locked(&self.state).busy = count;
    }

    /// Whether there is room for no more.
    pub fn is_full(&self, full: bool) {
        locked(&self.state).full = full;
    }

    /// How many requests came so far.
    pub fn requests(&self) -> u64 {
        locked(&self.state).calls
    }

    /// The key may not do this any more.
    pub fn forbid(&self, capability: &str) {
        locked(&self.state).forbidden.push(capability.to_owned());
    }

    /// No token given out so far is good any more.
    pub fn forget_tokens(&self) {
        locked(&self.state).era += 1;
    }
}

impl Mortal for B2 {
    /// And all tokens with it.
    fn kill(&mut self) {
        self.double.kill();
        self.forget_tokens();
    }

    fn start_again(&mut self) {
        self.double.start_again();
    }
}

fn locked(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

fn refused(status: u16, code: &str) -> Answer {
    Answer::new(
        status,
        json!({ "status": status, "code": code, "message": "so says the double" }).to_string(),
    )
}

fn told(value: &Value) -> Answer {
    Answer::new(200, value.to_string())
}

/// One version of a file, wherever it lies.
struct Version {
    path: PathBuf,
    hides: bool,
}

impl Version {
    fn id(&self) -> String {
        format!("4_z{}", fs::metadata(&self.path).map_or(0, |data| data.ino()))
    }

    fn json(&self, name: &str) -> Value {
        let size = fs::metadata(&self.path).map_or(0, |data| data.len());
        let action = if self.hides { "hide" } else { "upload" };
        // The size is there under its old name, too.
        json!({ "fileName": name, "fileId": self.id(), "action": action, "contentLength": size, "size": size,
            "contentType": "application/octet-stream", "fileInfo": {}, "uploadTimestamp": 0 })
    }
}

impl State {
    fn answer(&mut self, request: &Request) -> Answer {
        self.calls += 1;
        let path = request.path.clone();
        // Both versions of the protocol say the same of what we have.
        let call = ["/b2api/v1/", "/b2api/v2/"].iter().find_map(|version| path.strip_prefix(version));
        if call == Some("b2_authorize_account") {
            return self.authorize(request);
        }
        if self.trouble > 0 && self.calls.is_multiple_of(self.trouble) {
            self.era += 1;
        }
        if let Some(bucket) = path.strip_prefix("/upload/") {
            return self.upload(&bucket.replace("?b2_upload_file", ""), request);
        }
        if request.header("authorization") != self.token("account") {
            return refused(401, "expired_auth_token");
        }
        if let Some(file) = path.strip_prefix("/file/") {
            return self.download(file, request);
        }
        let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
        let text = |key: &str| body[key].as_str().unwrap_or_default().to_owned();
        let bucket = text("bucketId").replace("id-of-", "");
        match call.unwrap_or_default() {
            "b2_list_buckets" => {
                let wanted = text("bucketName");
                let is_wanted = |name: &String| wanted.is_empty() || *name == wanted;
                let buckets = self.buckets().into_iter().filter(is_wanted).map(|name| bucket_json(&name));
                told(&json!({ "buckets": buckets.collect::<Vec<_>>() }))
            }
            "b2_create_bucket" => {
                fs::create_dir(self.folder.join(text("bucketName"))).expect("it was not there");
                told(&bucket_json(&text("bucketName")))
            }
            "b2_get_file_info" => self.info(&text("fileId")),
            "b2_delete_file_version" => self.delete(&text("fileName"), &text("fileId")),
            _ if !self.folder.join(&bucket).is_dir() => refused(400, "bad_bucket_id"),
            "b2_get_upload_url" => {
                let url = format!("{}/upload/{bucket}?b2_upload_file", self.url);
                told(&json!({ "uploadUrl": url, "authorizationToken": self.token("upload") }))
            }
            "b2_list_file_names" => self.list(&bucket, &body, false),
            "b2_list_file_versions" => self.list(&bucket, &body, true),
            "b2_hide_file" => self.hide(&bucket, &text("fileName")),
            _ => refused(404, "not_found"),
        }
    }

    fn token(&self, what: &str) -> String {
        format!("token-{what}-{}", self.era)
    }

    fn authorize(&self, request: &Request) -> Answer {
        use base64::Engine;
        let key = base64::engine::general_purpose::STANDARD.encode(B2_KEY.join(":"));
        if request.header("authorization") != format!("Basic {key}") {
            return refused(401, "bad_auth_token");
        }
        let mut may = vec!["listBuckets", "listFiles", "readFiles", "writeFiles", "deleteFiles"];
        may.retain(|what| !self.forbidden.iter().any(|forbidden| forbidden == what));
        told(
            &json!({ "accountId": "account", "authorizationToken": self.token("account"), "apiUrl": self.url,
            "downloadUrl": self.url, "allowed": { "capabilities": may, "bucketId": null, "bucketName": null } }),
        )
    }

    fn upload(&mut self, bucket: &str, request: &Request) -> Answer {
        if self.busy > 0 {
            self.busy -= 1;
            return refused(503, "service_unavailable");
        }
        if request.header("authorization") != self.token("upload") {
            return refused(401, "expired_auth_token");
        }
        let (body, announced) = match request.header("x-bz-content-sha1") {
            "hex_digits_at_end" => {
                let (body, at_end) = request.body.split_at(request.body.len().saturating_sub(40));
                (body, String::from_utf8_lossy(at_end).into_owned())
            }
            here => (&request.body[..], here.to_owned()),
        };
        let sha1 = sha1_of(body);
        if announced != sha1 {
            return refused(400, "bad_request");
        }
        if self.full {
            return refused(403, "storage_cap_exceeded");
        }
        let name = decoded(request.header("x-bz-file-name"));
        let path = self.folder.join(bucket).join(&name);
        self.put_away(bucket, &name);
        let parent = path.parent().expect("it is in a bucket");
        fs::create_dir_all(parent).expect("folders can be made");
        let half = parent.join("half-an-upload");
        fs::write(&half, body).and_then(|()| fs::rename(&half, &path)).expect("it can be written");
        let version = Version { path, hides: false };
        let mut answer = version.json(&name);
        answer["contentSha1"] = json!(sha1);
        told(&answer)
    }

    fn download(&self, file: &str, request: &Request) -> Answer {
        let path = self.folder.join(decoded(file));
        let Ok(content) = fs::read(&path) else { return refused(404, "not_found") };
        let range = request.header("range").strip_prefix("bytes=").and_then(|range| range.split_once('-'));
        let id = ("X-Bz-File-Id", Version { path, hides: false }.id());
        let mut headers = vec![id, ("X-Bz-Content-Sha1", sha1_of(&content))];
        let Some((first, last)) = range else {
            return Answer { headers, ..Answer::new(200, content) };
        };
        let first: usize = first.parse().expect("a range is made of numbers");
        let last = last.parse::<usize>().unwrap_or(usize::MAX).min(content.len().saturating_sub(1));
        if first >= content.len() {
            return refused(416, "range_not_satisfiable");
        }
        headers.push(("Content-Range", format!("bytes {first}-{last}/{}", content.len())));
        Answer { headers, ..Answer::new(206, &content[first..=last]) }
    }

    fn buckets(&self) -> Vec<String> {
        let entries = fs::read_dir(&self.folder).into_iter().flatten().flatten();
        let folders = entries.filter(|entry| entry.path().is_dir());
        let names = folders.map(|entry| entry.file_name().to_string_lossy().into_owned());
        names.filter(|name| name != OLD).collect()
    }

    fn old(&self, bucket: &str, name: &str) -> PathBuf {
        self.folder.join(OLD).join(bucket).join(name.replace('/', "|"))
    }

    /// What is the newest version of a file becomes an older one.
    fn put_away(&mut self, bucket: &str, name: &str) {
        let path = self.folder.join(bucket).join(name);
        if path.is_file() {
            fs::rename(path, self.next_old(bucket, name, "upload")).expect("a version can be moved");
        }
    }

    fn next_old(&mut self, bucket: &str, name: &str, action: &str) -> PathBuf {
        let folder = self.old(bucket, name);
        fs::create_dir_all(&folder).expect("folders can be made");
        self.next += 1;
        folder.join(format!("{:09}-{action}", self.next))
    }

    /// What there is to know of a version, by its id alone.
    fn info(&self, id: &str) -> Answer {
        for bucket in &self.buckets() {
            for name in self.names(bucket) {
                let known = self.versions(bucket, &name).into_iter().find(|version| version.id() == id);
                if let Some(version) = known {
                    return told(&version.json(&name));
                }
            }
        }
        refused(404, "not_found")
    }

    /// The names of all files that have versions.
    fn names(&self, bucket: &str) -> BTreeSet<String> {
        let mut all = BTreeSet::new();
        names(&self.folder.join(bucket), "", &mut all);
        for entry in fs::read_dir(self.folder.join(OLD).join(bucket)).into_iter().flatten().flatten() {
            all.insert(entry.file_name().to_string_lossy().replace('|', "/"));
        }
        all
    }

    fn hide(&mut self, bucket: &str, name: &str) -> Answer {
        if !self.folder.join(bucket).join(name).is_file() {
            return refused(
                400,
                if self.versions(bucket, name).is_empty() { "no_such_file" } else { "already_hidden" },
            );
        }
        self.put_away(bucket, name);
        fs::write(self.next_old(bucket, name, "hide"), "").expect("it can be written");
        told(&json!({ "fileName": name, "action": "hide" }))
    }

    fn delete(&mut self, name: &str, id: &str) -> Answer {
        for bucket in &self.buckets() {
            let versions = self.versions(bucket, name);
            let Some(version) = versions.iter().find(|version| version.id() == id) else { continue };
            fs::remove_file(&version.path).expect("a version can be removed");
            if let Some(newest) = self.versions(bucket, name).first().filter(|newest| !newest.hides) {
                // An older one may be the newest now.
                fs::rename(&newest.path, self.folder.join(bucket).join(name)).expect("it can be moved");
            }
            return told(&json!({ "fileName": name, "fileId": id }));
        }
        refused(400, "file_not_present")
    }

    /// A page of files, or of all their versions.
    fn list(&self, bucket: &str, body: &Value, versions: bool) -> Answer {
        let text = |key: &str| body[key].as_str().unwrap_or_default();
        let (prefix, start, id) = (text("prefix"), text("startFileName"), text("startFileId"));
        let page =
            self.page.min(usize::try_from(body["maxFileCount"].as_u64().unwrap_or(100)).unwrap_or(100));
        let all = self.names(bucket);
        let wanted = all.iter().filter(|name| name.starts_with(prefix) && name.as_str() >= start);
        let mut entries: Vec<(String, Value)> = Vec::new();
        for name in wanted {
            let known = self.versions(bucket, name);
            let known = known.iter().filter(|version| versions || !version.hides);
            let many = if versions {
                usize::MAX
            } else {
                usize::from(self.folder.join(bucket).join(name).is_file())
            };
            entries.extend(known.take(many).map(|version| (version.id(), version.json(name))));
        }
        if let Some(from) = entries.iter().position(|(known, _)| known == id) {
            entries.drain(..from);
        }
        let next = entries.get(page).map(|(id, entry)| (id.clone(), entry["fileName"].clone()));
        let (next_id, next_name) = next.map_or((Value::Null, Value::Null), |(id, name)| (json!(id), name));
        let files: Vec<Value> = entries.into_iter().take(page).map(|(_, entry)| entry).collect();
        let mut answer = json!({ "files": files, "nextFileName": next_name });
        if versions {
            answer["nextFileId"] = next_id;
        }
        told(&answer)
    }

    /// Every version of a file, newest first.
    fn versions(&self, bucket: &str, name: &str) -> Vec<Version> {
        let newest = self.folder.join(bucket).join(name);
        let mut old: Vec<PathBuf> = fs::read_dir(self.old(bucket, name))
            .map(|entries| entries.flatten().map(|entry| entry.path()).collect())
            .unwrap_or_default();
        old.sort();
        let hides = |path: &Path| path.to_string_lossy().ends_with("-hide");
        let old = old.into_iter().rev().map(|path| Version { hides: hides(&path), path });
        let newest = newest.is_file().then_some(Version { path: newest, hides: false });
        newest.into_iter().chain(old).collect()
    }
}

/// The names of the files below a folder.
fn names(folder: &Path, before: &str, all: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = format!("{before}{}", entry.file_name().to_string_lossy());
        match entry.path().is_dir() {
            true => names(&entry.path(), &format!("{name}/"), all),
            false => drop(all.insert(name)),
        }
    }
}

fn sha1_of(bytes: &[u8]) -> String {
    Sha1::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn bucket_json(name: &str) -> Value {
    json!({ "bucketId": format!("id-of-{name}"), "bucketName": name, "bucketType": "allPrivate" })
}

/// A name as it stands in headers and URLs, decoded.
fn decoded(name: &str) -> String {
    percent_encoding::percent_decode_str(name).decode_utf8_lossy().into_owned()
}
