//! A folder of class folders: which classes there are, and the files of each.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use crate::{
    classes,
    failure::{Failure, Kind, Result},
};

/// The most classes, for which a confusion matrix still is a page.
const MOST_CLASSES: usize = 1000;

/// A class: its name is its folder's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Class {
    /// The name.
    pub name: String,
    /// What the folder holds, sorted by name; whether they are pictures shows when they are read.
    pub files: Vec<PathBuf>,
}

/// The classes of a folder, and how many entries beside their folders belong to none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Folder {
    /// The classes, sorted by name.
    pub classes: Vec<Class>,
    /// Files that lie beside the class folders.
    pub beside: usize,
}

/// Looks into a folder. Hidden entries (`.git`, `.DS_Store`) are passed over, links are followed, and the order does not
/// depend on the file system.
///
/// # Errors
/// No folder, fewer than two class folders, names that cannot be told apart; a system that refuses.
pub fn open(folder: &Path) -> Result<Folder> {
    let expected = "expected a folder with a folder of pictures for each class";
    let wrong = |what: String| Failure::usage(format!("{}: {what}", folder.display()));
    if !folder.exists() {
        return Err(wrong(format!("no such folder; {expected}")));
    }
    if !folder.is_dir() {
        return Err(wrong(format!("is a file; {expected}")));
    }
    let (folders, files): (Vec<_>, Vec<_>) = entries(folder)?.into_iter().partition(|path| path.is_dir());
    let count = |n: usize, what: &str| format!("{n} {what}{}", if n == 1 { "" } else { "s" });
    match folders.len() {
        0 => return Err(wrong(format!("has no folders in it, and {}; {expected}", count(files.len(), "file")))),
        1 => {
            let only = name(&folders[0])?;
            let hint = match entries(&folders[0])?.iter().any(|path| path.is_dir()) {
                true => format!("; that has folders in it: is it {} that you mean?", folders[0].display()),
                false => String::new(),
            };
            return Err(wrong(format!("has one class folder, {only}; expected two or more, to tell apart{hint}")));
        }
        2..=MOST_CLASSES => {}
        more => return Err(wrong(format!("has {more} class folders; expected at most {MOST_CLASSES}"))),
    }
    let mut classes: Vec<Class> = Vec::new();
    for path in folders {
        let name = name(&path)?;
        if let Some(twin) = classes.iter().find(|class| same_word(&class.name, &name)) {
            return Err(wrong(format!("has class folders {:?} and {name:?}: rename or join them", twin.name)));
        }
        classes.push(Class { name, files: entries(&path)? });
    }
    if let Some(empty) = classes.iter().find(|class| class.files.is_empty()) {
        return Err(wrong(format!("class folder {} is empty; remove it, or put pictures into it", empty.name)));
    }
    Ok(Folder { classes, beside: files.len() })
}

/// What is in a folder and not hidden, sorted.
fn entries(folder: &Path) -> Result<Vec<PathBuf>> {
    let refused = |error: io::Error| {
        let kind = if error.kind() == io::ErrorKind::PermissionDenied { Kind::Usage } else { Kind::Environment };
        Failure::new(kind, format!("{}: cannot be read: {error}", folder.display()))
    };
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder).map_err(refused)? {
        let entry = entry.map_err(refused)?;
        if !entry.file_name().as_encoded_bytes().starts_with(b".") {
            paths.push(entry.path());
        }
    }
    paths.sort();
    Ok(paths)
}

fn name(folder: &Path) -> Result<String> {
    let name = folder.file_name().unwrap_or_default();
    match name.to_str().ok_or("is not text").and_then(|text| classes::check_name(text).map(|()| text)) {
        Ok(text) => Ok(text.to_owned()),
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
            (&["cat", "cat/1.png", "Cat", "Cat/1.png"], "has class folders \"Cat\" and \"cat\""),
        ] {
            let folder = made(paths);
            // A file system that knows no case has one folder for two names.
            if words.contains("\"Cat\"") && fs::read_dir(folder.path()).unwrap().count() < 2 {
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
