//! Counters in a memory-mapped file that the services of the stack share.
//!
//! `counters.bin`, 4096 bytes, numbers are little-endian u64:
//! 0 magic `JESSYMM1`, 8 starts of the service, 16 notes written, 24 newest note, and 32 starts of
//! the API, which that program counts itself.

use std::{
    fs::{OpenOptions, Permissions},
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::Path,
    sync::atomic::{AtomicU64, Ordering},
};

use memmap2::MmapMut;
use serde::Serialize;

const FILE: &str = "counters.bin";
const SIZE: u64 = 4096;
const MAGIC: [u8; 8] = *b"JESSYMM1";
/// Owner and group: the services of the stack share the uid, nobody else reads.
const MODE: u32 = 0o660;

const STARTS: usize = 8;
const WRITTEN: usize = 16;
const NEWEST: usize = 24;
const API_STARTS: usize = 32;

#[derive(Serialize)]
pub struct Snapshot {
    pub starts: u64,
    pub notes_written: u64,
    pub newest_note: u64,
    pub api_starts: u64,
}

pub struct Counters {
    map: MmapMut,
}

impl Counters {
    /// Opens or makes the file in `directory`.
    pub fn open(directory: &Path) -> Result<Self, String> {
        let path = directory.join(FILE);
        let fail = |error: std::io::Error| {
            format!(
                "{}: {error}: MMAP_DIR has to be a directory this user may write",
                path.display()
            )
        };
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(MODE)
            .open(&path)
            .map_err(fail)?;
        // The mode given above is cut by the umask.
        file.set_permissions(Permissions::from_mode(MODE)).map_err(fail)?;
        let fresh = file.metadata().map_err(fail)?.len() == 0;
        file.set_len(SIZE).map_err(fail)?;
        // SAFETY: the file is never made shorter than SIZE, and what other
        // processes change in it is read by atomic operations only.
        let mut map = unsafe { MmapMut::map_mut(&file) }.map_err(fail)?;
        if fresh {
            map[..8].copy_from_slice(&MAGIC);
        }
        if map[..8] != MAGIC {
            return Err(format!("{} is not a counters file: remove it", path.display()));
        }
        Ok(Self { map })
    }

    pub fn started(&self) {
        self.at(STARTS).fetch_add(1, Ordering::Relaxed);
    }

    pub fn note_written(&self, id: i64) {
        self.at(WRITTEN).fetch_add(1, Ordering::Relaxed);
        self.at(NEWEST).fetch_max(u64::try_from(id).unwrap_or(0), Ordering::Relaxed);
    }

    pub fn snapshot(&self) -> Snapshot {
        let read = |offset| u64::from_le(self.at(offset).load(Ordering::Relaxed));
        Snapshot {
            starts: read(STARTS),
            notes_written: read(WRITTEN),
            newest_note: read(NEWEST),
            api_starts: read(API_STARTS),
        }
    }

    pub fn flush(&self) -> std::io::Result<()> {
        self.map.flush()
    }

    fn at(&self, offset: usize) -> &AtomicU64 {
        // SAFETY: a mapping begins at a page, the offsets are multiples of 8
        // below SIZE, and the mapping lives as long as the reference.
        unsafe { AtomicU64::from_ptr(self.map.as_ptr().cast::<u64>().add(offset / 8).cast_mut()) }
    }
}

#[cfg(target_endian = "big")]
compile_error!("the counters are added in place as little-endian numbers");

#[cfg(test)]
mod tests {
    use super::*;
    use std::{fs, os::unix::fs::FileExt};

    #[test]
    fn counts_survive_a_restart_and_have_the_documented_layout() {
        let directory = std::env::temp_dir().join(format!("jessy-counters-{}", std::process::id()));
        fs::create_dir_all(&directory).unwrap();
        for id in [7, 9] {
            let counters = Counters::open(&directory).unwrap();
            counters.started();
            counters.note_written(id);
            counters.flush().unwrap();
        }
        let path = directory.join(FILE);
        let bytes = fs::read(&path).unwrap();
        let mode = fs::metadata(&path).unwrap().permissions().mode() & 0o7777;
        assert_eq!(mode, MODE);
        assert_eq!(bytes.len() as u64, SIZE);
        assert_eq!(&bytes[..8], b"JESSYMM1");
        let number = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap());
        assert_eq!([number(8), number(16), number(24)], [2, 2, 9]);

        // What another program writes is seen through the mapping that is there already.
        let counters = Counters::open(&directory).unwrap();
        let file = OpenOptions::new().write(true).open(&path).unwrap();
        file.write_all_at(&3u64.to_le_bytes(), 32).unwrap();
        assert_eq!(counters.snapshot().api_starts, 3);

        fs::write(&path, [b'x'; 4096]).unwrap();
        assert!(Counters::open(&directory).err().unwrap().contains("not a counters file"));
        fs::remove_dir_all(&directory).unwrap();
    }

    #[test]
    fn a_missing_directory_is_named() {
        let error = Counters::open(Path::new("/nowhere/at/all")).err().unwrap();
        assert!(error.contains("/nowhere/at/all/counters.bin"), "{error}");
        assert!(error.contains("MMAP_DIR"), "{error}");
    }
}
