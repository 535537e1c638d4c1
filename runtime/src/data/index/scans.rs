//! What the packets of each file say, for exact seeks: some hundred bytes a file, read from the index when a file is.
//!
//! They stand at the end of the index and stay there: of millions of files only the ends of their places are held in memory. Each has a
//! checksum; one that is damaged counts as one that is not known, and costs nothing but time.

use std::collections::BTreeMap;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

/// The most bytes that a scan may have: a day of video.
const MOST: u64 = 64 << 20;

/// The scans of the files of an index.
#[derive(Clone, Debug, Default)]
pub struct Scans {
    /// Those that are not in the file yet.
    fresh: BTreeMap<usize, Vec<u8>>,
    stored: Option<Stored>,
}

/// Those in the file of the index.
#[derive(Clone, Debug)]
struct Stored {
    file: Arc<File>,
    /// Where the first begins.
    start: u64,
    /// Where that of each row ends, from `start` on; one that is not there has no bytes.
    ends: Vec<u64>,
}

impl Scans {
    /// Those that stand in `file` from `start` on.
    pub fn stored(file: File, start: u64, ends: Vec<u64>) -> Self {
        let file = Arc::new(file);
        Self {
            fresh: BTreeMap::new(),
            stored: Some(Stored { file, start, ends }),
        }
    }

    /// Notes the scan of a file.
    pub fn put(&mut self, row: usize, scan: Vec<u8>) {
        self.fresh.insert(row, scan);
    }

    /// The scan of a file.
    pub fn get(&self, row: usize) -> Option<Vec<u8>> {
        if let Some(scan) = self.fresh.get(&row) {
            return Some(scan.clone());
        }
        let stored = self.stored.as_ref()?;
        let end = *stored.ends.get(row)?;
        let begin = row
            .checked_sub(1)
            .map_or(Some(&0), |row| stored.ends.get(row))?;
        let length = end
            .checked_sub(*begin)
            .filter(|length| (5..=MOST).contains(length))?;
        let mut bytes = vec![0; length as usize];
        stored
            .file
            .read_exact_at(&mut bytes, stored.start.checked_add(*begin)?)
            .ok()?;
        let (sum, scan) = bytes.split_first_chunk()?;
        (crc32fast::hash(scan) == u32::from_le_bytes(*sum)).then(|| scan.to_vec())
    }

    /// The ends of the places of so many rows, and what stands there.
    pub fn columns(&self, rows: usize) -> (Vec<u64>, Vec<u8>) {
        let (mut ends, mut bytes) = (Vec::with_capacity(rows), Vec::new());
        for row in 0..rows {
            if let Some(scan) = self.get(row) {
                bytes.extend_from_slice(&crc32fast::hash(&scan).to_le_bytes());
                bytes.extend_from_slice(&scan);
            }
            ends.push(bytes.len() as u64);
        }
        (ends, bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn what_is_stored_is_found_and_what_is_damaged_is_not_known() {
        let mut scans = Scans::default();
        scans.put(1, vec![1, 2, 3]);
        scans.put(2, vec![4]);
        let (ends, bytes) = scans.columns(4);
        assert_eq!(ends, [0, 7, 12, 12]);
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"head").unwrap();
        file.write_all(&bytes).unwrap();
        let read = |file: &File, ends| Scans::stored(file.try_clone().unwrap(), 4, ends);
        let stored = read(&file, ends.clone());
        assert_eq!(stored.get(0), None);
        assert_eq!(stored.get(1), Some(vec![1, 2, 3]));
        assert_eq!(stored.get(2), Some(vec![4]));
        assert_eq!((stored.get(3), stored.get(4)), (None, None));
        for bad in [
            vec![9, 7, 12, 12],
            vec![0, u64::MAX, 12, 12],
            vec![0, 70, 75, 75],
        ] {
            assert_eq!(read(&file, bad).get(1), None);
        }
        file.write_all_at(b"x", 4 + 5).unwrap();
        assert_eq!((stored.get(1), stored.get(2)), (None, Some(vec![4])));
    }
}
