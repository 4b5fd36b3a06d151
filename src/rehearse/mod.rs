//! The simulated grader and corpus, with planted truth.
