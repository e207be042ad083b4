//! Checksums, and the one file of the archive that is wanted.

use std::fs::File;
use std::io::{self, Read, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use base64::Engine as _;
use sha2::{Digest, Sha256, Sha512};

use super::{InstallError, LIBRARY_FILE};

/// Bytes read at once.
const PIECE_BYTES: usize = 1 << 20;
/// A library larger than this is none of ours.
const LIBRARY_BYTES_MAX: u64 = 4 << 30;

/// Hands every piece of a reader over, and the count of bytes so far.
fn for_each_piece(mut source: impl Read, mut take: impl FnMut(&[u8], u64) -> io::Result<()>) -> io::Result<()> {
    let mut piece = vec![0; PIECE_BYTES];
    let mut bytes = 0;
    loop {
        match source.read(&mut piece) {
            Ok(0) => return Ok(()),
            Ok(count) => {
                bytes += count as u64;
                take(&piece[..count], bytes)?;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

fn digest<D: Digest>(path: &Path, report: &mut dyn FnMut(u64)) -> io::Result<Vec<u8>> {
    let mut digest = D::new();
    for_each_piece(File::open(path)?, |piece, bytes| {
        digest.update(piece);
        report(bytes);
        Ok(())
    })?;
    Ok(digest.finalize().to_vec())
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Checksum of a file, in hexadecimal digits.
pub(super) fn sha256(path: &Path, report: &mut dyn FnMut(u64)) -> io::Result<String> {
    digest::<Sha256>(path, report).map(|bytes| hexadecimal(&bytes))
}

/// Checksum of a file as npm writes it.
pub(super) fn sha512_integrity(path: &Path, report: &mut dyn FnMut(u64)) -> io::Result<String> {
    digest::<Sha512>(path, report).map(|bytes| format!("sha512-{}", base64::engine::general_purpose::STANDARD.encode(bytes)))
}

/// Unpacks the library from an archive, durably, and answers its checksum.
pub(super) fn library(archive: &Path, into: &Path, report: &mut dyn FnMut(u64)) -> Result<String, InstallError> {
    let broken = |error: io::Error| InstallError::Fetch(format!("the downloaded archive cannot be unpacked: {error}"));
    let file = File::open(archive).map_err(InstallError::file("opening", archive))?;
    let mut archive = tar::Archive::new(flate2::read::MultiGzDecoder::new(io::BufReader::with_capacity(PIECE_BYTES, file)));
    for entry in archive.entries().map_err(broken)? {
        let entry = entry.map_err(broken)?;
        let is_library = entry.path().map_err(broken)?.file_name().is_some_and(|name| name == LIBRARY_FILE);
        if !is_library || !entry.header().entry_type().is_file() {
            continue;
        }
        let mut out = File::options().write(true).create_new(true).mode(0o755).open(into).map_err(InstallError::file("making", into))?;
        let mut digest = Sha256::new();
        let mut write_error = None;
        let result = for_each_piece(entry.take(LIBRARY_BYTES_MAX), |piece, bytes| {
            digest.update(piece);
            report(bytes);
            out.write_all(piece).inspect_err(|error| write_error = Some(io::Error::from(error.kind())))
        });
        if let Some(error) = write_error {
            return Err(InstallError::file("writing", into)(error));
        }
        result.map_err(broken)?;
        out.sync_all().map_err(InstallError::file("writing", into))?;
        return Ok(hexadecimal(&digest.finalize()));
    }
    Err(InstallError::Fetch(format!("the downloaded archive holds no {LIBRARY_FILE}")))
}
