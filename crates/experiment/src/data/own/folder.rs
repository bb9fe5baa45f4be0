//! Lists the classes of a folder of class folders, and the files of each.

use std::{
    ffi::OsStr,
    fmt, fs, io,
    path::{Path, PathBuf},
};

use unicode_normalization::UnicodeNormalization;

use crate::system::{
    console::listed,
    failure::{Failure, Kind, Result},
    names, number, path_text,
};

/// The maximum number of classes: a confusion matrix of 1000 classes still fits a page.
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

/// The usual folder names of the parts of a data set: for training, for validation, for testing.
const PARTS: [&[&str]; 3] =
    [&["train", "training"], &["val", "valid", "validation", "dev"], &["test", "testing", "eval"]];

/// How many levels of subfolders are searched: a link to a folder above it would make an endless path.
const MAX_DEPTH: usize = 4;

const OWN_OUTPUT: &str = "this program's own output";

/// A class, named after its folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Class {
    /// Normalized to Unicode's composed form (NFC).
    pub name: String,
    /// All files, sorted by name; those of `val`, if it is for training, follow those of `train`. Whether they are
    /// pictures is known only after decoding.
    pub files: Vec<PathBuf>,
    /// The files to test the model on.
    pub test: Vec<PathBuf>,
}

/// A folder's classes and its other content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Folder {
    /// The classes, sorted by name.
    pub classes: Vec<Class>,
    /// The folder of the test pictures, if there is one.
    pub test: Option<PathBuf>,
    /// Number of files outside the class folders.
    pub stray_files: usize,
    /// Folders that are not classes, and what they are.
    pub ignored: Vec<(PathBuf, &'static str)>,
}

/// A data set that is divided into folders such as `train`, `val` and `test`.
#[derive(Debug, Default)]
struct Division {
    /// The training pictures: `train`, and `val` if other pictures are for testing.
    training: Vec<PathBuf>,
    test: Option<PathBuf>,
    ignored: Vec<(PathBuf, &'static str)>,
}

/// Lists a folder. Hidden entries (`.git`, `.DS_Store`), system files and this program's outputs are ignored; links are
/// followed. The order does not depend on the file system. The test pictures are those in `test`; by default, those in
/// a folder named `test` or `val` beside `train`.
pub fn open(folder: &Path, test: Option<&Path>) -> Result<Folder> {
    require_folder(folder)?;
    let division = division(folder, test)?;
    let mut training = division.training.iter();
    let mut found = classes(training.next().map_or(folder, PathBuf::as_path))?;
    found.ignored.extend(division.ignored);
    for more in training {
        for (class, files) in matched(more, &found.names())? {
            found.classes[class].files.extend(files);
        }
    }
    found.test = division.test;
    if let Some(test) = &found.test {
        require_folder(test)?;
        if is_same(test, division.training.first().map_or(folder, PathBuf::as_path)) {
            return Err(wrong(test, "holds the training pictures; name a folder of other pictures to test on"));
        }
        for (class, files) in matched(test, &found.names())? {
            found.classes[class].test.extend(files);
        }
    }
    Ok(found)
}

/// The files of the class folders in a folder of test pictures: the index of each class among `names`, and its files.
/// If the folder holds `train`, its `test` or else its `val` is meant.
pub fn test_files(folder: &Path, names: &[&str]) -> Result<Vec<(usize, Vec<PathBuf>)>> {
    require_folder(folder)?;
    let division = division(folder, None)?;
    matched(division.test.as_deref().unwrap_or(folder), names)
}

/// The files in a folder and, up to `MAX_DEPTH` levels down, in the folders in it.
pub fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    fn below(folder: &Path, depth: usize) -> Result<Vec<PathBuf>> {
        let (folders, mut files) = folders_and_files(folder)?;
        for folder in folders.iter().filter(|folder| depth > 0 && !is_output(folder)) {
            files.extend(below(folder, depth - 1)?);
        }
        Ok(files)
    }
    below(folder, MAX_DEPTH)
}

/// Whether a path is a folder with folders of the user's pictures in it, rather than a data set.
pub fn is_of_pictures(path: &Path) -> bool {
    let Ok((folders, files)) = folders_and_files(path) else { return false };
    let is_data = |file: &PathBuf| {
        file.extension().is_some_and(|extension| ["bin", "gz", "tgz", "tar"].iter().any(|data| extension == *data))
    };
    let holds_data = |folder: &PathBuf| entries(folder).is_ok_and(|entries| entries.iter().any(is_data));
    !folders.is_empty() && !files.iter().any(is_data) && !folders.iter().any(holds_data)
}

fn require_folder(folder: &Path) -> Result<()> {
    match (folder.exists(), folder.is_dir()) {
        (true, true) => Ok(()),
        (true, false) => Err(wrong(folder, format!("is a file; {EXPECTED}"))),
        _ => Err(wrong(folder, format!("no such folder; {EXPECTED}"))),
    }
}

const EXPECTED: &str = "expected one folder of pictures per class";

fn wrong(folder: &Path, what: impl fmt::Display) -> Failure {
    Failure::usage(format!("{}: {what}", path_text::printable(folder)))
}

fn folders_and_files(folder: &Path) -> Result<(Vec<PathBuf>, Vec<PathBuf>)> {
    Ok(entries(folder)?.into_iter().partition(|path| path.is_dir()))
}

/// How a folder is divided, with other test pictures if they are given.
fn division(folder: &Path, given: Option<&Path>) -> Result<Division> {
    let given = given.map(Path::to_owned);
    let mut parts: [Option<PathBuf>; 3] = [None, None, None];
    let mut ignored = Vec::new();
    for path in folders_and_files(folder)?.0 {
        let name = path.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
        let Some(part) = PARTS.iter().position(|names| names.contains(&name.as_str())) else {
            // Beside `train` there may be a run folder, but no class.
            if !is_output(&path) {
                return Ok(Division { test: given, ..Division::default() });
            }
            ignored.push((path, OWN_OUTPUT));
            continue;
        };
        if folders_and_files(&path)?.0.is_empty() {
            ignored.push((path, "no class folders in it"));
        } else if let Some(other) = parts[part].replace(path.clone()) {
            let names = [other, path].map(|path| path_text::printable(&path)).join(" and ");
            return Err(wrong(folder, format!("has both {names}; merge them")));
        }
    }
    let [Some(train), validation, test] = parts else { return Ok(Division { test: given, ..Division::default() }) };
    // One of the parts may be given.
    let is_other = |part: &PathBuf| given.as_ref().is_none_or(|given| !is_same(part, given));
    let [validation, test] = [validation, test].map(|part| part.filter(is_other));
    if let (Some(_), Some(unused)) = (&given, &test) {
        ignored.push((unused.clone(), "--test names other pictures"));
    }
    Ok(match given.or(test) {
        Some(test) => Division { training: [train].into_iter().chain(validation).collect(), test: Some(test), ignored },
        None => Division { training: vec![train], test: validation, ignored },
    })
}

/// Whether two paths lead to the same file or folder.
fn is_same(a: &Path, b: &Path) -> bool {
    fs::canonicalize(a).is_ok_and(|a| fs::canonicalize(b).is_ok_and(|b| a == b))
}

/// The files of a folder's class folders, each with the index of its class in `names`.
fn matched(folder: &Path, names: &[&str]) -> Result<Vec<(usize, Vec<PathBuf>)>> {
    let (folders, _) = folders_and_files(folder)?;
    let folders: Vec<_> = folders.into_iter().filter(|path| !is_output(path)).collect();
    if folders.is_empty() {
        return Err(wrong(folder, format!("has no folders; {EXPECTED}")));
    }
    let class = |path: &PathBuf| {
        let name = name(path)?;
        let unknown =
            || wrong(folder, format!("class {name:?} is not one of {}; rename or remove its folder", listed(names)));
        Ok((names.iter().position(|known| *known == name).ok_or_else(unknown)?, entries(path)?))
    };
    folders.iter().map(class).collect()
}

/// The classes of a folder that is not divided, without test pictures.
pub fn classes(folder: &Path) -> Result<Folder> {
    let wrong = |what: String| wrong(folder, what);
    let (folders, files) = folders_and_files(folder)?;
    let (outputs, folders): (Vec<_>, Vec<_>) = folders.into_iter().partition(|path| is_output(path));
    match folders.len() {
        0 => return Err(wrong(format!("has no folders and {}; {EXPECTED}", number::counted(files.len(), "file")))),
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
        classes.push(Class { name, files: entries(path)?, test: Vec::new() });
    }
    if let Some(empty) = classes.iter().find(|class| class.files.is_empty()) {
        return Err(wrong(format!("class folder {} is empty; remove it or add pictures", empty.name)));
    }
    if let Some(nested) = classes.iter().find(|class| class.files.iter().all(|path| path.is_dir())) {
        return Err(wrong(format!("class folder {} contains only folders; move its pictures up into it", nested.name)));
    }
    let ignored = outputs.into_iter().map(|path| (path, OWN_OUTPUT)).collect();
    Ok(Folder { classes, test: None, stray_files: files.len(), ignored })
}

impl Folder {
    fn names(&self) -> Vec<&str> {
        self.classes.iter().map(|class| class.name.as_str()).collect()
    }
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

/// Whether this is a run or sweep folder, or contains one, as the default folder `runs` does.
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

/// Whether two names are equal but for case and outer spaces.
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
        let found = open(folder.path(), None).unwrap();
        let names = |class: &Class| -> Vec<String> {
            class.files.iter().map(|file| file.file_name().unwrap().to_str().unwrap().to_owned()).collect()
        };
        assert_eq!(found.classes.iter().map(|class| class.name.as_str()).collect::<Vec<_>>(), ["cat", "dog"]);
        assert_eq!(names(&found.classes[0]), ["10.png", "2.png"]);
        assert_eq!(found.stray_files, 1);
    }

    #[test]
    fn the_parts_of_a_data_set_are_found() {
        let divided = [
            "train",
            "train/cat",
            "train/cat/1.png",
            "train/dog",
            "train/dog/2.png",
            "val",
            "val/cat",
            "val/cat/3.png",
        ];
        let files = |more: &[&str]| {
            let folder = made(&[&divided, more].concat());
            let found = open(folder.path(), None).unwrap();
            let names = |files: fn(&Class) -> &Vec<PathBuf>| -> Vec<String> {
                let files = found.classes.iter().flat_map(files);
                files.map(|file| file.file_name().unwrap().to_str().unwrap().to_owned()).collect()
            };
            [names(|class| &class.files), names(|class| &class.test)]
        };
        assert_eq!(files(&["test", "test/dog", "test/dog/4.png"]), [vec!["1.png", "3.png", "2.png"], vec!["4.png"]]);
        // Pictures without labels cannot be tested on.
        assert_eq!(files(&["test", "test/4.png"]), [vec!["1.png", "2.png"], vec!["3.png"]]);
        // With other test pictures, `val` is for training.
        let [folder, elsewhere] = [made(&divided), made(&["dog", "dog/5.png"])];
        let found = open(folder.path(), Some(elsewhere.path())).unwrap();
        assert_eq!(
            found.classes.iter().map(|class| [class.files.len(), class.test.len()]).collect::<Vec<_>>(),
            [[2, 0], [1, 1]]
        );
        // A folder given as `--test` is not also used for training.
        let found = open(folder.path(), Some(&folder.path().join("val"))).unwrap();
        let counts = found.classes.iter().map(|class| [class.files.len(), class.test.len()]);
        assert_eq!(counts.collect::<Vec<_>>(), [[1, 1], [1, 0]]);
        assert!(found.ignored.is_empty(), "{:?}", found.ignored);
        let failure = open(folder.path(), Some(&folder.path().join("train"))).unwrap_err();
        assert!(failure.message.contains("holds the training pictures"), "{failure}");
        // `train` may be a class like any other.
        let folder = made(&["car", "car/1.png", "train", "train/2.png"]);
        assert_eq!(open(folder.path(), None).unwrap().names(), ["car", "train"]);
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
                &["test", "train", "test/ox", "train/cat", "train/cat/1.png", "train/dog", "train/dog/1.png"],
                "class \"ox\" is not one of cat, dog",
            ),
            (&["train", "Training", "train/cat", "Training/cat"], "; merge them"),
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
            let failure = open(folder.path(), None).unwrap_err();
            assert_eq!(failure.kind, Kind::Usage);
            assert!(failure.message.contains(words), "{words}: {failure}");
        }
        assert!(open(Path::new("/nowhere/at/all"), None).unwrap_err().message.contains("no such folder"));
        let folder = made(&["a.png"]);
        assert!(open(&folder.path().join("a.png"), None).unwrap_err().message.contains("is a file"));
    }
}
