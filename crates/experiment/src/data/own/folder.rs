//! Lists the classes of a folder of class folders, and the files of each.

use std::{
    ffi::OsStr,
    fs, io,
    path::{Path, PathBuf},
};

use unicode_normalization::UnicodeNormalization;

use crate::system::names;
use crate::system::{
    console::listed,
    failure::{Failure, Kind, Result},
    path_text,
};

/// The most classes: a confusion matrix of 1000 classes still fits a page.
const MAX_CLASSES: usize = 1000;

/// Files and folders that systems and programs leave behind, in addition to dotfiles.
const LEFT_BY_SYSTEMS: [&str; 12] = [
    "__MACOSX",
    "__pycache__",
    "lost+found",
    "@eaDir",
    "#recycle",
    "@Recycle",
    "$RECYCLE.BIN",
    "System Volume Information",
    "Thumbs.db",
    "ehthumbs.db",
    "desktop.ini",
    "Icon\r",
];

/// The usual folder names of a data set that is already split.
const SPLIT_NAMES: [&str; 9] = ["train", "training", "val", "valid", "validation", "dev", "eval", "test", "testing"];

/// A class, named after its folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Class {
    /// Normalized to Unicode's composed form (NFC).
    pub name: String,
    /// All files, sorted by name. Whether they are pictures is known only after decoding.
    pub files: Vec<PathBuf>,
}

/// A folder's classes and its other content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Folder {
    /// The classes, sorted by name.
    pub classes: Vec<Class>,
    /// Number of files outside the class folders.
    pub stray_files: usize,
    /// Run and sweep folders of this program, which are not classes.
    pub outputs: Vec<PathBuf>,
}

/// Lists a folder. Hidden entries (`.git`, `.DS_Store`), system files and this program's outputs are ignored; links are
/// followed. The order does not depend on the file system.
pub fn open(folder: &Path) -> Result<Folder> {
    let expected = "expected one folder of pictures per class";
    let wrong = |what: String| Failure::usage(format!("{}: {what}", path_text::printable(folder)));
    if !folder.exists() {
        return Err(wrong(format!("no such folder; {expected}")));
    }
    if !folder.is_dir() {
        return Err(wrong(format!("is a file; {expected}")));
    }
    let (folders, files): (Vec<_>, Vec<_>) = entries(folder)?.into_iter().partition(|path| path.is_dir());
    let (outputs, folders): (Vec<_>, Vec<_>) = folders.into_iter().partition(|path| is_output(path));
    let count = |n: usize, what: &str| format!("{n} {what}{}", if n == 1 { "" } else { "s" });
    match folders.len() {
        0 => return Err(wrong(format!("has no folders and {}; {expected}", count(files.len(), "file")))),
        1 => {
            let only = name(&folders[0])?;
            let hint = match entries(&folders[0])?.iter().any(|path| path.is_dir()) {
                true => {
                    format!("; it contains folders itself: did you mean {}?", path_text::printable(&folders[0]))
                }
                false => String::new(),
            };
            return Err(wrong(format!("has one class folder, {only}; expected at least two{hint}")));
        }
        2..=MAX_CLASSES => {}
        more => return Err(wrong(format!("has {more} class folders; expected at most {MAX_CLASSES}"))),
    }
    let mut classes: Vec<Class> = Vec::new();
    for path in &folders {
        let name = name(path)?;
        if let Some(other) = classes.iter().find(|class| is_same_word(&class.name, &name)) {
            return Err(wrong(match other.name == name {
                true => format!("has two class folders named {name:?}, in different Unicode forms; merge them"),
                false => format!("has class folders {:?} and {name:?}; rename or merge them", other.name),
            }));
        }
        classes.push(Class { name, files: entries(path)? });
    }
    if let Some(empty) = classes.iter().find(|class| class.files.is_empty()) {
        return Err(wrong(format!("class folder {} is empty; remove it or add pictures", empty.name)));
    }
    if let Some(nested) = classes.iter().find(|class| class.files.iter().all(|path| path.is_dir())) {
        let is_part = |class: &Class| SPLIT_NAMES.contains(&class.name.to_lowercase().as_str());
        let first = folders.iter().find(|path| name(path).is_ok_and(|name| name.to_lowercase().starts_with("train")));
        return Err(wrong(match first {
            Some(first) if classes.iter().all(is_part) => format!(
                "is already split into {}; name one of these: `thawline adapt {}` holds out validation pictures itself",
                listed(&classes.iter().map(|class| class.name.as_str()).collect::<Vec<_>>()),
                path_text::argument(first)
            ),
            _ => format!("class folder {} contains only folders; move its pictures up into it", nested.name),
        }));
    }
    Ok(Folder { classes, stray_files: files.len(), outputs })
}

/// The entries of a folder that are not ignored, sorted.
fn entries(folder: &Path) -> Result<Vec<PathBuf>> {
    let refused = |error: io::Error| {
        let kind = if error.kind() == io::ErrorKind::PermissionDenied { Kind::Usage } else { Kind::Environment };
        Failure::new(kind, format!("{}: cannot be read: {error}", path_text::printable(folder)))
    };
    let is_ignored = |name: &OsStr| {
        name.as_encoded_bytes().starts_with(b".") || LEFT_BY_SYSTEMS.iter().any(|left| name.eq_ignore_ascii_case(left))
    };
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder).map_err(refused)? {
        let entry = entry.map_err(refused)?;
        if !is_ignored(&entry.file_name()) {
            paths.push(entry.path());
        }
    }
    paths.sort();
    Ok(paths)
}

/// Whether this is a run or sweep folder, or contains one like the default folder `runs`.
fn is_output(folder: &Path) -> bool {
    let is_one = |folder: &Path| ["environment.json", "sweep.json"].iter().any(|file| folder.join(file).is_file());
    let mut inside = fs::read_dir(folder).into_iter().flatten().flatten();
    is_one(folder) || inside.any(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()) && is_one(&entry.path()))
}

fn name(folder: &Path) -> Result<String> {
    let name = folder.file_name().unwrap_or_default();
    match name.to_str().ok_or("is not text").and_then(|text| names::check_name(text).map(|()| text)) {
        Ok(text) => Ok(text.nfc().collect()),
        Err(wrong) => Err(Failure::usage(format!("class folder {name:?}: its name {wrong}; rename it"))),
    }
}

/// Whether two names differ only in case or spaces.
fn is_same_word(a: &str, b: &str) -> bool {
    a.trim().to_lowercase() == b.trim().to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(paths: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for path in paths {
            let path = folder.path().join(path);
            match path.extension() {
                Some(_) => fs::write(path, "x").unwrap(),
                None => fs::create_dir(path).unwrap(),
            }
        }
        folder
    }

    #[test]
    fn classes_and_files_are_sorted_and_hidden_ones_ignored() {
        let folder = made(&["dog", "cat", ".git", "cat/2.png", "cat/10.png", "cat/.x.png", "dog/1.png", "readme.txt"]);
        let found = open(folder.path()).unwrap();
        let names = |class: &Class| -> Vec<String> {
            class.files.iter().map(|file| file.file_name().unwrap().to_str().unwrap().to_owned()).collect()
        };
        assert_eq!(found.classes.iter().map(|class| class.name.as_str()).collect::<Vec<_>>(), ["cat", "dog"]);
        assert_eq!(names(&found.classes[0]), ["10.png", "2.png"]);
        assert_eq!(found.stray_files, 1);
    }

    #[test]
    fn anything_but_a_folder_of_class_folders_is_refused() {
        for (paths, words) in [
            (&[][..], "has no folders and 0 files"),
            (&["1.png", "2.png"], "has no folders and 2 files"),
            (&["cat", "cat/1.png"], "has one class folder, cat; expected at least two"),
            (
                &["pets", "pets/cat", "pets/dog"],
                "has one class folder, pets; expected at least two; it contains folders itself",
            ),
            (&["cat", "cat/1.png", "dog"], "class folder dog is empty"),
            (
                &["cat ", "cat /1.png", "dog", "dog/1.png"],
                "class folder \"cat \": its name starts or ends with a space",
            ),
            (&["cat\n", "cat\n/1.png", "dog", "dog/1.png"], "\"cat\\n\": its name has a control character; rename it"),
            (
                &["train", "val", "train/cat", "train/dog", "val/cat", "val/dog"],
                "is already split into train, val; name one of these: `thawline adapt ",
            ),
            (&["cat", "cat/tabby", "dog", "dog/1.png"], "class folder cat contains only folders"),
            (
                &["caf\u{e9}", "caf\u{e9}/1.png", "cafe\u{301}", "cafe\u{301}/1.png"],
                "has two class folders named \"caf\u{e9}\", in different Unicode forms",
            ),
            (&["cat", "cat/1.png", "Cat", "Cat/1.png"], "has class folders \"Cat\" and \"cat\""),
        ] {
            let folder = made(paths);
            // A file system that ignores case or normalizes Unicode has one folder for both names.
            if (words.contains("\"Cat\"") || words.contains("Unicode"))
                && fs::read_dir(folder.path()).unwrap().count() < 2
            {
                continue;
            }
            let failure = open(folder.path()).unwrap_err();
            assert_eq!(failure.kind, Kind::Usage);
            assert!(failure.message.contains(words), "{words}: {failure}");
        }
        assert!(open(Path::new("/nowhere/at/all")).unwrap_err().message.contains("no such folder"));
        let folder = made(&["a.png"]);
        assert!(open(&folder.path().join("a.png")).unwrap_err().message.contains("is a file"));
    }
}
