//! What is remembered of finished runs, in SQLite: a cache that can be thrown away at any time and is made again, never the truth.
//!
//! It lies in the cache folder of this machine and not among the runs, for folders that machines share lose SQLite's locks; it keeps a
//! rollback journal for the same reason. A run is taken from it only where its folder, its `run.json` and its `result.json` are as old
//! and as long as they were. Whatever goes wrong with it, a file of another make, a folder that cannot be written, another process at
//! it, costs time alone: the run folders are read.

use crate::folder::{RESULT, RUN};
use crate::listing::{Listed, State};
use crate::record::Kind;
use rusqlite::{Connection, ErrorCode, OptionalExtension, Row, params};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Its name in the cache folder.
const FILE: &str = "runs.sqlite";
/// Which tables it has; a file with others is made anew.
const MAKE: i64 = 1;
/// `finished` holds what [`Listed`] says, below the times and lengths by which a change is seen.
const TABLES: &str = "
CREATE TABLE finished (
  runs TEXT NOT NULL, folder TEXT NOT NULL, seen TEXT NOT NULL,
  state TEXT NOT NULL, kind TEXT NOT NULL, label TEXT NOT NULL, stage TEXT NOT NULL, toy INTEGER NOT NULL, overrides TEXT NOT NULL,
  started INTEGER NOT NULL, seconds REAL NOT NULL, score REAL, loss REAL, bytes INTEGER NOT NULL,
  PRIMARY KEY (runs, folder)
) WITHOUT ROWID;
";
/// A run that was changed so lately may be changed again without an older time.
const SETTLED: Duration = Duration::from_secs(2);

/// The finished runs of one folder, as they were when they were last looked at.
pub struct Index {
    database: Connection,
    /// The folder of run folders.
    runs: String,
    /// What was remembered and has not been found as it was.
    known: BTreeMap<String, (String, Listed)>,
    /// What is to be remembered.
    new: Vec<(String, Listed)>,
}

impl Index {
    /// What the cache folder `cache` remembers of the runs in `runs`; `None` where it cannot be read or made.
    pub fn open(cache: &Path, runs: &Path) -> Option<Self> {
        let runs = fs::canonicalize(runs).ok()?.to_str()?.to_owned();
        fs::create_dir_all(cache).ok()?;
        let path = cache.join(FILE);
        let opened = open(&path).or_else(|error| match is_foreign(&error) {
            true => {
                fs::remove_file(&path).ok();
                open(&path)
            }
            false => Err(error),
        });
        let database = opened.ok()?;
        let known = known(&database, &runs).ok()?;
        Some(Self {
            database,
            runs,
            known,
            new: vec![],
        })
    }

    /// The run in the folder `path`: as it is remembered if nothing there has changed, else as `read` finds it.
    pub fn listed(&mut self, path: &Path, read: impl FnOnce() -> Option<Listed>) -> Option<Listed> {
        let name = path.file_name()?.to_string_lossy().into_owned();
        let seen = seen(path);
        if let Some(seen) = &seen
            && self.known.get(&name).is_some_and(|(then, _)| then == seen)
        {
            return self.known.remove(&name).map(|(_, listed)| listed);
        }
        let listed = read()?;
        let is_finished = matches!(listed.state, State::Complete | State::Imported);
        if let (true, Some(seen)) = (is_finished && listed.folder == name, seen) {
            self.new.push((seen, listed.clone()));
        }
        Some(listed)
    }

    /// Remembers what is new and forgets what is no longer so.
    pub fn save(mut self) {
        if self.new.is_empty() && self.known.is_empty() {
            return;
        }
        // What is lost here is found again in the folders.
        let _ = self.write();
    }

    fn write(&mut self) -> rusqlite::Result<()> {
        let change = self.database.transaction()?;
        for folder in self.known.keys() {
            change.execute(
                "DELETE FROM finished WHERE runs = ?1 AND folder = ?2",
                params![self.runs, folder],
            )?;
        }
        let mut insert = change.prepare(
            "INSERT OR REPLACE INTO finished VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)",
        )?;
        for (seen, one) in &self.new {
            insert.execute(params![
                self.runs,
                one.folder,
                seen,
                one.state.name(),
                one.kind.map(Kind::name),
                one.label,
                one.stage,
                one.toy,
                serde_json::to_string(&one.set).expect("index: lists of texts are plain data"),
                one.started as i64,
                one.seconds,
                one.score,
                one.loss,
                one.bytes as i64,
            ])?;
        }
        drop(insert);
        change.commit()
    }
}

/// The database with our tables. Fails on a file that has others.
fn open(path: &Path) -> rusqlite::Result<Connection> {
    let database = Connection::open(path)?;
    database.busy_timeout(Duration::from_millis(200))?;
    // A cache need not outlive a power cut.
    database.pragma_update(None, "synchronous", "OFF")?;
    let make: i64 = database.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let tables: Option<String> = database
        .query_row("SELECT name FROM sqlite_schema LIMIT 1", [], |row| {
            row.get(0)
        })
        .optional()?;
    match (make, tables) {
        (MAKE, Some(_)) => Ok(database),
        (0, None) => {
            database.execute_batch(&format!(
                "BEGIN IMMEDIATE; {TABLES} PRAGMA user_version = {MAKE}; COMMIT;"
            ))?;
            Ok(database)
        }
        (_, _) => Err(rusqlite::Error::InvalidQuery),
    }
}

/// Whether the file is not one of ours, or damaged. One that another process is at is neither.
fn is_foreign(error: &rusqlite::Error) -> bool {
    let damaged = [ErrorCode::NotADatabase, ErrorCode::DatabaseCorrupt];
    matches!(error, rusqlite::Error::InvalidQuery)
        || error
            .sqlite_error_code()
            .is_some_and(|code| damaged.contains(&code))
}

fn known(
    database: &Connection,
    runs: &str,
) -> rusqlite::Result<BTreeMap<String, (String, Listed)>> {
    let mut query = database.prepare("SELECT * FROM finished WHERE runs = ?1")?;
    let rows = query.query_map([runs], row)?;
    let mut known = BTreeMap::new();
    for row in rows {
        // A row that this version does not understand is read anew.
        if let Some((seen, listed)) = row? {
            known.insert(listed.folder.clone(), (seen, listed));
        }
    }
    Ok(known)
}

fn row(row: &Row<'_>) -> rusqlite::Result<Option<(String, Listed)>> {
    let (state, kind): (String, String) = (row.get("state")?, row.get("kind")?);
    let set: String = row.get("overrides")?;
    let named = |name| Value::String(name);
    let (Ok(state), Ok(kind), Ok(set)) = (
        serde_json::from_value(named(state)),
        serde_json::from_value(named(kind)),
        serde_json::from_str(&set),
    ) else {
        return Ok(None);
    };
    let listed = Listed {
        folder: row.get("folder")?,
        state,
        kind: Some(kind),
        label: row.get("label")?,
        stage: row.get("stage")?,
        toy: row.get("toy")?,
        set,
        started: row.get::<_, i64>("started")? as u64,
        seconds: row.get("seconds")?,
        score: row.get("score")?,
        loss: row.get("loss")?,
        step: None,
        bytes: row.get::<_, i64>("bytes")? as u64,
        note: None,
    };
    Ok(Some((row.get("seen")?, listed)))
}

/// By what a change of a run is seen: the times of its folder, its record and its result, and the lengths of the two. `None` where one
/// is too new to tell, or the folder holds no run.
fn seen(path: &Path) -> Option<String> {
    let result = path.join(RESULT);
    let mut files: Vec<PathBuf> = vec![path.to_owned(), path.join(RUN)];
    if result.exists() {
        files.push(result);
    }
    let mut seen = String::new();
    for file in files {
        let of = fs::metadata(file).ok()?;
        let changed = of.modified().ok()?;
        if SystemTime::now()
            .duration_since(changed)
            .ok()
            .is_none_or(|age| age < SETTLED)
        {
            return None;
        }
        let since = changed.duration_since(UNIX_EPOCH).ok()?.as_nanos();
        let length = if of.is_dir() { 0 } else { of.len() };
        seen += &format!("{since}:{length} ");
    }
    Some(seen)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{context, id, result, stage};
    use crate::folder::Runs;
    use crate::listing::list;
    use std::fs::File;

    /// Two finished runs, made an hour ago, and the folder that holds them and the cache.
    fn lab() -> (tempfile::TempDir, Runs, Vec<PathBuf>) {
        let folder = tempfile::tempdir().unwrap();
        let runs = Runs::open(folder.path().join("runs")).unwrap();
        let made = [1, 2].map(|column| {
            let begun = runs.begin(&stage(id(1, column), "t:1 score"), &context());
            let path = begun.unwrap().finish(&result(&[50.0, 70.0])).unwrap().path;
            let hour = SystemTime::now() - Duration::from_secs(3600);
            for file in [path.join(RUN), path.join(RESULT), path.clone()] {
                File::open(file).unwrap().set_modified(hour).unwrap();
            }
            path
        });
        (folder, runs, made.to_vec())
    }

    #[test]
    fn what_has_not_changed_is_not_read_again() {
        let (folder, runs, made) = lab();
        let cache = folder.path().join("cache");
        let plain = list(&runs, None).unwrap();
        assert_eq!(list(&runs, Some(&cache)).unwrap(), plain);
        let mut index = Index::open(&cache, runs.dir()).unwrap();
        for (path, listed) in made.iter().zip(&plain) {
            let remembered = index.listed(path, || panic!("it is remembered"));
            assert_eq!(remembered.as_ref(), Some(listed));
        }
        // One that is not confirmed is gone.
        let mut index = Index::open(&cache, runs.dir()).unwrap();
        index.listed(&made[0], || panic!("it is remembered"));
        index.save();
        assert_eq!(Index::open(&cache, runs.dir()).unwrap().known.len(), 1);
        // Nothing is known of other runs.
        assert!(Index::open(&cache, folder.path()).unwrap().known.is_empty());
    }

    #[test]
    fn what_has_changed_is_read() {
        let (folder, runs, made) = lab();
        let cache = folder.path().join("cache");
        list(&runs, Some(&cache)).unwrap();
        let (file, other) = (made[0].join(RESULT), made[1].join(RESULT));
        let text = fs::read_to_string(&file).unwrap();
        fs::write(&file, text.replace("60.0", "61.0")).unwrap();
        fs::write(other.with_file_name(RUN), "{").unwrap();
        let found = list(&runs, Some(&cache)).unwrap();
        assert_eq!(
            (found[0].score, found[1].state),
            (Some(61.0), State::Damaged)
        );
        fs::remove_dir_all(&made[1]).unwrap();
        assert_eq!(list(&runs, Some(&cache)).unwrap().len(), 1);
        // Both are newer than can be told from the next change.
        assert!(Index::open(&cache, runs.dir()).unwrap().known.is_empty());
    }

    #[test]
    fn a_cache_that_is_none_costs_nothing_but_time() {
        let (folder, runs, _) = lab();
        let plain = list(&runs, None).unwrap();
        let cache = folder.path().join("cache");
        let file = cache.join(FILE);
        fs::create_dir(&cache).unwrap();
        for content in [b"no database".repeat(100), vec![]] {
            fs::write(&file, content).unwrap();
            assert_eq!(list(&runs, Some(&cache)).unwrap(), plain);
            assert_eq!(Index::open(&cache, runs.dir()).unwrap().known.len(), 2);
        }
        let other = Connection::open(&file).unwrap();
        other.pragma_update(None, "user_version", MAKE + 1).unwrap();
        drop(other);
        assert_eq!(list(&runs, Some(&cache)).unwrap(), plain);
        assert_eq!(Index::open(&cache, runs.dir()).unwrap().known.len(), 2);
        // Another process is at it.
        let other = Connection::open(&file).unwrap();
        other.execute_batch("BEGIN EXCLUSIVE").unwrap();
        assert_eq!(list(&runs, Some(&cache)).unwrap(), plain);
        // There is a file where the folder should be.
        assert_eq!(list(&runs, Some(&file)).unwrap(), plain);
    }
}
