//! Whom a link over TLS trusts.
//!
//! The certificates that the system trusts are those of Debian's `ca-certificates`, or of the file that
//! the variable `SSL_CERT_FILE` names. The cryptography is `ring`'s.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use rumqttc::Transport;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};

/// What a broker's certificate is checked by.
#[derive(Clone)]
pub struct Tls(Arc<ClientConfig>);

impl Tls {
    /// Trusts the certificates in the PEM file `ca`, else those that the system trusts.
    ///
    /// # Errors
    /// What is wrong with the file, or that the system trusts none.
    pub fn load(ca: Option<&Path>) -> Result<Self, String> {
        let roots = match ca {
            Some(path) => of_file(path)?,
            None => of_system()?,
        };
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|why| format!("TLS: {why}"))?;
        Ok(Self(Arc::new(config.with_root_certificates(roots).with_no_client_auth())))
    }

    pub(super) fn transport(&self) -> Transport {
        Transport::tls_with_config(rumqttc::TlsConfiguration::Rustls(self.0.clone()))
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tls")
    }
}

fn of_file(path: &Path) -> Result<RootCertStore, String> {
    let name = path.display();
    let failed = |why: &dyn fmt::Display| format!("reading {name}: {why}");
    let mut roots = RootCertStore::empty();
    for found in CertificateDer::pem_file_iter(path).map_err(|why| failed(&why))? {
        let certificate = found.map_err(|why| failed(&why))?;
        roots.add(certificate).map_err(|why| failed(&why))?;
    }
    let is_empty = roots.is_empty();
    if is_empty { Err(failed(&"there is no certificate (PEM) in it")) } else { Ok(roots) }
}

fn of_system() -> Result<RootCertStore, String> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(found.certs);
    if roots.is_empty() {
        let why = found.errors.first().map_or(String::new(), |why| format!(" ({why})"));
        return Err(format!("the system trusts no certificates{why}: name some by --mqtt-ca FILE"));
    }
    Ok(roots)
}
