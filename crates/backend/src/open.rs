//! From a location to a backend.

use crate::local::{self, Local};
use crate::location::{Place, Store};
use crate::object::{self, azure, gs, s3, swift};
use crate::rest::{self, Rest};
use crate::sftp::{self, Sftp};
use crate::{Backend, Error, ErrorKind, Location, Result, net, rclone};
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
    pub rest: rest::Login,
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
}

/// No backend for this scheme has been built yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the backend `{scheme}` is not supported yet; a local folder is")]
pub struct NotSupported {
    /// The scheme.
    pub scheme: &'static str,
}

/// Makes the backend for `location`, alone: no retries, no limits.
///
/// A repository need not be there yet: only using it shows.
///
/// # Errors
/// [`ErrorKind::Unusable`] if nothing can ever be kept there, with [`NotSupported`] as the cause for a
/// scheme without a backend.
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
        _ => Err(Error::about(ErrorKind::Unusable, "open", shown)
            .caused_by(NotSupported { scheme: location.scheme() })),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::error::Error as _;
    use std::ffi::OsStr;

    #[test]
    fn a_local_folder_is_opened_and_other_schemes_are_refused_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let options = Options { connections: NonZeroUsize::new(7), ..Options::default() };
        let backend = open(&Location::local(folder.path()), &options).unwrap();
        assert_eq!(backend.capabilities().connections, 7);
        let default = open(&Location::local(folder.path()), &Options::default()).unwrap();
        assert_eq!(default.capabilities().connections, 2);

        let remote = Location::parse(OsStr::new("b2:bucket")).unwrap();
        let error = open(&remote, &options).err().unwrap();
        assert_eq!(error.kind(), ErrorKind::Unusable);
        assert_eq!(error.to_string(), "cannot open b2:bucket");
        assert!(error.source().unwrap().to_string().contains("`b2` is not supported yet"));
    }
}
