//! The files of a data set in flat columns: nothing is allocated for a row, so that millions of them cost little.

/// No class, no fold.
const NONE: u32 = u32::MAX;

/// The columns, all of one length; rows are sorted by name.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rows {
    /// The names one after the other, and where each ends.
    pub(in crate::data) names: String,
    pub(in crate::data) ends: Vec<u64>,
    pub(in crate::data) labels: Vec<u32>,
    pub(in crate::data) folds: Vec<u32>,
    pub(in crate::data) bytes: Vec<u64>,
    pub(in crate::data) changed: Vec<u64>,
}

/// Where a file was last changed and how large it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct State {
    /// Its size.
    pub bytes: u64,
    /// When it was last changed, in nanoseconds since 1970.
    pub changed: u64,
}

impl State {
    /// Of a file that was looked at.
    pub fn of(metadata: &std::fs::Metadata) -> Self {
        let changed = metadata
            .modified()
            .ok()
            .and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok());
        Self {
            bytes: metadata.len(),
            changed: changed
                .and_then(|since| u64::try_from(since.as_nanos()).ok())
                .unwrap_or(0),
        }
    }
}

impl Rows {
    /// One more row. Rows are added in the order of their names.
    pub fn push(&mut self, file: &str, label: Option<u32>, fold: Option<u32>, state: State) {
        self.names.push_str(file);
        self.ends.push(self.names.len() as u64);
        self.labels.push(label.unwrap_or(NONE));
        self.folds.push(fold.unwrap_or(NONE));
        self.bytes.push(state.bytes);
        self.changed.push(state.changed);
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// The path of a file below the root, with `/`.
    pub fn file(&self, row: usize) -> &str {
        let start = if row == 0 { 0 } else { self.ends[row - 1] };
        &self.names[start as usize..self.ends[row] as usize]
    }

    /// The class.
    pub fn label(&self, row: usize) -> Option<u32> {
        Some(self.labels[row]).filter(|label| *label != NONE)
    }

    /// How it takes part in the splits.
    pub fn fold(&self, row: usize) -> Option<u32> {
        Some(self.folds[row]).filter(|fold| *fold != NONE)
    }

    /// Its size and time of change when it was listed.
    pub fn state(&self, row: usize) -> State {
        State {
            bytes: self.bytes[row],
            changed: self.changed[row],
        }
    }

    /// Whether the columns are of one length, names are texts of their own, and classes are among so many.
    pub(in crate::data) fn is_whole(&self, classes: usize) -> bool {
        let rows = self.len();
        let lengths = [
            self.labels.len(),
            self.folds.len(),
            self.bytes.len(),
            self.changed.len(),
        ];
        let mut ends = self.ends.iter().scan(0, |last, &end| {
            let is_next = end > *last && self.names.is_char_boundary(end as usize);
            *last = end;
            Some(is_next)
        });
        lengths.iter().all(|length| *length == rows)
            && ends.all(|is_next| is_next)
            && self.ends.last().copied().unwrap_or(0) == self.names.len() as u64
            && self
                .labels
                .iter()
                .all(|label| *label == NONE || (*label as usize) < classes)
    }

    /// The row of a file.
    pub fn find(&self, file: &str) -> Option<usize> {
        let (mut low, mut high) = (0, self.len());
        while low < high {
            let middle = low + (high - low) / 2;
            match self.file(middle).cmp(file) {
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Equal => return Some(middle),
                std::cmp::Ordering::Greater => high = middle,
            }
        }
        None
    }
}
