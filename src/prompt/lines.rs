//! What differs between two texts, line by line.

use std::ops::Range;

use serde::Serialize;

/// Lines around a change that are shown with it.
const CONTEXT: usize = 3;

/// Above this many pairs of lines no common ones are looked for: the whole stretch counts as replaced.
const MOST_PAIRS: usize = 4_000_000;

/// One line of a comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(tag = "in", content = "line", rename_all = "snake_case")]
pub enum DiffLine<'a> {
    /// In both texts.
    Both(&'a str),
    /// In the first only.
    First(&'a str),
    /// In the second only.
    Second(&'a str),
}

/// Changes that lie close together, with the lines around them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Hunk<'a> {
    /// Its first line in the first text, from 1.
    pub first: usize,
    /// Its first line in the second text, from 1.
    pub second: usize,
    /// Its lines in order.
    pub lines: Vec<DiffLine<'a>>,
}

impl Hunk<'_> {
    /// Its lines in the first text and in the second.
    #[must_use]
    pub fn lengths(&self) -> (usize, usize) {
        let (mut first, mut second) = (0, 0);
        for line in &self.lines {
            match line {
                DiffLine::Both(_) => (first, second) = (first + 1, second + 1),
                DiffLine::First(_) => first += 1,
                DiffLine::Second(_) => second += 1,
            }
        }
        (first, second)
    }
}

/// The hunks that turn the first text into the second: a longest common subsequence of lines stays (R. A. Wagner and M. J.
/// Fischer, Journal of the ACM 21, 1974). None if the texts have the same lines.
#[must_use]
pub fn hunks<'a>(first: &'a str, second: &'a str) -> Vec<Hunk<'a>> {
    let lines = compared(&first.lines().collect::<Vec<_>>(), &second.lines().collect::<Vec<_>>());
    let changed: Vec<usize> = lines
        .iter()
        .enumerate()
        .filter(|(_, line)| !matches!(line, DiffLine::Both(_)))
        .map(|(index, _)| index)
        .collect();
    let mut ranges: Vec<Range<usize>> = Vec::new();
    for index in changed {
        let (start, end) = (index.saturating_sub(CONTEXT), (index + CONTEXT + 1).min(lines.len()));
        match ranges.last_mut() {
            Some(last) if start <= last.end => last.end = end,
            Some(_) | None => ranges.push(start..end),
        }
    }
    ranges.into_iter().map(|range| hunk(&lines, range)).collect()
}

fn hunk<'a>(lines: &[DiffLine<'a>], range: Range<usize>) -> Hunk<'a> {
    let (before, within) = (&lines[..range.start], &lines[range]);
    let (first, second) = Hunk { first: 0, second: 0, lines: before.to_vec() }.lengths();
    Hunk { first: first + 1, second: second + 1, lines: within.to_vec() }
}

/// All lines of both texts.
fn compared<'a>(first: &[&'a str], second: &[&'a str]) -> Vec<DiffLine<'a>> {
    let same = |(a, b): &(&&str, &&str)| a == b;
    let head = first.iter().zip(second).take_while(same).count();
    let (first_rest, second_rest) = (&first[head..], &second[head..]);
    let tail = first_rest.iter().rev().zip(second_rest.iter().rev()).take_while(same).count();
    let (middle, end) = first_rest.split_at(first_rest.len() - tail);
    let mut lines: Vec<_> = first[..head].iter().copied().map(DiffLine::Both).collect();
    lines.extend(replaced(middle, &second_rest[..second_rest.len() - tail]));
    lines.extend(end.iter().copied().map(DiffLine::Both));
    lines
}

fn replaced<'a>(first: &[&'a str], second: &[&'a str]) -> Vec<DiffLine<'a>> {
    let width = second.len() + 1;
    let is_long = first.len().saturating_mul(second.len()) > MOST_PAIRS;
    // How many lines the rests from each pair of places have in common.
    let mut common = vec![0_u32; if is_long { 0 } else { (first.len() + 1) * width }];
    if !is_long {
        for a in (0..first.len()).rev() {
            for b in (0..second.len()).rev() {
                common[a * width + b] = if first[a] == second[b] {
                    common[(a + 1) * width + b + 1] + 1
                } else {
                    common[(a + 1) * width + b].max(common[a * width + b + 1])
                };
            }
        }
    }
    let (mut a, mut b) = (0, 0);
    let mut lines = Vec::with_capacity(first.len() + second.len());
    while !is_long && a < first.len() && b < second.len() {
        if first[a] == second[b] {
            lines.push(DiffLine::Both(first[a]));
            (a, b) = (a + 1, b + 1);
        } else if common[(a + 1) * width + b] >= common[a * width + b + 1] {
            lines.push(DiffLine::First(first[a]));
            a += 1;
        } else {
            lines.push(DiffLine::Second(second[b]));
            b += 1;
        }
    }
    lines.extend(first[a..].iter().copied().map(DiffLine::First));
    lines.extend(second[b..].iter().copied().map(DiffLine::Second));
    lines
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn shown(first: &str, second: &str) -> String {
        let line = |line: &DiffLine<'_>| match line {
            DiffLine::Both(text) => format!(" {text}\n"),
            DiffLine::First(text) => format!("-{text}\n"),
            DiffLine::Second(text) => format!("+{text}\n"),
        };
        let hunk = |hunk: &Hunk<'_>| {
            let (first, second) = hunk.lengths();
            let lines = hunk.lines.iter().map(line).collect::<String>();
            format!("@@ {},{first} {},{second}\n{lines}", hunk.first, hunk.second)
        };
        hunks(first, second).iter().map(hunk).collect()
    }

    #[test]
    fn changes_come_with_the_lines_around_them() {
        let first = "1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n11\n12\n";
        let second = "1\n2\n3\n4\nfive\n6\n7\n8\n9\n10\n11\n12\n13\n";
        insta::assert_snapshot!(shown(first, second), @r"
        @@ 2,7 2,7
         2
         3
         4
        -5
        +five
         6
         7
         8
        @@ 10,3 10,4
         10
         11
         12
        +13
        ");
        assert_eq!(shown(first, first), "");
        assert_eq!(shown("", "a"), "@@ 1,0 1,1\n+a\n");
    }

    #[test]
    fn a_stretch_that_is_too_long_is_replaced_as_a_whole() {
        let text = |word: &str| format!("{word}\nsame\n").repeat(2_100);
        let (first, second) = (text("a"), text("b"));
        let found = hunks(&first, &second);
        assert_eq!((found.len(), found[0].lengths()), (1, (4_199 + 1, 4_199 + 1)));
    }

    proptest! {
        #[test]
        fn each_text_can_be_read_from_the_comparison(first in prop::collection::vec("[abc]", 0..12), second in prop::collection::vec("[abc]", 0..12)) {
            let (first, second): (Vec<_>, Vec<_>) =
                (first.iter().map(String::as_str).collect(), second.iter().map(String::as_str).collect());
            let lines = compared(&first, &second);
            let read = |keep: fn(&DiffLine<'_>) -> bool| -> Vec<&str> {
                let text = |line: &DiffLine<'_>| match *line {
                    DiffLine::Both(text) | DiffLine::First(text) | DiffLine::Second(text) => text.to_owned(),
                };
                lines.iter().filter(|line| keep(line)).map(text).map(|text| &*text.leak()).collect()
            };
            prop_assert_eq!(read(|line| !matches!(line, DiffLine::Second(_))), first.clone());
            prop_assert_eq!(read(|line| !matches!(line, DiffLine::First(_))), second.clone());
            prop_assert_eq!(first == second, lines.iter().all(|line| matches!(line, DiffLine::Both(_))));
        }
    }
}
