//! Event files of a training, as TensorBoard reads them, beside its metrics.
//!
//! ```text
//! pretrain-quickstart-2-7c1e09ab/
//!   metrics.jsonl               the truth: all that is in an event file of its steps stands there with all digits
//!   events.out.tfevents.0001    text, pictures, settings, and the numbers of each step
//!   events.out.tfevents.0002    from where the training went on after an interruption
//! ```
//!
//! A file is only ever appended to. One that begins at a later step opens with the mark of a session that starts there, at which
//! readers forget what older files say of that step and later ones: no step shows two values. Times in it are for the axis of time
//! alone; order comes from steps and from the names of the files.

mod frame;
mod proto;

use crate::{Error, Result};
use prost::Message;
use proto::{
    Content, DataType, Event, Experiment, Hparams, HparamsPart, Image, Kind, Metadata, MetricInfo,
    MetricName, Plugin, SessionEnd, SessionLog, SessionStart, SessionStatus, Shape, Summary,
    Tensor, Value, What,
};
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Instant, SystemTime};

/// What all names of event files begin with: TensorBoard finds them by it.
pub const EVENTS: &str = "events.out.tfevents.";

/// An open event file.
#[derive(Debug)]
pub struct Events {
    file: File,
    path: PathBuf,
    /// Seconds from 1970 to when it was opened, and the clock that goes on from there.
    opened: (f64, Instant),
}

/// A setting in TensorBoard's table of runs.
#[derive(Clone, Debug, PartialEq)]
pub enum Setting {
    /// One that can be an axis.
    Number(f64),
    /// Any other, as the file writes it.
    Text(String),
}

/// A picture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture {
    /// What it is called there: `views/v1`.
    pub tag: String,
    /// Width and height in pixels.
    pub size: (u32, u32),
    /// The file.
    pub png: Vec<u8>,
}

impl Events {
    /// The next event file in `folder`, for `first` and later steps.
    ///
    /// # Errors
    /// [`Error::Io`] where it cannot be made.
    pub fn open(folder: &Path, first: u64) -> Result<Self> {
        let number = files(folder)?.last().map_or(1, |(number, _)| number + 1);
        let path = folder.join(format!("{EVENTS}{number:04}"));
        let file = File::options().append(true).create_new(true).open(&path);
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let mut events = Self {
            file: file.map_err(Error::io("create", &path))?,
            path,
            opened: (now.map_or(0.0, |now| now.as_secs_f64()), Instant::now()),
        };
        events.add(0, What::FileVersion("brain.Event:2".to_owned()))?;
        if number > 1 {
            let status = SessionStatus::Start.into();
            events.add(first, What::SessionLog(SessionLog { status }))?;
        }
        Ok(events)
    }

    /// Numbers of a step, each with its tag.
    pub fn scalars(&mut self, step: u64, values: &[(String, f64)]) -> Result<()> {
        let value = |(tag, value): &(String, f64)| Value {
            tag: tag.clone(),
            metadata: None,
            content: Some(Content::Scalar(*value as f32)),
        };
        self.summary(step, values.iter().map(value).collect())
    }

    /// A text in Markdown.
    pub fn text(&mut self, tag: &str, text: &str) -> Result<()> {
        let tensor = Tensor {
            dtype: Kind::String.into(),
            shape: Some(Shape {
                dim: vec![proto::Dim { size: 1 }],
            }),
            floats: vec![],
            strings: vec![text.as_bytes().to_vec()],
        };
        let value = Value {
            tag: tag.to_owned(),
            metadata: Some(shown_by("text", vec![])),
            content: Some(Content::Tensor(tensor)),
        };
        self.summary(0, vec![value])
    }

    /// A picture of a step.
    pub fn picture(&mut self, step: u64, picture: &Picture) -> Result<()> {
        let side = |pixels: u32| i32::try_from(pixels).unwrap_or(i32::MAX);
        let image = Image {
            height: side(picture.size.1),
            width: side(picture.size.0),
            colorspace: 3,
            encoded: picture.png.clone(),
        };
        let value = Value {
            tag: picture.tag.clone(),
            metadata: None,
            content: Some(Content::Image(image)),
        };
        self.summary(step, vec![value])
    }

    /// The settings of the training for the table of runs, in this order, and the tags of the metrics that are its results.
    pub fn settings(&mut self, settings: &[(String, Setting)], metrics: &[&str]) -> Result<()> {
        let info = |(name, setting): &(String, Setting)| proto::SettingInfo {
            name: name.clone(),
            kind: match setting {
                Setting::Number(_) => DataType::Number,
                Setting::Text(_) => DataType::Text,
            }
            .into(),
        };
        let metric = |tag: &&str| MetricInfo {
            name: Some(MetricName {
                tag: (*tag).to_owned(),
            }),
        };
        let experiment = Experiment {
            settings: settings.iter().map(info).collect(),
            metrics: metrics.iter().map(metric).collect(),
        };
        let value = |setting: &Setting| proto::Setting {
            value: Some(match setting {
                Setting::Number(number) => proto::SettingValue::Number(*number),
                Setting::Text(text) => proto::SettingValue::Text(text.clone()),
            }),
        };
        let start = SessionStart {
            settings: settings
                .iter()
                .map(|(name, setting)| (name.clone(), value(setting)))
                .collect(),
            start: self.now(),
        };
        let values = vec![
            of_hparams("experiment", HparamsPart::Experiment(experiment)),
            of_hparams("session_start_info", HparamsPart::SessionStart(start)),
        ];
        self.summary(0, values)
    }

    /// The end of the training, all of it on the disk when this returns.
    pub fn finish(mut self) -> Result<()> {
        let end = SessionEnd {
            status: 1,
            end: self.now(),
        };
        let end = of_hparams("session_end_info", HparamsPart::SessionEnd(end));
        self.summary(0, vec![end])?;
        self.sync()
    }

    /// Brings what was written to the disk.
    pub fn sync(&self) -> Result<()> {
        self.file.sync_all().map_err(Error::io("write", &self.path))
    }

    fn summary(&mut self, step: u64, value: Vec<Value>) -> Result<()> {
        self.add(step, What::Summary(Summary { value }))
    }

    fn add(&mut self, step: u64, what: What) -> Result<()> {
        let event = Event {
            wall_time: self.now(),
            step: i64::try_from(step).unwrap_or(i64::MAX),
            what: Some(what),
        };
        // In one piece, so that a process that dies leaves whole records.
        let record = frame::framed(&event.encode_to_vec());
        let written = self.file.write_all(&record);
        written.map_err(Error::io("write", &self.path))
    }

    /// Seconds since 1970 by a clock that never goes back.
    fn now(&self) -> f64 {
        self.opened.0 + self.opened.1.elapsed().as_secs_f64()
    }
}

/// The event files in a folder by number, in order.
fn files(folder: &Path) -> Result<Vec<(u32, PathBuf)>> {
    let mut found = vec![];
    for entry in fs::read_dir(folder).map_err(Error::io("read", folder))? {
        let path = entry.map_err(Error::io("read", folder))?.path();
        let name = path.file_name().and_then(|name| name.to_str());
        let number = name.and_then(|name| name.strip_prefix(EVENTS)?.parse().ok());
        found.extend(number.map(|number| (number, path)));
    }
    found.sort();
    Ok(found)
}

fn shown_by(plugin: &str, content: Vec<u8>) -> Metadata {
    let name = plugin.to_owned();
    Metadata {
        plugin: Some(Plugin { name, content }),
    }
}

/// A value of the hparams plugin: all of it is in what the plugin keeps.
fn of_hparams(name: &str, part: HparamsPart) -> Value {
    let kept = Hparams {
        version: 0,
        part: Some(part),
    };
    let nothing = Tensor {
        dtype: Kind::Float.into(),
        shape: Some(Shape { dim: vec![] }),
        floats: vec![0.0],
        strings: vec![],
    };
    Value {
        tag: format!("_hparams_/{name}"),
        metadata: Some(shown_by("hparams", kept.encode_to_vec())),
        content: Some(Content::Tensor(nothing)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(path: &Path) -> Vec<Event> {
        let file = fs::read(path).unwrap();
        let records = frame::records(&file).into_iter();
        records
            .map(|record| Event::decode(&record[..]).unwrap())
            .collect()
    }

    /// The scalars of a tag as a reader of all files keeps them: at a session that starts, what lies behind it is forgotten.
    fn scalars(folder: &Path, tag: &str) -> Vec<(i64, f32)> {
        let mut kept: Vec<(i64, f32)> = vec![];
        for (_, path) in files(folder).unwrap() {
            for event in read(&path) {
                match event.what {
                    Some(What::SessionLog(_)) => kept.retain(|(step, _)| *step < event.step),
                    Some(What::Summary(summary)) => {
                        for value in summary.value.iter().filter(|value| value.tag == tag) {
                            if let Some(Content::Scalar(scalar)) = value.content {
                                kept.push((event.step, scalar));
                            }
                        }
                    }
                    Some(What::FileVersion(_)) | None => {}
                }
            }
        }
        kept
    }

    #[test]
    fn what_is_written_is_read_back() {
        let folder = tempfile::tempdir().unwrap();
        let mut events = Events::open(folder.path(), 0).unwrap();
        events.text("experiment", "    bs = 4").unwrap();
        let settings = [
            ("bs".to_owned(), Setting::Number(4.0)),
            ("loss".to_owned(), Setting::Text("intra".to_owned())),
        ];
        events.settings(&settings, &["loss"]).unwrap();
        let picture = Picture {
            tag: "graph".to_owned(),
            size: (3, 2),
            png: vec![1, 2, 3],
        };
        events.picture(0, &picture).unwrap();
        events
            .scalars(7, &[("loss".to_owned(), -0.5), ("epoch".to_owned(), 1.0)])
            .unwrap();
        events.finish().unwrap();
        let path = folder.path().join("events.out.tfevents.0001");
        let found = read(&path);
        assert_eq!(
            found[0].what,
            Some(What::FileVersion("brain.Event:2".to_owned()))
        );
        let mut values: Vec<(i64, Value)> = vec![];
        for event in &found[1..] {
            let Some(What::Summary(summary)) = &event.what else {
                panic!("{event:?}")
            };
            values.extend(
                summary
                    .value
                    .iter()
                    .map(|value| (event.step, value.clone())),
            );
        }
        let tags: Vec<(i64, &str)> = values
            .iter()
            .map(|(step, value)| (*step, &value.tag[..]))
            .collect();
        let wanted = [
            (0, "experiment"),
            (0, "_hparams_/experiment"),
            (0, "_hparams_/session_start_info"),
            (0, "graph"),
            (7, "loss"),
            (7, "epoch"),
            (0, "_hparams_/session_end_info"),
        ];
        assert_eq!(tags, wanted);
        assert_eq!(values[4].1.content, Some(Content::Scalar(-0.5)));
        let Some(Content::Tensor(text)) = &values[0].1.content else {
            panic!("a text is a tensor")
        };
        assert_eq!(text.strings, [b"    bs = 4"]);
        let plugin = values[2]
            .1
            .metadata
            .as_ref()
            .unwrap()
            .plugin
            .as_ref()
            .unwrap();
        assert_eq!(plugin.name, "hparams");
        let Some(HparamsPart::SessionStart(start)) =
            Hparams::decode(&plugin.content[..]).unwrap().part
        else {
            panic!("the start of a session")
        };
        assert_eq!(
            start.settings["bs"].value,
            Some(proto::SettingValue::Number(4.0))
        );
        assert!(
            found
                .windows(2)
                .all(|pair| pair[0].wall_time <= pair[1].wall_time)
        );
    }

    #[test]
    fn a_training_that_goes_on_shows_one_value_for_a_step() {
        let folder = tempfile::tempdir().unwrap();
        let loss = |value: f64| [("loss".to_owned(), value)];
        let mut first = Events::open(folder.path(), 0).unwrap();
        for step in 0..4 {
            first.scalars(step, &loss(1.0)).unwrap();
        }
        // Killed in the middle of a record.
        let path = folder.path().join("events.out.tfevents.0001");
        let whole = fs::read(&path).unwrap();
        fs::write(&path, &whole[..whole.len() - 3]).unwrap();
        let mut second = Events::open(folder.path(), 2).unwrap();
        for step in 2..5 {
            second.scalars(step, &loss(2.0)).unwrap();
        }
        let wanted = [(0, 1.0), (1, 1.0), (2, 2.0), (3, 2.0), (4, 2.0)];
        assert_eq!(scalars(folder.path(), "loss"), wanted);
        assert!(folder.path().join("events.out.tfevents.0002").is_file());
    }

    #[test]
    fn a_file_that_cannot_be_made_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let error = Events::open(&folder.path().join("none"), 0).unwrap_err();
        assert!(error.to_string().contains("none"), "{error}");
    }
}
