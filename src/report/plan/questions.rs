//! Answers to questions about sample sizes.

use serde::Serialize;

use super::super::layout::{Page, Style};
use super::super::rate::{Scale, count};
use crate::model::rate::Level;
use crate::plan::questions::Question;

/// Questions with their answers.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Answers {
    /// Version of this form.
    pub schema: u32,
    /// Confidence level.
    pub level: f64,
    /// One row an answer.
    pub answers: Vec<AnswerRow>,
}

/// One answer.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AnswerRow {
    /// `detect`, `at_most` or `fold`.
    pub question: &'static str,
    /// The rate asked about, 0 to 1; of two groups the lower one.
    pub rate: f64,
    /// How many times the other rate is, for `fold`.
    pub fold: Option<f64>,
    /// The probability that the difference shows, for `fold`.
    pub power: Option<f64>,
    /// Units, of each group for `fold`; null if there would have to be more than anybody has.
    pub units: Option<u64>,
}

impl Answers {
    /// Answers questions at a confidence level.
    #[must_use]
    pub fn new(questions: &[Question], level: Level) -> Self {
        let answers = questions.iter().flat_map(|question| {
            let (name, rate, fold) = match *question {
                Question::Detect(rate) => ("detect", rate, None),
                Question::AtMost(rate) => ("at_most", rate, None),
                Question::Fold { fold, base } => ("fold", base, Some(fold)),
            };
            question.answer(level).into_iter().map(move |answer| AnswerRow {
                question: name,
                rate: rate.get(),
                fold,
                power: answer.power,
                units: answer.units,
            })
        });
        Self { schema: 1, level: level.get(), answers: answers.collect() }
    }
}

/// The answers as text, 80 columns wide.
#[must_use]
pub fn render(answers: &Answers, style: Style) -> String {
    let mut page = Page::new(style);
    let level = answers.level * 100.0;
    for row in &answers.answers {
        let units = row.units.map_or_else(|| "too many".to_owned(), count);
        let scale = Scale::fitting(row.rate);
        let rate = format!("{} {}", scale.number(row.rate), scale.as_str());
        let sentence = match (row.fold, row.power) {
            (Some(fold), Some(power)) => format!(
                "random units of each of two groups show that a rate is {fold} times {rate}, with probability {power}, at \
                 {level}%"
            ),
            _ if row.question == "detect" => {
                format!("random units hold at least one, if the rate is {rate}, with probability {level}%")
            }
            _ => format!("random units without a single one say that the rate is at most {rate}, at {level}%"),
        };
        page.wrapped(&format!("{units:>13}  "), &sentence);
    }
    if answers.answers.iter().any(|row| row.fold.is_some()) {
        page.wrapped(
            &" ".repeat(15),
            "two-sided exact test; every unit of both groups graded, every one that shows it detected",
        );
    }
    page.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::estimate::detect::Chance;

    #[test]
    fn the_answers_are_sentences() {
        let chance = |rate| Chance::new(rate).unwrap();
        let questions = [
            Question::Detect(chance(1e-4)),
            Question::AtMost(chance(1e-6)),
            Question::fold(1.5, chance(2e-4)).unwrap(),
            Question::fold(1.0001, chance(2e-4)).unwrap(),
        ];
        let answers = Answers::new(&questions, Level::new(0.95).unwrap());
        insta::assert_snapshot!(render(&answers, Style::Plain));
    }
}
