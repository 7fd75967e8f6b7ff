//! Headings, indented sentences and small aligned tables.

use std::fmt::Display;
use std::sync::atomic::{AtomicU32, Ordering};

const INDENT: &str = "    ";

/// Begins a step of the story.
pub fn step(title: &str) {
    static STEPS: AtomicU32 = AtomicU32::new(1);
    let number = STEPS.fetch_add(1, Ordering::Relaxed);
    println!("\n{:<4}{title}\n", format!("{number}."));
}

/// Says one sentence.
pub fn say(text: impl Display) {
    println!("{INDENT}{text}");
}

/// Leaves a line empty.
pub fn gap() {
    println!();
}

/// Rows under a head. Columns of numbers are aligned at the decimal point, others to the left; a zero
/// is shown as a dash, so that what is not zero catches the eye.
pub struct Table<const N: usize> {
    rows: Vec<[String; N]>,
}

impl<const N: usize> Table<N> {
    pub fn new(head: [&str; N]) -> Self {
        Self { rows: vec![head.map(str::to_owned)] }
    }

    pub fn row(&mut self, cells: [String; N]) {
        self.rows.push(cells);
    }

    pub fn print(mut self) {
        for column in 0..N {
            self.align(column);
        }
        for row in &self.rows {
            say(row.join("  ").trim_end());
        }
    }

    fn align(&mut self, column: usize) {
        let numbers = self.rows.iter().skip(1).all(|row| is_number(&row[column]));
        if numbers {
            let places = self.rows.iter().skip(1).map(|row| fraction(&row[column])).max().unwrap_or(0);
            for row in self.rows.iter_mut().skip(1) {
                if row[column] == "0" {
                    row[column] = "-".to_owned();
                }
                let padding = places - fraction(&row[column]);
                row[column].push_str(&" ".repeat(padding));
            }
        }
        let width = self.rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
        for row in &mut self.rows {
            let cell = &row[column];
            row[column] = if numbers { format!("{cell:>width$}") } else { format!("{cell:<width$}") };
        }
    }
}

fn is_number(cell: &str) -> bool {
    cell.chars().all(|c| c.is_ascii_digit() || c == '.')
}

/// How many characters stand from the decimal point on.
fn fraction(cell: &str) -> usize {
    cell.find('.').map_or(0, |point| cell.len() - point)
}
