//! An open media file: its streams, its packets, and the limits that keep a bad file from holding up a run.

use super::scan::Frames;
use super::{broken, words};
use crate::error::Result;
use crate::ffi::{discard, limit_ffmpeg_memory};
use ffmpeg_next as ff;
use std::path::{Path, PathBuf};
use std::sync::Once;
use std::time::{Duration, Instant};

/// The longest time that one reading of a file may take.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);
/// The most packets that one reading of a file may touch: an hour of video has some 300 thousand.
const MAX_PACKETS: u64 = 5_000_000;
/// The most pixels of a picture: 8192 x 8192.
pub(super) const MAX_PIXELS: u64 = 1 << 26;
/// More seconds than a whole pass is given for the length of its file: a day.
const LONGEST: f64 = 86_400.0;
/// Refused packets in a row after which the file counts as ended.
const MAX_REFUSED: u32 = 1_000;

/// The time and the packets that one reading of a file may use.
#[derive(Debug)]
pub(in crate::data) struct Pace {
    start: Instant,
    allowed: Duration,
    packets: std::cell::Cell<u64>,
}

impl Pace {
    /// Starts the clock.
    #[allow(clippy::new_without_default)]
    pub fn new() -> Self {
        Self::with(0.0)
    }

    /// Starts the clock of a pass over a file that plays for so many seconds: it may take as much longer.
    pub fn with(seconds: f64) -> Self {
        let more = Duration::try_from_secs_f64(seconds.clamp(0.0, LONGEST));
        Self {
            start: Instant::now(),
            allowed: PATIENCE + more.unwrap_or_default(),
            packets: std::cell::Cell::new(0),
        }
    }

    /// Whether the time is over.
    pub(super) fn is_over(&self) -> bool {
        self.start.elapsed() > self.allowed
    }

    /// Counts a packet; says what is over, if anything is.
    fn spend(&self) -> Option<String> {
        self.packets.set(self.packets.get() + 1);
        if self.is_over() {
            return Some(format!("it took longer than {} s", self.allowed.as_secs()));
        }
        (self.packets.get() > MAX_PACKETS)
            .then(|| format!("it has more than {MAX_PACKETS} packets"))
    }
}

/// Which of the chosen streams a packet belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::data) enum Kind {
    Video,
    Audio,
    Other,
}

impl Kind {
    /// What belongs to the stream of the packet.
    pub(in crate::data) fn of<'a, T>(
        self,
        video: &'a mut Option<T>,
        audio: &'a mut Option<T>,
    ) -> Option<&'a mut T> {
        match self {
            Kind::Video => video.as_mut(),
            Kind::Audio => audio.as_mut(),
            Kind::Other => None,
        }
    }
}

/// One stream of a file.
#[derive(Clone, Copy, Debug)]
pub(in crate::data) struct Track {
    /// Position among the streams of the file.
    pub index: usize,
    /// Seconds of one unit of its time stamps.
    pub tick: f64,
}

/// An open file with its best video and its best audio stream, as FFmpeg rates them. Cover pictures are no video.
pub(in crate::data) struct Container {
    path: PathBuf,
    input: ff::format::context::Input,
    video: Option<Track>,
    audio: Option<Track>,
    refused: u64,
}

impl Container {
    /// Opens the file and finds its streams.
    ///
    /// # Errors
    /// [`crate::Error::Decode`] where FFmpeg cannot, or where there is neither video nor audio.
    pub fn open(path: &Path, pace: &Pace) -> Result<Self> {
        prepare();
        let Some(name) = path.to_str() else {
            return Err(broken(path, "its name is not UTF-8".to_owned()));
        };
        if name.contains('\0') {
            return Err(broken(path, "its name has a zero byte".to_owned()));
        }
        // A pipe would be waited for, a device read without end.
        let about = std::fs::metadata(path).map_err(|error| broken(path, plain(&error)))?;
        if !about.is_file() {
            let what = if about.is_dir() {
                "a folder"
            } else {
                "a pipe or a device"
            };
            return Err(broken(path, format!("it is {what}, no file")));
        }
        // A file that refers to others may only name local ones. The prefix keeps a name with a colon from being a URL.
        let mut options = ff::Dictionary::new();
        options.set("protocol_whitelist", "file");
        let end = pace.start + pace.allowed;
        let input = ff::format::input_with_interrupt_and_dictionary(
            &format!("file:{name}"),
            move || Instant::now() > end,
            options,
        )
        .map_err(|error| broken(path, words(error)))?;
        let track = |kind| {
            let stream = input.streams().best(kind)?;
            let is_cover = stream
                .disposition()
                .contains(ff::format::stream::Disposition::ATTACHED_PIC);
            (!is_cover).then(|| Track {
                index: stream.index(),
                tick: f64::from(stream.time_base()),
            })
        };
        let (video, audio) = (track(ff::media::Type::Video), track(ff::media::Type::Audio));
        if video.is_none() && audio.is_none() {
            return Err(broken(path, "it has neither pictures nor sound".to_owned()));
        }
        Ok(Self {
            path: path.to_owned(),
            input,
            video,
            audio,
            refused: 0,
        })
    }

    /// The video stream.
    pub fn video(&self) -> Option<Track> {
        self.video
    }

    /// The audio stream.
    pub fn audio(&self) -> Option<Track> {
        self.audio
    }

    /// Leaves out the packets of all streams but the chosen ones that are wanted.
    pub(super) fn keep(&mut self, video: bool, audio: bool) {
        let wanted = |track: Option<Track>, is_wanted: bool| {
            track.filter(|_| is_wanted).map(|track| track.index)
        };
        let kept = [wanted(self.video, video), wanted(self.audio, audio)];
        for mut stream in self.input.streams_mut() {
            if !kept.contains(&Some(stream.index())) {
                discard(&mut stream);
            }
        }
    }

    /// Whether the frames may be those of this file's video stream.
    pub(super) fn is_of(&self, frames: &Frames) -> bool {
        self.video.is_some_and(|track| {
            let base = self.stream(track).time_base();
            let unit = (i64::from(base.numerator()), i64::from(base.denominator()));
            frames.is_exact
                && track.index == frames.stream as usize
                && unit == (i64::from(frames.unit.0), i64::from(frames.unit.1))
        })
    }

    /// The stream as FFmpeg has it.
    pub fn stream(&self, track: Track) -> ff::Stream<'_> {
        self.input
            .stream(track.index)
            .expect("Container::open: the stream is there")
    }

    /// A decoder for the stream, on the calling thread alone.
    pub(in crate::data) fn decoder(&self, track: Track) -> Result<ff::codec::decoder::Decoder> {
        self.begun(track).map_err(|error| self.error(words(error)))
    }

    /// A decoder that is not opened yet.
    fn begun(&self, track: Track) -> std::result::Result<ff::codec::decoder::Decoder, ff::Error> {
        let context = ff::codec::Context::from_parameters(self.stream(track).parameters())?;
        let mut decoder = context.decoder();
        decoder.set_packet_time_base(self.stream(track).time_base());
        Ok(decoder)
    }

    /// A decoder for pictures of at most [`MAX_PIXELS`].
    pub(in crate::data) fn video_decoder(
        &self,
        track: Track,
    ) -> std::result::Result<ff::codec::decoder::Video, ff::Error> {
        let mut options = ff::Dictionary::new();
        options.set("max_pixels", &MAX_PIXELS.to_string());
        let decoder = self.begun(track)?;
        let codec = ff::decoder::find(decoder.id()).ok_or(ff::Error::DecoderNotFound)?;
        decoder.open_as_with(codec, options)?.video()
    }

    /// A decoder for sound. MPEG layers 1 and 2 by the one that gives floats: the other shapes its rounding by what came before, so
    /// that samples would depend, by one level of 16 bits, on where decoding began.
    pub(super) fn audio_decoder(
        &self,
        track: Track,
    ) -> std::result::Result<ff::codec::decoder::Audio, ff::Error> {
        let decoder = self.begun(track)?;
        let id = decoder.id();
        let floats = [
            (ff::codec::Id::MP1, "mp1float"),
            (ff::codec::Id::MP2, "mp2float"),
        ];
        let floats = floats.iter().find(|(layer, _)| *layer == id);
        let codec = floats.and_then(|(_, name)| ff::decoder::find_by_name(name));
        let codec = codec.or_else(|| ff::decoder::find(id));
        decoder
            .open_as(codec.ok_or(ff::Error::DecoderNotFound)?)?
            .audio()
    }

    /// Whether time stamps of the sound are guesses by its bit rate, and only counting from the first sample on tells where it lies:
    /// coded sound in a file of samples without an index.
    pub(super) fn counts_sound(&self) -> bool {
        let is_coded = |track: Track| {
            let codec = ff::decoder::find(self.stream(track).parameters().id());
            codec.is_some_and(|codec| !codec.name().starts_with("pcm_"))
        };
        let is_by_bytes = matches!(self.input.format().name(), "wav" | "w64" | "aiff" | "au");
        is_by_bytes && self.audio.is_some_and(is_coded)
    }

    /// Whether pictures behind a seek may have the times of others, which only a scan can tell: in program streams of MPEG not every
    /// picture is stamped.
    pub(super) fn stamps_drift(&self) -> bool {
        self.input.format().name() == "mpeg"
    }

    /// How often the container itself was found damaged so far.
    pub fn refused(&self) -> u64 {
        self.refused
    }

    /// Video and audio streams that are not used.
    pub fn others(&self) -> usize {
        let is_media = |stream: &ff::Stream<'_>| {
            matches!(
                stream.parameters().medium(),
                ff::media::Type::Video | ff::media::Type::Audio
            )
        };
        let used = usize::from(self.video.is_some()) + usize::from(self.audio.is_some());
        self.input.streams().filter(is_media).count() - used
    }

    /// Clockwise quarter turns after which the pictures stand upright, by the stream's display matrix.
    pub fn quarter_turns(&self) -> u8 {
        let Some(track) = self.video else { return 0 };
        let stream = self.stream(track);
        let matrix = stream
            .side_data()
            .find(|side| side.kind() == ff::packet::side_data::Type::DisplayMatrix);
        let entry = |at: usize| {
            let bytes = matrix.as_ref()?.data().get(4 * at..4 * at + 4)?;
            Some(f64::from(i32::from_ne_bytes(bytes.try_into().ok()?)))
        };
        match (entry(0), entry(1)) {
            (Some(cosine), Some(sine)) => {
                let quarters = sine.atan2(cosine) / std::f64::consts::FRAC_PI_2;
                (quarters.round() as i64).rem_euclid(4) as u8
            }
            _ => 0,
        }
    }

    /// An error that names this file.
    pub fn error(&self, cause: String) -> crate::error::Error {
        broken(&self.path, cause)
    }

    /// The earliest time stamp of the file, in seconds; 0 where it does not say.
    pub(super) fn start(&self) -> f64 {
        let starts = [self.video, self.audio]
            .into_iter()
            .flatten()
            .map(|track| self.stream_start(track));
        starts.fold(f64::INFINITY, f64::min)
    }

    pub(super) fn stream_start(&self, track: Track) -> f64 {
        match self.stream(track).start_time() {
            ff::ffi::AV_NOPTS_VALUE => 0.0,
            units => units as f64 * track.tick,
        }
    }

    /// For so many seconds behind the place where a seek lands the time stamps of sound are not trusted: a parser that begins inside
    /// of a packet of an MPEG stream takes the rest of a cut frame for a frame, and all that follow in it are stamped one too late.
    pub(super) fn settling(&self) -> f64 {
        match self.input.format().name() {
            "mpeg" | "mpegts" => 1.0,
            _ => 0.0,
        }
    }

    /// Seeks to a key frame before `seconds`; `false` where the file cannot, and then its state is unknown.
    pub(super) fn seek(&mut self, seconds: f64) -> bool {
        let at = (seconds * f64::from(ff::ffi::AV_TIME_BASE)) as i64;
        self.input.seek(at, ..at).is_ok()
    }

    /// The next packet of the file and whose it is; `None` at its end. Packets that the container itself finds damaged are
    /// passed over.
    pub(in crate::data) fn next(
        &mut self,
        packet: &mut ff::Packet,
        pace: &Pace,
    ) -> Result<Option<Kind>> {
        for _ in 0..MAX_REFUSED {
            if let Some(cause) = pace.spend() {
                return Err(self.error(cause));
            }
            *packet = ff::Packet::empty();
            match packet.read(&mut self.input) {
                Ok(()) => {
                    let stream = packet.stream();
                    let is =
                        |track: Option<Track>| track.is_some_and(|track| track.index == stream);
                    return Ok(Some(match (is(self.video), is(self.audio)) {
                        (true, _) => Kind::Video,
                        (_, true) => Kind::Audio,
                        _ => Kind::Other,
                    }));
                }
                Err(ff::Error::Eof) => return Ok(None),
                Err(ff::Error::InvalidData) => self.refused += 1,
                Err(error) => return Err(self.error(words(error))),
            }
        }
        Ok(None)
    }
}

/// Once for the process: FFmpeg does not write to standard error, for this program reports what it finds itself, and takes no
/// more memory at once than a real file needs.
pub(crate) fn prepare() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        ff::log::set_level(ff::log::Level::Quiet);
        limit_ffmpeg_memory();
    });
}

/// What the system says, without its number.
fn plain(error: &std::io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error")
        .next()
        .unwrap_or_default()
        .to_owned()
}
