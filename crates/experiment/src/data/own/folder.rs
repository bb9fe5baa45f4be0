//! A folder of class folders: which classes there are, and the files of each.

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

/// The most classes, for which a confusion matrix still is a page.
const MOST_CLASSES: usize = 1000;

/// What systems and programs leave in folders, beside what is hidden by a dot.
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

/// The usual names of the parts of a data set that somebody has divided.
const PARTS: [&str; 9] = ["train", "training", "val", "valid", "validation", "dev", "eval", "test", "testing"];

/// A class: its name is its folder's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Class {
    /// The name, in Unicode's composed form.
    pub name: String,
    /// What the folder holds, sorted by name; whether they are pictures shows when they are read.
    pub files: Vec<PathBuf>,
}

/// The classes of a folder, and what in it belongs to none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Folder {
    /// The classes, sorted by name.
    pub classes: Vec<Class>,
    /// How many files lie beside the class folders.
    pub beside: usize,
    /// Folders that this program has written.
    pub outputs: Vec<PathBuf>,
}

/// Looks into a folder. Hidden entries (`.git`, `.DS_Store`), those of systems and this program's outputs are left out,
/// links are followed, and the order does not depend on the file system.
///
/// # Errors
/// No folder, fewer than two class folders, names that cannot be told apart; a system that refuses.
pub fn open(folder: &Path) -> Result<Folder> {
    let expected = "expected a folder with a folder of pictures for each class";
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
        0 => return Err(wrong(format!("has no folders in it, and {}; {expected}", count(files.len(), "file")))),
        1 => {
            let only = name(&folders[0])?;
            let hint = match entries(&folders[0])?.iter().any(|path| path.is_dir()) {
                true => {
                    format!("; that has folders in it: is it {} that you mean?", path_text::printable(&folders[0]))
                }
                false => String::new(),
            };
            return Err(wrong(format!("has one class folder, {only}; expected two or more, to tell apart{hint}")));
        }
        2..=MOST_CLASSES => {}
        more => return Err(wrong(format!("has {more} class folders; expected at most {MOST_CLASSES}"))),
    }
    let mut classes: Vec<Class> = Vec::new();
    for path in &folders {
        let name = name(path)?;
        if let Some(twin) = classes.iter().find(|class| same_word(&class.name, &name)) {
            return Err(wrong(match twin.name == name {
                true => format!("has two class folders named {name:?}, in different Unicode forms: join them"),
                false => format!("has class folders {:?} and {name:?}: rename or join them", twin.name),
            }));
        }
        classes.push(Class { name, files: entries(path)? });
    }
    if let Some(empty) = classes.iter().find(|class| class.files.is_empty()) {
        return Err(wrong(format!("class folder {} is empty; remove it, or put pictures into it", empty.name)));
    }
    if let Some(nested) = classes.iter().find(|class| class.files.iter().all(|path| path.is_dir())) {
        let is_part = |class: &Class| PARTS.contains(&class.name.to_lowercase().as_str());
        let first = folders.iter().find(|path| name(path).is_ok_and(|name| name.to_lowercase().starts_with("train")));
        return Err(wrong(match first {
            Some(first) if classes.iter().all(is_part) => format!(
                "is divided into {}, each with class folders; name one of them: thawline adapt {}, which itself keeps some \
                 pictures back to judge by",
                listed(&classes.iter().map(|class| class.name.as_str()).collect::<Vec<_>>()),
                path_text::argument(first)
            ),
            _ => format!("class folder {} has only folders in it; move its pictures into it", nested.name),
        }));
    }
    Ok(Folder { classes, beside: files.len(), outputs })
}

/// What is in a folder and not hidden, sorted.
fn entries(folder: &Path) -> Result<Vec<PathBuf>> {
    let refused = |error: io::Error| {
        let kind = if error.kind() == io::ErrorKind::PermissionDenied { Kind::Usage } else { Kind::Environment };
        Failure::new(kind, format!("{}: cannot be read: {error}", path_text::printable(folder)))
    };
    let is_left_out = |name: &OsStr| {
        name.as_encoded_bytes().starts_with(b".") || LEFT_BY_SYSTEMS.iter().any(|left| name.eq_ignore_ascii_case(left))
    };
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder).map_err(refused)? {
        let entry = entry.map_err(refused)?;
        if !is_left_out(&entry.file_name()) {
            paths.push(entry.path());
        }
    }
    paths.sort();
    Ok(paths)
}

/// Whether a folder is of a run or a sweep, or has such folders in it: the default `runs`, when the pictures are here.
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

/// Whether a reader would take two names for one.
fn same_word(a: &str, b: &str) -> bool {
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
    fn classes_and_files_come_sorted_and_hidden_ones_not_at_all() {
        let folder = made(&["dog", "cat", ".git", "cat/2.png", "cat/10.png", "cat/.x.png", "dog/1.png", "readme.txt"]);
        let found = open(folder.path()).unwrap();
        let names = |class: &Class| -> Vec<String> {
            class.files.iter().map(|file| file.file_name().unwrap().to_str().unwrap().to_owned()).collect()
        };
        assert_eq!(found.classes.iter().map(|class| class.name.as_str()).collect::<Vec<_>>(), ["cat", "dog"]);
        assert_eq!(names(&found.classes[0]), ["10.png", "2.png"]);
        assert_eq!(found.beside, 1);
    }

    #[test]
    fn what_is_no_folder_of_class_folders_is_refused() {
        for (paths, words) in [
            (&[][..], "has no folders in it, and 0 files"),
            (&["1.png", "2.png"], "has no folders in it, and 2 files"),
            (&["cat", "cat/1.png"], "has one class folder, cat; expected two or more"),
            (
                &["pets", "pets/cat", "pets/dog"],
                "has one class folder, pets; expected two or more, to tell apart; that has",
            ),
            (&["cat", "cat/1.png", "dog"], "class folder dog is empty"),
            (
                &["cat ", "cat /1.png", "dog", "dog/1.png"],
                "class folder \"cat \": its name begins or ends with a space",
            ),
            (&["cat\n", "cat\n/1.png", "dog", "dog/1.png"], "\"cat\\n\": its name has a control character; rename it"),
            (
                &["train", "val", "train/cat", "train/dog", "val/cat", "val/dog"],
                "is divided into train, val, each with class folders; name one of them: thawline adapt ",
            ),
            (&["cat", "cat/tabby", "dog", "dog/1.png"], "class folder cat has only folders in it"),
            (
                &["caf\u{e9}", "caf\u{e9}/1.png", "cafe\u{301}", "cafe\u{301}/1.png"],
                "has two class folders named \"caf\u{e9}\", in different Unicode forms",
            ),
            (&["cat", "cat/1.png", "Cat", "Cat/1.png"], "has class folders \"Cat\" and \"cat\""),
        ] {
            let folder = made(paths);
            // A file system that knows no case or one Unicode form has one folder for two names.
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
