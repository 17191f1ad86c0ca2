//! What the system tells of files, by inotify.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};

use inotify::{EventMask, Inotify, WatchDescriptor, WatchMask};

/// Bytes of events that are taken at once.
const BUFFER: usize = 64 << 10;

/// What the system tells.
#[derive(Debug)]
pub(super) enum Event {
    /// A file was closed behind a write, or renamed into place.
    File(PathBuf),
    /// A folder appeared.
    Folder(PathBuf),
    /// Something was missed: a scan is due.
    Lost,
}

/// Listens to folders.
#[derive(Debug)]
pub(super) struct Events {
    inotify: Inotify,
    folders: HashMap<WatchDescriptor, PathBuf>,
    buffer: Vec<u8>,
}

impl Events {
    pub fn new() -> io::Result<Self> {
        let inotify = Inotify::init()?;
        Ok(Self { inotify, folders: HashMap::new(), buffer: vec![0; BUFFER] })
    }

    /// Listens to a folder, but not to those in it. One that is listened to already has the path that
    /// it is given now.
    pub fn add(&mut self, folder: &Path) -> io::Result<()> {
        let mask = WatchMask::CLOSE_WRITE
            | WatchMask::MOVED_TO
            | WatchMask::MOVED_FROM
            | WatchMask::CREATE
            | WatchMask::ONLYDIR;
        let watch = self.inotify.watches().add(folder, mask)?;
        self.folders.insert(watch, folder.to_owned());
        Ok(())
    }

    /// What was told since the last call.
    pub fn drain(&mut self, into: &mut Vec<Event>) -> io::Result<()> {
        loop {
            let events = match self.inotify.read_events(&mut self.buffer) {
                Err(why) if why.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                events => events?,
            };
            let before = into.len();
            for event in events {
                if event.mask.contains(EventMask::Q_OVERFLOW) {
                    into.push(Event::Lost);
                    continue;
                }
                if event.mask.contains(EventMask::IGNORED) {
                    self.folders.remove(&event.wd);
                    continue;
                }
                let (Some(folder), Some(name)) = (self.folders.get(&event.wd), event.name) else {
                    continue;
                };
                let path = folder.join(name);
                let is_folder = event.mask.contains(EventMask::ISDIR);
                let has_come = event.mask.intersects(EventMask::CLOSE_WRITE | EventMask::MOVED_TO);
                match (is_folder, event.mask.contains(EventMask::MOVED_FROM)) {
                    // Where it went, its files have other paths: the scan gives its watch the new one.
                    (true, true) => into.push(Event::Lost),
                    (true, false) => into.push(Event::Folder(path)),
                    (false, _) if has_come => into.push(Event::File(path)),
                    // A second name (a hard link) is made at once; the scan finds it.
                    (false, _) => {}
                }
            }
            if into.len() == before || into.len() > 4096 {
                return Ok(());
            }
        }
    }
}
