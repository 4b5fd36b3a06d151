use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::*;
use crate::model::conversation::{Message, Role};
use crate::model::unit::Group;

fn stratum(group: &str) -> Stratum {
    Stratum { class: "none".to_owned(), group: Group(vec![group.to_owned()]) }
}

fn conversation(id: &str, turns: &[&str]) -> Conversation {
    let pair = |text: &&str| [Message::text(Role::User, "?"), Message::text(Role::Assistant, *text)];
    Conversation { id: id.to_owned(), messages: turns.iter().flat_map(pair).collect(), metadata: [].into() }
}

fn selected(ordinal: u64, stratum: u32, turn: u32) -> Selected {
    Selected { ordinal: Ordinal(ordinal), stratum, turn: Some(turn) }
}

/// Three units of two conversations that share an id in two groups.
fn write(dir: &Path) -> Snapshot {
    let mut writer = SnapshotWriter::create(dir, &Digest::of(b"s"), &[stratum("a"), stratum("b")], 3).unwrap();
    writer.add(&conversation("c#1", &["one", "two"]), &[selected(2, 0, 3), selected(0, 0, 1)]).unwrap();
    writer.add(&conversation("c#1", &["one", "other"]), &[selected(1, 1, 1)]).unwrap();
    writer.finish().unwrap()
}

#[test]
fn units_come_back_in_order_of_admission() {
    let dir = tempfile::tempdir().unwrap();
    let written = write(dir.path());
    let snapshot = Snapshot::open(dir.path(), &Digest::of(b"s")).unwrap().unwrap();
    assert_eq!((written.len(), snapshot.len(), snapshot.is_empty()), (3, 3, false));
    let units: Vec<_> = (0..3).map(|ordinal| snapshot.get(Ordinal(ordinal)).unwrap()).collect();
    let names: Vec<_> = units.iter().map(|unit| (unit.id.group.to_string(), unit.id.to_string())).collect();
    let name = |group: &str, id: &str| (group.to_owned(), id.to_owned());
    assert_eq!(names, [name("a", "c#1#1"), name("b", "c#1#1"), name("a", "c#1#3")]);
    assert_eq!(units[2].conversation, conversation("c#1", &["one", "two"]));
    assert!(matches!(snapshot.get(Ordinal(3)), Err(UnitsError::NoSuchUnit { .. })));
}

#[test]
fn copies_up_to_the_turn_share_their_content() {
    let dir = tempfile::tempdir().unwrap();
    let snapshot = write(dir.path());
    let content = |ordinal| snapshot.get(Ordinal(ordinal)).unwrap().content;
    assert_eq!(content(0), content(1));
    assert_ne!(content(0), content(2));
    let whole = conversation("c#1", &["one", "two"]);
    assert_eq!(turn_contents(&whole).last(), Some((3, whole.content_digest())));
}

#[test]
fn a_whole_conversation_is_a_unit_without_a_turn() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = SnapshotWriter::create(dir.path(), &Digest::of(b"w"), &[stratum("a")], 1).unwrap();
    let whole = conversation("c#1", &["one", "two"]);
    writer.add(&whole, &[Selected { ordinal: Ordinal(0), stratum: 0, turn: None }]).unwrap();
    let snapshot = writer.finish().unwrap();
    let unit = snapshot.get(Ordinal(0)).unwrap();
    assert_eq!((unit.id.turn, unit.id.to_string(), unit.content), (None, "c#1".to_owned(), whole.content_digest()));
    assert_eq!(unit.conversation, whole);
    assert_eq!(snapshot.find("c#1").unwrap(), [Ordinal(0)]);
    assert!(snapshot.find("c#1#1").unwrap().is_empty());
}

#[test]
fn units_are_found_by_address() {
    let dir = tempfile::tempdir().unwrap();
    let snapshot = write(dir.path());
    let find = |address| snapshot.find(address).unwrap().into_iter().map(|ordinal| ordinal.0).collect::<Vec<_>>();
    assert_eq!(find("c#1#1"), [0, 1]);
    assert_eq!(find("c#1#3"), [2]);
    assert_eq!(find("c#1"), [0, 1, 2]);
    assert!(find("c").is_empty());
}

#[test]
fn an_unfinished_snapshot_leaves_nothing_and_a_finished_one_is_private() {
    let dir = tempfile::tempdir().unwrap();
    let digest = Digest::of(b"s");
    let mut writer = SnapshotWriter::create(dir.path(), &digest, &[stratum("a")], 1).unwrap();
    let error = writer.add(&conversation("c", &["one"]), &[selected(0, 0, 0)]).unwrap_err();
    assert_eq!(error.to_string(), "message 0 of `c` is not a turn");
    assert!(matches!(writer.finish(), Err(UnitsError::Incomplete { missing: 1 })));
    assert!(fs::read_dir(dir.path()).unwrap().next().is_none());
    assert!(Snapshot::open(dir.path(), &digest).unwrap().is_none());

    write(dir.path());
    write(dir.path());
    let folder = dir.path().join(digest.to_string());
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    for (path, mode) in [(folder.clone(), 0o700), (folder.join(UNITS), 0o600), (folder.join(CONVERSATIONS), 0o600)] {
        assert_eq!(fs::metadata(path).unwrap().permissions().mode() & 0o777, mode);
    }
}

#[test]
fn every_flipped_byte_is_noticed() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path());
    let digest = Digest::of(b"s");
    for file in [UNITS, CONVERSATIONS] {
        let path = dir.path().join(digest.to_string()).join(file);
        let whole = fs::read(&path).unwrap();
        for at in 0..whole.len() {
            let mut bytes = whole.clone();
            bytes[at] ^= 0x10;
            fs::write(&path, bytes).unwrap();
            let read_all = || -> Result<(), UnitsError> {
                let snapshot = Snapshot::open(dir.path(), &digest)?.unwrap();
                (0..3).try_for_each(|ordinal| snapshot.get(Ordinal(ordinal)).map(drop))
            };
            match read_all() {
                Err(UnitsError::Damaged { .. } | UnitsError::Newer { .. }) => {}
                other => panic!("byte {at} of `{file}`: {other:?}"),
            }
        }
        fs::write(&path, whole).unwrap();
    }
}

#[test]
fn a_cut_file_is_damaged() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path());
    let digest = Digest::of(b"s");
    let folder = dir.path().join(digest.to_string());
    let shorten = |file: &str, bytes: u64| {
        let file = fs::OpenOptions::new().write(true).open(folder.join(file)).unwrap();
        file.set_len(file.metadata().unwrap().len() - bytes).unwrap();
    };
    shorten(CONVERSATIONS, 1);
    let snapshot = Snapshot::open(dir.path(), &digest).unwrap().unwrap();
    assert!(snapshot.get(Ordinal(0)).is_ok());
    let error = snapshot.get(Ordinal(1)).unwrap_err().to_string();
    assert!(error.starts_with("unit 1 in `"), "{error}");
    shorten(UNITS, 1);
    assert!(matches!(Snapshot::open(dir.path(), &digest), Err(UnitsError::Damaged { .. })));
}

#[test]
fn known_positives_come_before_the_sample() {
    let (dir, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut writer = SnapshotWriter::create(other.path(), &Digest::of(b"k"), &[stratum("b")], 1).unwrap();
    writer.add(&conversation("known", &["yes"]), &[selected(0, 0, 1)]).unwrap();
    let units = Units::new(Some(writer.finish().unwrap()), write(dir.path()));
    assert_eq!((units.known(), units.len(), units.is_empty()), (1, 4, false));
    let all: Vec<_> = (0..4).map(|ordinal| units.get(Ordinal(ordinal)).unwrap()).collect();
    let shown: Vec<_> = all.iter().map(|unit| (unit.ordinal.0, unit.id.to_string(), unit.stratum)).collect();
    let row = |ordinal, id: &str, stratum| (ordinal, id.to_owned(), stratum);
    let expected =
        [row(0, "known#1", None), row(1, "c#1#1", Some(0)), row(2, "c#1#1", Some(1)), row(3, "c#1#3", Some(0))];
    assert_eq!(shown, expected);
    assert_eq!(units.find("known").unwrap(), [Ordinal(0)]);
    assert_eq!(units.find("c#1#1").unwrap(), [Ordinal(1), Ordinal(2)]);
    assert!(units.get(Ordinal(4)).is_err());
}

#[test]
fn a_sample_can_be_asked_for_contents_and_for_the_last_of_each_stratum() {
    let dir = tempfile::tempdir().unwrap();
    let snapshot = write(dir.path());
    let content = snapshot.get(Ordinal(2)).unwrap().content;
    let wanted = [content, Digest::of(b"elsewhere")].into();
    assert_eq!(snapshot.contents_among(&wanted).unwrap(), [content].into());
    assert_eq!(snapshot.last_of_strata().unwrap(), [Some(Ordinal(2)), Some(Ordinal(1))]);
}
