//! Cells in aligned columns, for all that prints lists.

/// Lines of cells under each other, indented by two blanks and `blanks` apart. A column that is empty in every line takes no room,
/// and no line ends with a blank.
pub fn columns(lines: &[impl AsRef<[String]>], blanks: usize) -> String {
    let lines = || lines.iter().map(AsRef::as_ref);
    let most = lines().map(<[String]>::len).max().unwrap_or(0);
    let width = |column: usize| {
        let cells = lines().filter_map(|line| line.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..most).map(width).collect();
    let gap = " ".repeat(blanks);
    let line = |cells: &[String]| {
        let cells = cells.iter().zip(&widths).filter(|(_, width)| **width > 0);
        let cells: Vec<String> = cells
            .map(|(cell, width)| format!("{cell:<width$}"))
            .collect();
        format!("  {}\n", cells.join(&gap).trim_end())
    };
    lines().map(line).collect()
}
