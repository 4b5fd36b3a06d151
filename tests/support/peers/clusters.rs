//! A rate over units that come in clusters.

use assize::model::rate::Level;

use super::survey::korn_graubard;
use super::{Bounds, around, length, real, student_critical};

/// `hits` positives among the `size` units of one cluster.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cluster {
    pub(crate) size: u64,
    pub(crate) hits: u64,
}

pub(crate) fn units(clusters: &[Cluster]) -> f64 {
    clusters.iter().map(|cluster| real(cluster.size)).sum()
}

/// Positives over units.
pub(crate) fn ratio(clusters: &[Cluster]) -> f64 {
    clusters.iter().map(|cluster| real(cluster.hits)).sum::<f64>() / units(clusters)
}

/// Delete-one-cluster values of the ratio.
pub(crate) fn leave_one_out(clusters: &[Cluster]) -> Vec<f64> {
    let whole = units(clusters);
    let hits = ratio(clusters) * whole;
    clusters.iter().map(|cluster| (hits - real(cluster.hits)) / (whole - real(cluster.size))).collect()
}

/// The ratio of positives to units, its standard errors and its intervals.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ratio {
    pub(crate) mean: f64,
    /// Linearised, with m / (m - 1).
    pub(crate) se: f64,
    /// The same without m / (m - 1).
    pub(crate) se_uncorrected: f64,
    /// Against a simple random sample of units.
    pub(crate) design_effect: f64,
    /// Clusters less one.
    pub(crate) df: f64,
    pub(crate) korn_graubard: Bounds,
    pub(crate) student: Bounds,
    pub(crate) se_jackknife: f64,
    pub(crate) intraclass: f64,
}

/// Linearisation as survey packages do it (Taylor series; Kish 1965, chapter 6).
pub(crate) fn linearised(clusters: &[Cluster], level: Level) -> Ratio {
    let (m, n, mean) = (length(clusters), units(clusters), ratio(clusters));
    let squares: f64 = clusters.iter().map(|cluster| (real(cluster.hits) - mean * real(cluster.size)).powi(2)).sum();
    let se_uncorrected = squares.sqrt() / n;
    let se = (m / (m - 1.0)).sqrt() * se_uncorrected;
    let df = m - 1.0;
    let left_out = leave_one_out(clusters);
    let centre = left_out.iter().sum::<f64>() / m;
    let spread: f64 = left_out.iter().map(|value| (value - centre).powi(2)).sum();
    Ratio {
        mean,
        se,
        se_uncorrected,
        design_effect: se * se / (mean * (1.0 - mean) / (n - 1.0)),
        df,
        korn_graubard: korn_graubard(mean, se, n, df, level),
        student: around(mean, student_critical(level, df) * se),
        se_jackknife: (df / m * spread).sqrt(),
        intraclass: intraclass(clusters),
    }
}

/// The intraclass correlation by analysis of variance (Donner, International Statistical Review 54, 1986).
fn intraclass(clusters: &[Cluster]) -> f64 {
    let (m, n, mean) = (length(clusters), units(clusters), ratio(clusters));
    let own = |cluster: &Cluster| real(cluster.hits) / real(cluster.size);
    let between: f64 = clusters.iter().map(|cluster| real(cluster.size) * (own(cluster) - mean).powi(2)).sum();
    let within: f64 = clusters.iter().map(|cluster| real(cluster.hits) * (1.0 - own(cluster))).sum();
    let (between, within) = (between / (m - 1.0), within / (n - m));
    let usual = (n - clusters.iter().map(|cluster| real(cluster.size).powi(2)).sum::<f64>() / n) / (m - 1.0);
    (between - within) / (between + (usual - 1.0) * within)
}

/// The bias-reduced standard error of a mean (R. M. Bell and others, Survey Methodology 28, 2002), and the degrees of
/// freedom of Satterthwaite, both under independence within clusters as the working model.
pub(crate) fn bias_reduced(clusters: &[Cluster]) -> (f64, f64) {
    let (n, mean) = (units(clusters), ratio(clusters));
    let (mut variance, mut own, mut across, mut trace) = (0.0, 0.0, 0.0, 0.0);
    for cluster in clusters {
        let size = real(cluster.size);
        let factor = 1.0 / (1.0 - size / n);
        variance += factor * (real(cluster.hits) - mean * size).powi(2) / (n * n);
        let block = factor * (size - size * size / n);
        trace += block;
        // The sum over pairs of clusters factorises; a cluster's pair with itself is replaced by its block.
        let with_itself = factor * size * size / n;
        own += block * block - with_itself * with_itself;
        across += with_itself;
    }
    (variance.sqrt(), trace * trace / (own + across * across))
}
