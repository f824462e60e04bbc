//! Numbers as people read them.

/// Three digits or so: `7.94M`, `340k`, `342`, `21.9`, `1.05`.
pub fn figure(x: f64) -> String {
    match x.abs() {
        _ if !x.is_finite() => "-".into(),
        a if a >= 9_995_000.0 => format!("{:.1}M", x / 1e6),
        a if a >= 999_500.0 => format!("{:.2}M", x / 1e6),
        a if a >= 9_995.0 => format!("{:.0}k", x / 1e3),
        a if a >= 99.95 => format!("{x:.0}"),
        a if a >= 9.995 => format!("{x:.1}"),
        _ => format!("{x:.2}"),
    }
}

/// A ratio: two digits behind the point, fewer where they say nothing.
pub fn ratio(x: f64) -> String {
    match x.abs() {
        _ if !x.is_finite() => "-".into(),
        a if a >= 100.0 => format!("{x:.0}"),
        a if a >= 10.0 => format!("{x:.1}"),
        _ => format!("{x:.2}"),
    }
}
