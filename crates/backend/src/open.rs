//! From a location to a backend.

use crate::b2::{self, B2};
use crate::local::{self, Local};
use crate::location::{Place, Store};
use crate::object::{self, azure, gs, s3, swift};
use crate::rest::{self, Rest};
use crate::sftp::{self, Sftp};
use crate::webdav::{self, WebDav};
use crate::{Backend, Location, Result, net, rclone};
use std::num::NonZeroUsize;
use std::sync::Arc;

/// What can be chosen about a backend (the extended options `SCHEME.name=value`).
#[derive(Clone, Default)]
pub struct Options {
    /// How many calls run at once (`SCHEME.connections`); without it what suits the scheme.
    pub connections: Option<NonZeroUsize>,
    /// How to talk to servers.
    pub network: net::Options,
    /// Name and password for a REST server whose URL has none.
    pub rest: net::Login,
    /// The program rclone.
    pub rclone: rclone::Options,
    /// How an SFTP server is reached.
    pub sftp: sftp::Options,
    /// What can be chosen about S3.
    pub s3: s3::Options,
    /// What can be chosen about Azure.
    pub azure: azure::Options,
    /// What can be chosen about Google Cloud Storage.
    pub gs: gs::Options,
    /// What can be chosen about Swift.
    pub swift: swift::Options,
    /// The key for B2.
    pub b2: b2::Options,
    /// Name and password for a WebDAV server whose URL has none.
    pub webdav: net::Login,
}

/// Makes the backend for `location`, alone: no retries, no limits.
///
/// A repository need not be there yet: only using it shows.
///
/// # Errors
/// [`crate::ErrorKind::Unusable`] if nothing can ever be kept there.
pub fn open(location: &Location, options: &Options) -> Result<Arc<dyn Backend>> {
    let (shown, network) = (location.to_string(), &options.network);
    let connections = |usual| options.connections.unwrap_or(usual);
    match location.place() {
        Place::Local(path) => Ok(Arc::new(Local::open(path, connections(local::CONNECTIONS))?)),
        Place::Rest { url } => {
            let connections = connections(rest::CONNECTIONS);
            Ok(Arc::new(Rest::open(url, shown, &options.rest, connections, network)?))
        }
        Place::Rclone { remote } => {
            let connections = connections(rest::CONNECTIONS);
            Ok(Arc::new(rclone::open(remote, shown, &options.rclone, connections, network)?))
        }
        Place::Sftp(place) => {
            let stuck_after = options.sftp.stuck_after.unwrap_or(network.stuck_after);
            let sftp = sftp::Options { stuck_after: Some(stuck_after), ..options.sftp.clone() };
            Ok(Arc::new(Sftp::open(place, shown, &sftp, connections(sftp::CONNECTIONS))?))
        }
        Place::S3(place) => s3::open(place, shown, &options.s3, connections(object::CONNECTIONS), network),
        Place::Bucket { store: Store::Azure, name, prefix } => {
            let connections = connections(object::CONNECTIONS);
            azure::open(name, prefix, shown, &options.azure, connections, network)
        }
        Place::Bucket { store: Store::Gs, name, prefix } => {
            let connections = connections(object::CONNECTIONS);
            gs::open(name, prefix, shown, &options.gs, connections, network)
        }
        Place::Bucket { store: Store::Swift, name, prefix } => {
            let connections = connections(object::CONNECTIONS);
            swift::open(name, prefix, shown, &options.swift, connections, network)
        }
        Place::Bucket { store: Store::B2, name, prefix } => {
            let connections = connections(b2::CONNECTIONS);
            Ok(Arc::new(B2::open(name, prefix, shown, &options.b2, connections, network)?))
        }
        Place::WebDav { url } => {
            let connections = connections(webdav::CONNECTIONS);
            Ok(Arc::new(WebDav::open(url, shown, &options.webdav, connections, network)?))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_backend_has_as_many_connections_as_are_wanted() {
        let folder = tempfile::tempdir().unwrap();
        let options = Options { connections: NonZeroUsize::new(7), ..Options::default() };
        let backend = open(&Location::local(folder.path()), &options).unwrap();
        assert_eq!(backend.capabilities().connections, 7);
        let default = open(&Location::local(folder.path()), &Options::default()).unwrap();
        assert_eq!(default.capabilities().connections, 2);
    }
}
