//! The folder that processes share.

use std::{
    fs,
    sync::{
        Barrier,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use super::*;
use crate::{
    sweep::{
        folder::{SweepFolder, read_records},
        record::JobRecord,
    },
    system::failure::Kind,
};

#[test]
fn only_one_process_at_a_time_claims_a_job() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("sweep");
    let settings = settings(&data(2));
    let arm = arm("frozen");
    const CLAIMANTS: usize = 8;
    let (won, start, decided) = (AtomicUsize::new(0), Barrier::new(CLAIMANTS), Barrier::new(CLAIMANTS));
    thread::scope(|scope| {
        for _ in 0..CLAIMANTS {
            scope.spawn(|| {
                // All make the same new folder at once, as the tasks of a job array do.
                start.wait();
                let folder = SweepFolder::open(&path, &settings).unwrap();
                let claim = folder.claim(&arm, 3).unwrap();
                won.fetch_add(usize::from(claim.is_some()), Ordering::SeqCst);
                decided.wait();
            });
        }
    });
    assert_eq!(won.into_inner(), 1);
    let folder = SweepFolder::open(&path, &settings).unwrap();
    let claim = folder.claim(&arm, 3).unwrap();
    assert!(claim.is_some(), "a claim ends with its owner");
    assert!(folder.claim(&arm, 4).unwrap().is_some(), "another seed is another job");
    assert!(folder.claim(&arm, 3).unwrap().is_none());
}

#[test]
fn a_folder_belongs_to_one_sweep() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("sweep");
    let ours = settings(&data(2));
    drop(SweepFolder::open(&path, &ours).unwrap());
    let theirs = SweepSettings { epochs: 3, batch_size: 8, ..ours.clone() };
    let failure = SweepFolder::open(&path, &theirs).unwrap_err();
    assert_eq!(failure.kind, Kind::Usage);
    let words = "and this command have different settings: batch-size is 16 and 8, epochs is 2 and 3";
    assert!(failure.message.contains(words), "{failure}");
    // Where the pictures came from is not part of the settings; the pictures are.
    let mut moved = ours.clone();
    moved.data.path = Some("elsewhere/cifar-10-batches-bin".to_owned());
    moved.data.sentence = "Files in the release's format.".to_owned();
    SweepFolder::open(&path, &moved).unwrap();
    moved.data.sha256 = Some("0".to_owned());
    let failure = SweepFolder::open(&path, &moved).unwrap_err();
    assert!(failure.message.contains("different settings: data.sha256 is \""), "{failure}");

    let foreign = place.path().join("foreign");
    fs::create_dir(&foreign).unwrap();
    fs::write(foreign.join("thesis.tex"), "").unwrap();
    let failure = SweepFolder::open(&foreign, &ours).unwrap_err();
    assert!(failure.message.contains("is neither empty nor a sweep folder"), "{failure}");
    assert_eq!(fs::read_dir(&foreign).unwrap().count(), 1, "nothing was written");
}

#[test]
fn half_written_files_of_a_killed_process_are_removed_unless_another_is_writing() {
    let place = tempfile::tempdir().unwrap();
    let settings = settings(&data(2));
    let first = SweepFolder::open(place.path(), &settings).unwrap();
    let torn = [".a.partial", "jobs/.b.partial", "weights/.c.partial"].map(|name| place.path().join(name));
    torn.iter().for_each(|path| fs::write(path, "half").unwrap());
    let second = SweepFolder::open(place.path(), &settings).unwrap();
    assert!(torn.iter().all(|path| path.exists()), "the first process may be writing them");
    drop((first, second));
    drop(SweepFolder::open(place.path(), &settings).unwrap());
    assert!(torn.iter().all(|path| !path.exists()));
}

#[test]
fn a_record_has_its_own_name() {
    let place = tempfile::tempdir().unwrap();
    let settings = settings(&data(2));
    let path = place.path().join("sweep");
    let folder = SweepFolder::open(&path, &settings).unwrap();
    let record = JobRecord { settings: settings.hash(), ..record::record() };
    folder.finish(&record).unwrap();
    assert_eq!(read_records(&path, &settings).unwrap(), std::slice::from_ref(&record));
    let foreign = JobRecord { arm: Arm { name: "../../x".to_owned(), ..arm("frozen") }, ..record.clone() };
    for (record, words) in [
        (record, "copy.json is the record of frozen-seed-0; rename or remove it"),
        (foreign, "copy.json: not a job record: '../../x' is not the name of an arm; expected a-z, 0-9, - and @"),
    ] {
        fs::write(path.join("jobs/copy.json"), record.to_json()).unwrap();
        let failure = folder.remove_pictures(&settings).unwrap_err();
        assert!(failure.message.contains(words), "{failure}");
    }
    assert_eq!(fs::read_dir(place.path()).unwrap().count(), 1, "nothing was written outside");
}

#[cfg(unix)]
#[test]
fn links_in_a_sweep_folder_are_refused() {
    let settings = settings(&data(2));
    let arm = arm("frozen");
    for link in ["jobs", "weights", "claims", "claims/presence.lock", "claims/frozen-seed-3.lock", "claims/report.lock"]
    {
        let place = tempfile::tempdir().unwrap();
        let elsewhere = place.path().join("elsewhere");
        fs::create_dir_all(place.path().join("sweep/claims")).unwrap();
        fs::create_dir(&elsewhere).unwrap();
        let path = place.path().join("sweep").join(link);
        let _ = fs::remove_dir(&path);
        let target = if link.ends_with("lock") { elsewhere.join("file") } else { elsewhere.clone() };
        std::os::unix::fs::symlink(target, path).unwrap();
        let used = SweepFolder::open(&place.path().join("sweep"), &settings)
            .and_then(|folder| folder.claim(&arm, 3).and_then(|_| folder.claim_report()));
        let failure = used.unwrap_err();
        assert_eq!(failure.kind, Kind::Usage, "{failure}");
        assert!(failure.message.contains(link) && failure.message.contains("is a link"), "{failure}");
        assert_eq!(fs::read_dir(&elsewhere).unwrap().count(), 0, "{link}");
    }
}
