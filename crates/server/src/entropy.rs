//! Entropy sources: the operating system's generator and the devices the operator configured.
//!
//! They only deliver bytes. Health tests and mixing are `crypto::entropy`'s, so no source can weaken the output.

use std::fs::File;
use std::io::Read as _;
use std::path::PathBuf;

use crypto::entropy::{EntropyPool, Source, SourceFailed};

use crate::config::DeviceSection;

/// The pool that everything in this process draws from.
pub fn pool(devices: &[DeviceSection]) -> EntropyPool {
    let pool = EntropyPool::new(Box::new(OperatingSystem));
    for device in devices {
        let source =
            Device { name: device.name.clone(), path: device.path.clone(), quantum: device.quantum, open: None };
        pool.add_source(&device.name, Box::new(source));
    }
    pool
}

struct OperatingSystem;

impl Source for OperatingSystem {
    fn name(&self) -> &str {
        "os"
    }

    fn is_quantum(&self) -> bool {
        false
    }

    fn read(&mut self, out: &mut [u8]) -> Result<(), SourceFailed> {
        crypto::random::operating_system(out).map_err(|_| SourceFailed)
    }
}

/// A character device or a file that is fed from outside. Opened on first use and again after a failure.
struct Device {
    name: String,
    path: PathBuf,
    quantum: bool,
    open: Option<File>,
}

impl Source for Device {
    fn name(&self) -> &str {
        &self.name
    }

    fn is_quantum(&self) -> bool {
        self.quantum
    }

    fn read(&mut self, out: &mut [u8]) -> Result<(), SourceFailed> {
        let mut file = match self.open.take() {
            Some(file) => file,
            None => File::open(&self.path).map_err(|_| SourceFailed)?,
        };
        file.read_exact(out).map_err(|_| SourceFailed)?;
        self.open = Some(file);
        Ok(())
    }
}
