//! Disks that are full, must not be written, or stall.

use std::fs;
use std::process::Command;

use assize::model::event::StopReason;
use rustix::process::Signal;

use crate::grader::Grader;
use crate::small_disk::SmallDisk;
use crate::workspace::{AuditSettings, COMMIT_GROUP, SLOTS, Workspace};

#[test]
fn a_full_disk_stops_the_run_and_nothing_that_was_kept_is_lost() {
    let Some(disk) = SmallDisk::mount() else { return };
    let workspace = Workspace::at(disk.path(), 120);
    let grader = Grader::start(&workspace, "seed = 12\nlatency_ms = 4");
    workspace.audit(&AuditSettings::of(&grader));
    let running = workspace.start(&[]);
    grader.received(60);
    let ballast = disk.fill();
    let finished = running.wait();
    let said = finished.refusal(2);
    assert!(said.contains("the disk is full") && said.contains("hint: make room"), "{said}");
    let paid = grader.stats().replies_200;
    assert!(paid < 300, "nothing more was asked for once nothing could be kept: {paid}");

    let again = workspace.run(&[]);
    assert!(again.refusal(2).contains("the disk is full"), "{}", again.stderr);
    assert_eq!(grader.stats().replies_200, paid, "a full disk is noticed before anything is sent");

    fs::remove_file(ballast).unwrap();
    let finished = workspace.run(&[]);
    let report = finished.expect(0);
    assert!(grader.repeated() <= SLOTS + COMMIT_GROUP, "{}", grader.repeated());
    let unharmed = Workspace::new(120);
    unharmed.audit(&AuditSettings::of(&grader));
    assert_eq!(unharmed.run(&[]).expect(0).digest, report.digest);
}

/// Of a disk of 40 MiB a tenth must stay free.
const SMALL: &str = "40m";
/// Less than that, and enough for what is on the wire.
const SCARCE: u64 = 3 << 20;

#[test]
fn a_run_pauses_before_the_disk_is_full_and_goes_on_by_itself() {
    let Some(disk) = SmallDisk::of(SMALL) else { return };
    let workspace = Workspace::at(disk.path(), 60);
    let grader = Grader::start(&workspace, "seed = 12\nlatency_ms = 300");
    workspace.audit(&AuditSettings::of(&grader));
    let ballast = disk.fill_but(SCARCE);
    let mut running = workspace.start(&[]);
    running.says("paused before the disk is full");
    assert_eq!(grader.stats().requests, 0, "nothing is sent before there is room");
    fs::remove_file(ballast).unwrap();
    running.says("the run goes on");

    grader.received(SLOTS * 2);
    let ballast = disk.fill_but(SCARCE);
    running.says("paused before the disk is full");
    fs::remove_file(ballast).unwrap();
    let finished = running.wait();
    let report = finished.expect(0);
    assert_eq!(finished.stderr.matches("the run goes on\n").count(), 2, "{}", finished.stderr);
    assert_eq!((report.requests.sent, grader.repeated()), (grader.stats().requests, 0));
    let unharmed = Workspace::new(60);
    unharmed.audit(&AuditSettings::of(&grader));
    assert_eq!(unharmed.run(&[]).expect(0).digest, report.digest, "a pause leaves no trace in the figures");
}

#[test]
fn a_paused_run_can_be_interrupted_and_resumed() {
    let Some(disk) = SmallDisk::of(SMALL) else { return };
    let workspace = Workspace::at(disk.path(), 20);
    let grader = Grader::start(&workspace, "seed = 12");
    workspace.audit(&AuditSettings::of(&grader));
    let ballast = disk.fill_but(SCARCE);
    let mut running = workspace.start(&[]);
    running.says("paused before the disk is full");
    running.signal(Signal::TERM);
    let partial = running.wait().expect(130);
    assert_eq!((partial.sessions.stop, partial.requests.sent), (Some(StopReason::Interrupted), 0));
    fs::remove_file(ballast).unwrap();
    workspace.run(&[]).expect(0);
}

#[test]
fn a_read_only_disk_sends_nothing_and_still_shows_what_it_holds() {
    let Some(disk) = SmallDisk::mount() else { return };
    let workspace = Workspace::at(disk.path(), 30);
    let grader = Grader::start(&workspace, "seed = 13");
    workspace.audit(&AuditSettings::of(&grader));
    workspace.run(&[]).expect(0);
    let before = grader.stats();
    disk.mount_with(&["-o", "remount,ro"]).unwrap();

    let refused = workspace.run(&[]);
    let said = refused.refusal(2);
    assert!(said.contains("permission denied or read-only file system"), "{said}");
    assert!(said.contains("hint: a run writes what it pays for"), "{said}");
    let shown = workspace.assize(&["report", "--format", "json"]);
    assert_eq!(shown.code, Some(0), "{}", shown.stderr);
    assert_eq!(workspace.assize(&["cache", "verify"]).code, Some(0));
    assert_eq!(grader.stats(), before);
}

#[test]
fn a_cache_folder_that_must_not_be_written_replays_and_refuses_to_pay() {
    let Some(disk) = SmallDisk::mount() else { return };
    let workspace = Workspace::new(30);
    let grader = Grader::start(&workspace, "seed = 13");
    workspace.audit(&AuditSettings::of(&grader));
    let report = workspace.run(&[]).expect(0);
    let before = grader.stats();

    // The cache moves to a disk of its own, which is then made read-only.
    let cache = workspace.path("cache");
    let moved = Command::new("cp").arg("-a").arg(cache.join(".")).arg(disk.path()).status().unwrap();
    assert!(moved.success());
    disk.mount_with(&["-o", "remount,ro"]).unwrap();
    fs::remove_dir_all(&cache).unwrap();
    std::os::unix::fs::symlink(disk.path(), &cache).unwrap();

    let refused = workspace.run(&[]);
    let said = refused.refusal(2);
    assert!(said.contains("permission denied or read-only file system"), "{said}");
    assert!(said.contains("hint: a run writes what it pays for"), "{said}");
    let replayed = workspace.run(&["--cache", "read-only"]);
    assert_eq!(replayed.expect(0).digest, report.digest);
    assert_eq!(grader.stats(), before, "nothing was sent");
}

#[test]
fn a_disk_that_stalls_makes_everybody_wait_and_loses_nothing() {
    let Some(disk) = SmallDisk::that_can_stall() else { return };
    let workspace = Workspace::at(disk.path(), 120);
    let grader = Grader::start(&workspace, "seed = 12\nlatency_ms = 4");
    workspace.audit(&AuditSettings::of(&grader));
    let running = workspace.start(&[]);
    for point in [40, 100, 160] {
        grader.received(point);
        disk.stall().unwrap();
        let before = grader.stats().requests;
        grader.idle();
        let after = grader.stats().requests;
        assert!(after <= before + SLOTS, "only what was on record already leaves: {before}, {after}");
        disk.go_on().unwrap();
    }
    let finished = running.wait();
    let report = finished.expect(0);
    assert_eq!((report.requests.sent, grader.repeated()), (grader.stats().requests, 0), "{}", finished.stderr);
    let unharmed = Workspace::new(120);
    unharmed.audit(&AuditSettings::of(&grader));
    assert_eq!(unharmed.run(&[]).expect(0).digest, report.digest);
}
