//! Faults of the disk and of what lies on it.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use assize::journal::line_of;
use serde_json::json;

use super::{CONVERSATIONS, Fault, HEALTHY, Play, Played, scene, settings};
use crate::damaged_cache::flip;
use crate::grader::Grader;
use crate::small_disk::SmallDisk;
use crate::workspace::{COMMIT_GROUP, SLOTS, Workspace};

/// A finished audit; then something happens to a file, and the same command is run again.
fn afterwards(damage: fn(&Workspace)) -> Played {
    let (workspace, grader) = scene("");
    workspace.run(&[]).expect(0);
    damage(&workspace);
    let hit = workspace.run(&[]);
    Played::through(workspace, &grader, hit)
}

/// The same, where the run refuses: then the hint is followed, and it is run again.
fn refused(damage: fn(&Workspace) -> PathBuf, mend: fn(&Workspace, &Path, &[u8])) -> Played {
    let (workspace, grader) = scene("");
    workspace.run(&[]).expect(0);
    let path = damage(&workspace);
    let damaged = fs::read(&path).unwrap();
    let hit = workspace.run(&[]);
    assert_eq!(fs::read(&path).unwrap(), damaged, "what is refused is left as it is");
    mend(&workspace, &path, &damaged);
    Played::again(workspace, &grader, hit)
}

fn log(workspace: &Workspace) -> PathBuf {
    workspace.last_file("cache/replies", ".jsonl")
}

fn journal(workspace: &Workspace) -> PathBuf {
    workspace.last_file("runs/latest", ".jsonl")
}

fn snapshot(workspace: &Workspace) -> PathBuf {
    fs::read_dir(workspace.path("cache/units")).unwrap().next().unwrap().unwrap().path()
}

fn middle(path: &Path) -> usize {
    usize::try_from(fs::metadata(path).unwrap().len() / 2).unwrap()
}

fn cut(path: &Path, bytes: u64) {
    let file = OpenOptions::new().write(true).open(path).unwrap();
    file.set_len(file.metadata().unwrap().len() - bytes).unwrap();
}

/// Makes a checksummed file say that it has format 99.
fn raise(path: &Path, kind: &str) {
    let text = fs::read_to_string(path).unwrap();
    let (_, rest) = text.split_once('\n').unwrap();
    let header = String::from_utf8(line_of(&json!({"kind": kind, "format": 99})).unwrap()).unwrap();
    fs::write(path, header + rest).unwrap();
}

/// What the newer version would do to make its file readable again: here, put the old header back.
fn lower(path: &Path, kind: &str) {
    let text = fs::read_to_string(path).unwrap();
    let (_, rest) = text.split_once('\n').unwrap();
    let header = String::from_utf8(line_of(&json!({"kind": kind, "format": 1})).unwrap()).unwrap();
    fs::write(path, header + rest).unwrap();
}

fn move_run_away(workspace: &Workspace) {
    let folder = fs::canonicalize(workspace.path("runs/latest")).unwrap();
    fs::rename(folder, workspace.path("damaged-run")).unwrap();
}

fn damaged_journal() -> Played {
    let (workspace, grader) = scene("");
    workspace.run(&[]).expect(0);
    flip(&journal(&workspace), middle(&journal(&workspace)));
    let hit = workspace.run(&[]);
    move_run_away(&workspace);
    let mended = Some(workspace.run(&[]));
    Played { books_moved: true, ..Played::new(workspace, vec![grader.stats()], hit, mended) }
}

fn on(disk: SmallDisk) -> (SmallDisk, Workspace, Grader) {
    let workspace = Workspace::at(disk.path(), CONVERSATIONS);
    let grader = Grader::start(&workspace, HEALTHY);
    workspace.audit(&settings(&grader));
    (disk, workspace, grader)
}

fn full() -> Option<Played> {
    let (disk, workspace, grader) = on(SmallDisk::mount()?);
    let running = workspace.start(&[]);
    grader.received(30);
    let ballast = disk.fill();
    let hit = running.wait();
    fs::remove_file(ballast).unwrap();
    Some(Played { _disk: Some(disk), ..Played::again(workspace, &grader, hit) })
}

fn nearly_full() -> Option<Played> {
    let (disk, workspace, grader) = on(SmallDisk::of("40m")?);
    let ballast = disk.fill_but(3 << 20);
    let mut running = workspace.start(&[]);
    running.says("paused before the disk is full");
    fs::remove_file(ballast).unwrap();
    let hit = running.wait();
    Some(Played { _disk: Some(disk), ..Played::through(workspace, &grader, hit) })
}

fn read_only() -> Option<Played> {
    let (disk, workspace, grader) = on(SmallDisk::mount()?);
    disk.mount_with(&["-o", "remount,ro"]).unwrap();
    let hit = workspace.run(&[]);
    disk.mount_with(&["-o", "remount,rw"]).unwrap();
    Some(Played { _disk: Some(disk), ..Played::again(workspace, &grader, hit) })
}

fn stalls() -> Option<Played> {
    let (disk, workspace, grader) = on(SmallDisk::that_can_stall()?);
    let running = workspace.start(&[]);
    for point in [20, 60] {
        grader.received(point);
        disk.stall().unwrap();
        grader.idle();
        disk.go_on().unwrap();
    }
    let hit = running.wait();
    Some(Played { _disk: Some(disk), ..Played::through(workspace, &grader, hit) })
}

fn torn_export() -> Played {
    let (first, _asked) = scene("");
    first.run(&[]).expect(0);
    let exported = first.assize(&["cache", "export", "--out", "night.jsonl"]);
    assert_eq!(exported.code, Some(0), "{exported:?}");
    let (workspace, grader) = scene("");
    let text = fs::read_to_string(first.path("night.jsonl")).unwrap();
    let half: Vec<_> = text.lines().take(text.lines().count() / 2).collect();
    fs::write(workspace.path("night.jsonl"), half.join("\n") + "\n").unwrap();
    let hit = workspace.assize(&["cache", "import", "night.jsonl"]);
    Played::again(workspace, &grader, hit)
}

pub(super) static FAULTS: &[Fault] = &[
    Fault {
        name: "the disk fills up",
        play: Play::OnDisk(full),
        code: 2,
        says: "the disk is full",
        twice: SLOTS + COMMIT_GROUP,
    },
    Fault {
        name: "the disk is nearly full",
        play: Play::OnDisk(nearly_full),
        code: 0,
        says: "the run goes on",
        twice: 0,
    },
    Fault {
        name: "the disk is read-only",
        play: Play::OnDisk(read_only),
        code: 2,
        says: "Read-only file system",
        twice: 0,
    },
    Fault { name: "the disk stalls", play: Play::OnDisk(stalls), code: 0, says: "", twice: 0 },
    Fault {
        name: "the log ends in half a reply",
        play: Play::Anywhere(|| afterwards(|workspace| cut(&log(workspace), 30))),
        code: 0,
        says: "",
        twice: 1,
    },
    Fault {
        name: "a byte of the log flips",
        play: Play::Anywhere(|| afterwards(|workspace| flip(&log(workspace), middle(&log(workspace))))),
        code: 0,
        says: "is skipped",
        twice: 1,
    },
    Fault {
        name: "a byte of the index flips",
        play: Play::Anywhere(|| afterwards(|workspace| flip(&workspace.path("cache/index/db"), 600))),
        code: 0,
        says: "",
        twice: 0,
    },
    Fault {
        name: "the index is garbage",
        play: Play::Anywhere(|| {
            afterwards(|workspace| {
                fs::write(workspace.path("cache/index/db"), [0xa5; 4_096]).unwrap();
                fs::write(workspace.path("cache/index/conf"), [0xa5; 64]).unwrap();
            })
        }),
        code: 0,
        says: "the reply index was damaged",
        twice: 0,
    },
    Fault {
        name: "the index is gone",
        play: Play::Anywhere(|| afterwards(|workspace| fs::remove_dir_all(workspace.path("cache/index")).unwrap())),
        code: 0,
        says: "",
        twice: 0,
    },
    Fault {
        name: "the journal ends in half a line",
        play: Play::Anywhere(|| {
            afterwards(|workspace| {
                let mut file = OpenOptions::new().append(true).open(journal(workspace)).unwrap();
                file.write_all(b"{\"crc32c\":\"0000").unwrap();
            })
        }),
        code: 0,
        says: "",
        twice: 0,
    },
    Fault {
        name: "a byte of the journal flips",
        play: Play::Anywhere(damaged_journal),
        code: 2,
        says: "move its run folder away",
        twice: 0,
    },
    Fault {
        name: "the census is damaged",
        play: Play::Anywhere(|| afterwards(|workspace| cut(&workspace.census(), 10))),
        code: 0,
        says: "",
        twice: 0,
    },
    Fault {
        name: "the copied conversations are damaged",
        play: Play::Anywhere(|| {
            afterwards(|workspace| {
                let path = snapshot(workspace).join("conversations");
                flip(&path, middle(&path));
            })
        }),
        code: 0,
        says: "made again from the corpus",
        twice: 0,
    },
    Fault {
        name: "the copied conversations are gone",
        play: Play::Anywhere(|| afterwards(|workspace| fs::remove_dir_all(workspace.path("cache/units")).unwrap())),
        code: 0,
        says: "",
        twice: 0,
    },
    Fault {
        name: "a log of a later version",
        play: Play::Anywhere(|| {
            refused(
                |workspace| {
                    raise(&log(workspace), "replies");
                    log(workspace)
                },
                |_, path, _| lower(path, "replies"),
            )
        }),
        code: 2,
        says: "has replies format 99",
        twice: 0,
    },
    Fault {
        name: "a journal of a later version",
        play: Play::Anywhere(|| {
            refused(
                |workspace| {
                    raise(&journal(workspace), "events");
                    journal(workspace)
                },
                |_, path, _| lower(path, "events"),
            )
        }),
        code: 2,
        says: "has events format 99",
        twice: 0,
    },
    Fault {
        name: "a copy of conversations of a later version",
        play: Play::Anywhere(|| {
            refused(
                |workspace| {
                    let path = snapshot(workspace).join("units");
                    let mut bytes = fs::read(&path).unwrap();
                    bytes[8..12].copy_from_slice(&99u32.to_le_bytes());
                    fs::write(&path, bytes).unwrap();
                    path
                },
                |_, path, bytes| {
                    let mut bytes = bytes.to_vec();
                    bytes[8..12].copy_from_slice(&1u32.to_le_bytes());
                    fs::write(path, bytes).unwrap();
                },
            )
        }),
        code: 2,
        says: "has format 99",
        twice: 0,
    },
    Fault {
        name: "an export that was cut off",
        play: Play::Anywhere(torn_export),
        code: 1,
        says: "the file was cut off",
        twice: 0,
    },
];
