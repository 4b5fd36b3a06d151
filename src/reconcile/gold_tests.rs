//! Hidden gold beside units: who gets what, and that neither enters the other's figures.

use proptest::prelude::*;

use super::*;
use crate::model::event::Event;
use crate::model::fixture::{admitted, graded, judged, label, planned, unit};
use crate::model::gold::{ByKind, GoldRead};
use crate::model::grading::Stage;
use crate::model::hash::Digest;
use crate::model::tally::Tally;
use crate::model::verdict::Judgement::{Absent, Present};
use crate::reconcile::{Definitions, Fold};

fn asked(positive: u64, near_miss: u64, seats: &[&str]) -> GoldDraw {
    let seats = seats.iter().map(|seat| (*seat).to_owned()).collect();
    GoldDraw { items: ByKind { positive, near_miss }, seats }
}

fn id(n: u64) -> ReviewId {
    ReviewId::of_gold(&Digest::of(&n.to_le_bytes()))
}

fn item(n: u64, kind: GoldKind) -> GoldItem {
    GoldItem { id: id(n), kind, pair: n.to_string(), author: None }
}

/// Positives with even numbers, near misses with odd ones.
fn pool(items: u64) -> Vec<GoldItem> {
    (0..items).map(|n| item(n, if n % 2 == 0 { GoldKind::Positive } else { GoldKind::NearMiss })).collect()
}

/// Twelve flagged units of which the confirmer upholds the first six.
fn fold(gold: Option<GoldDraw>, items: Vec<GoldItem>, labels: &[Label]) -> Tally {
    let mut fold = Fold::new(Definitions::plain(true));
    fold.event(&Event::Planned(Box::new(Planned { gold, ..planned(&[("core", "rl", 12, 12)]) })));
    for n in 0..12 {
        fold.event(&admitted(n, 0, unit("rl", &format!("c{n}"), 1)));
        let verdict = if n < 6 { Present } else { Absent };
        fold.event(&Event::Judged(Box::new(judged(n, Stage::Screen, graded(Present)))));
        fold.event(&Event::Judged(Box::new(judged(n, Stage::Confirm, graded(verdict)))));
    }
    for label in labels {
        fold.label(label);
    }
    fold.gold(items, [id(1_000)].into());
    fold.finish().unwrap()
}

fn of_unit(n: u64) -> String {
    ReviewId::of_unit(&unit("rl", &format!("c{n}"), 1)).to_string()
}

fn read(read: u64, confirmed: u64) -> GoldRead {
    GoldRead { read, confirmed }
}

#[test]
fn seats_share_what_is_drawn_and_nobody_reads_a_pair_or_their_own() {
    let mut items = pool(40);
    for item in &mut items {
        // Number 2n and 2n + 1 are twins; ana wrote the first ten.
        let n = (0..40).find(|n| id(*n) == item.id).unwrap();
        item.pair = (n / 2).to_string();
        item.author = (n < 10).then(|| "ana".to_owned());
    }
    let plan = planned(&[("core", "rl", 12, 12)]);
    let shares = shares(&plan, &asked(11, 11, &["ana", "bo"]), &items);
    let mut seen = BTreeSet::new();
    for QueuedGold { item, seat } in &shares {
        assert!(seen.insert(item.id), "drawn once");
        assert_ne!(&item.author, seat);
    }
    let of = |seat: &str, kind| {
        let mine = |share: &&QueuedGold| share.seat.as_deref() == Some(seat) && share.item.kind == kind;
        shares.iter().filter(mine).count()
    };
    for kind in GoldKind::ALL {
        assert_eq!(of("ana", kind) + of("bo", kind), 11);
        assert!(of("ana", kind).abs_diff(of("bo", kind)) <= 1, "{kind:?}");
    }
    for seat in ["ana", "bo"] {
        let mine: Vec<_> = shares.iter().filter(|share| share.seat.as_deref() == Some(seat)).collect();
        let pairs: BTreeSet<_> = mine.iter().map(|share| &share.item.pair).collect();
        assert_eq!(pairs.len(), mine.len(), "{seat}");
    }
    let alone = super::shares(&plan, &asked(20, 20, &[]), &items);
    assert_eq!(alone.len(), 20, "one of each pair where everybody shares");
    assert!(alone.iter().all(|share| share.is_for("bo")));
    let own = |share: &&QueuedGold| share.item.author.is_some();
    assert!(alone.iter().filter(own).all(|share| !share.is_for("ana")) && alone.iter().any(|share| own(&share)));
}

#[test]
fn decisions_about_gold_are_shares_of_their_own() {
    let say = |n: u64, seat: &str, decision| label(&id(n).to_string(), seat, decision, 1);
    let labels = [
        say(0, "ana", Decision::Yes),
        say(2, "ana", Decision::No),
        say(4, "ana", Decision::Unsure),
        say(6, "ana", Decision::Yes),
        say(6, "bo", Decision::No),
        say(1, "bo", Decision::Yes),
        say(3, "bo", Decision::No),
        label(&of_unit(0), "ana", Decision::Yes, 1),
        label(&of_unit(1), "bo", Decision::CannotJudge, 1),
        label(&id(99).to_string(), "bo", Decision::Yes, 1),
    ];
    let tally = fold(Some(asked(6, 6, &["ana", "bo"])), pool(12), &labels);
    let gold = tally.gold.unwrap();
    assert_eq!(gold.read, ByKind { positive: read(4, 1), near_miss: read(2, 1) }, "unsure and disputed are no yes");
    assert_eq!((gold.held, gold.drawn), (ByKind { positive: 6, near_miss: 6 }, ByKind { positive: 6, near_miss: 6 }));
    assert_eq!(gold.queue.len(), 6);
    let (ana, bo) = (gold.seats["ana"], gold.seats["bo"]);
    assert_eq!(ana.read, ByKind { positive: read(4, 2), near_miss: read(0, 0) });
    assert_eq!(bo.read, ByKind { positive: read(1, 0), near_miss: read(2, 1) });
    assert_eq!((ana.undecided, bo.undecided, ana.drawn + bo.drawn), (1, 0, 12));
    assert_eq!((tally.labels.decided, tally.labels.unmatched, tally.labels.foreign), (1, 1, 0));
    assert_eq!((tally.labels.seats["ana"].decided, tally.labels.seats["bo"].undecided), (1, 1));
    let by_people = tally.confirmed.iter().filter(|unit| unit.route.is_some()).count();
    assert_eq!((tally.confirmed.len(), by_people), (6, 1), "what nobody says yes or no to is the grader's");
}

#[test]
fn own_gold_is_not_used_and_gold_that_nobody_asks_for_any_more_still_counts() {
    let mut items = pool(4);
    items[0].author = Some("ana".to_owned());
    let labels = [0, 1, 2, 1_000].map(|n| label(&id(n).to_string(), "ana", Decision::Yes, 1));
    let gold = fold(None, items, &labels).gold.unwrap();
    assert_eq!((gold.own, gold.read), (1, ByKind { positive: read(1, 1), near_miss: read(1, 1) }));
    assert_eq!(gold.unused, 1, "what a definition cannot use is recognised all the same");
    assert_eq!((gold.drawn, gold.queue.len()), (ByKind::default(), 0));
    assert_eq!(fold(None, pool(4), &[]).gold, None, "nobody asked, and nobody read any");
}

#[test]
fn the_newest_decision_of_a_seat_counts_under_either_name_of_a_unit() {
    let labels = [
        label(&of_unit(0), "ana", Decision::Yes, 1),
        label("c0#1", "ana", Decision::No, 2),
        label("c1#1", "ana", Decision::No, 1),
        label(&of_unit(1), "ana", Decision::Yes, 2),
    ];
    let tally = fold(Some(asked(1, 1, &[])), pool(4), &labels);
    let by_people: Vec<_> = tally.confirmed.iter().filter(|unit| unit.route.is_some()).collect();
    assert_eq!(by_people.iter().map(|unit| unit.unit.conversation.as_str()).collect::<Vec<_>>(), ["c1"]);
    assert_eq!(tally.labels.seats["ana"].decided, 2);
}

proptest! {
    /// Whatever people say about gold, no figure of units changes; and a unit counts alike under its address and under its
    /// pseudonym.
    #[test]
    fn gold_never_enters_the_tally_of_units(
        of_gold in prop::collection::vec((0_u64..20, 0_usize..4, 0_usize..2), 0..30),
        of_units in prop::collection::vec((0_u64..12, 0_usize..4, 0_usize..2), 0..20),
        asks in any::<bool>(),
    ) {
        let kinds = [Decision::Yes, Decision::No, Decision::Unsure, Decision::CannotJudge];
        let seats = ["ana", "bo"];
        let minute = |position: usize| i64::try_from(position).unwrap();
        let of_gold: Vec<_> = (0..).zip(&of_gold)
            .map(|(at, (n, kind, seat))| label(&id(*n).to_string(), seats[*seat], kinds[*kind], minute(at)))
            .collect();
        let named = |name: fn(u64) -> String| -> Vec<Label> {
            (0..).zip(&of_units)
                .map(|(at, (n, kind, seat))| label(&name(*n), seats[*seat], kinds[*kind], minute(at)))
                .collect()
        };
        let (open, hidden) = (named(|n| format!("c{n}#1")), named(of_unit));
        let draw = || asks.then(|| asked(5, 5, &seats));
        let alone = fold(None, Vec::new(), &open);
        let with_gold = fold(draw(), pool(20), &[of_gold.clone(), hidden].concat());
        let unchanged = Tally {
            gold: None,
            plan: alone.plan.clone(),
            ..with_gold.clone()
        };
        prop_assert_eq!(&unchanged, &alone);
        let decided: BTreeSet<_> = of_gold.iter().map(|label| &label.unit).collect();
        let read = with_gold.gold.map_or(0, |gold| gold.read.positive.read + gold.read.near_miss.read);
        prop_assert_eq!(read, decided.len() as u64);
    }

    /// The draw depends on what there is, not on its order, and more of it holds less of it.
    #[test]
    fn the_draw_does_not_depend_on_the_order_of_files(order in Just(pool(30)).prop_shuffle(), more in 0_u64..10) {
        let plan = planned(&[("core", "rl", 12, 12)]);
        let ids = |positive, items: &[GoldItem]| -> BTreeSet<_> {
            shares(&plan, &asked(positive, 4, &["ana", "bo"]), items).into_iter().map(|share| share.item.id).collect()
        };
        prop_assert_eq!(ids(5, &order), ids(5, &pool(30)));
        prop_assert!(ids(5 + more, &order).is_superset(&ids(5, &order)));
    }
}
