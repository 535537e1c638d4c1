//! Pages in a real browser, where there is one: Chromium, called `chromium` on the path.

#![allow(dead_code)] // each test file uses a part of this

use std::path::Path;
use std::process::{Command, Stdio};

/// Whether there is a browser; says so where there is none.
pub fn is_there() -> bool {
    let mut version = Command::new("chromium");
    let version = version.arg("--version").stdout(Stdio::null());
    let found = version.stderr(Stdio::null()).status();
    let is_there = found.is_ok_and(|status| status.success());
    if !is_there {
        eprintln!("skipped: there is no `chromium`");
    }
    is_there
}

/// A page in a frame of this width, all its details open.
#[derive(Clone, Copy, Debug)]
pub struct View<'p> {
    /// The page.
    pub page: &'p str,
    /// Of the frame, in pixels.
    pub width: u32,
    /// Whether the reader prefers dark pages.
    pub is_dark: bool,
}

impl View<'_> {
    /// What `says` evaluates to there, with `d` its document. Files that this needs are left in `folder`.
    pub fn asked(self, folder: &Path, says: &str) -> String {
        let output = self.loaded(folder, says, &["--window-size=1600,1000", "--dump-dom"]);
        let dom = String::from_utf8(output.stdout).unwrap();
        let said = dom.split("<title>said: ").nth(1);
        let said = said.unwrap_or_else(|| panic!("{}", String::from_utf8_lossy(&output.stderr)));
        said.split("</title>").next().unwrap().to_owned()
    }

    /// Its picture from the top as far as `height`, as a PNG file.
    pub fn pictured(self, folder: &Path, height: u32, to: &Path) {
        let size = format!("--window-size={},{height}", self.width);
        let shot = format!("--screenshot={}", to.display());
        let output = self.loaded(folder, "0", &[&size, "--hide-scrollbars", &shot]);
        assert!(to.is_file(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    fn loaded(self, folder: &Path, says: &str, asks: &[&str]) -> std::process::Output {
        let text = serde_json::to_string(self.page).unwrap();
        let text = text.replace("</", "<\\/");
        let wrapper = format!(
            "<!DOCTYPE html><body style=\"margin: 0\"><script>const frame = document.createElement('iframe'); frame.width = {}; \
             frame.height = 6000; frame.style.border = 0; frame.srcdoc = {text}; \
             frame.onload = () => {{ const d = frame.contentDocument; \
             for (const one of d.querySelectorAll('details')) one.open = true; document.title = 'said: ' + ({says}); }}; \
             document.body.append(frame);</script></body>",
            self.width
        );
        let path = folder.join("wrapper.html");
        std::fs::write(&path, wrapper).unwrap();
        Command::new("chromium")
            .args([
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--virtual-time-budget=10000",
            ])
            .arg(format!(
                "--user-data-dir={}",
                folder.join("profile").display()
            ))
            .arg(format!(
                "--blink-settings=preferredColorScheme={}",
                u8::from(!self.is_dark)
            ))
            .args(asks)
            .arg(format!("file://{}", path.display()))
            .output()
            .unwrap()
    }
}
