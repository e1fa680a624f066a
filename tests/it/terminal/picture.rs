//! A terminal's screen as an SVG, for the documents.

use std::fmt::Write;

use vt100::Color;

const FONT_SIZE: f64 = 14.0;
const CELL: (f64, f64) = (8.43, 19.0);
const MARGIN: f64 = 12.0;

/// The 16 colours of a terminal, and what it has for text and background.
const SIXTEEN: [&str; 16] = [
    "#07080d", "#ffc0b9", "#b3f6c0", "#fce094", "#a6dbff", "#ffcaff", "#8cf8f7", "#eef1f8",
    "#4f5258", "#ffc0b9", "#b3f6c0", "#fce094", "#a6dbff", "#ffcaff", "#8cf8f7", "#eef1f8",
];
const TEXT: &str = "#e0e2ea";
const BACKGROUND: &str = "#14161b";

/// How a cell is drawn.
#[derive(Clone, PartialEq)]
struct Style {
    text: String,
    background: String,
    attributes: String,
}

/// The first `rows` rows of a screen, on the background of its upper right corner. The caret is a
/// bar before the cell that it is in.
pub fn svg(screen: &vt100::Screen, title: &str, rows: u16) -> String {
    let columns = screen.size().1.get();
    let corner = screen.cell(0, columns - 1).map_or(Color::Default, vt100::Cell::bgcolor);
    let ground = hex(corner, BACKGROUND);
    let height = MARGIN * 2.0 + f64::from(rows) * CELL.1;
    let width = MARGIN * 2.0 + f64::from(columns) * CELL.0;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.0} {height:.0}\" \
         font-family=\"ui-monospace,SFMono-Regular,Menlo,Consolas,monospace\" \
         font-size=\"{FONT_SIZE}\"><title>{}</title>\n\
         <rect width=\"100%\" height=\"100%\" rx=\"8\" fill=\"{ground}\"/>\n",
        escaped(title)
    );
    for row in 0..rows {
        for (column, style, text) in runs(screen, row, columns) {
            draw(&mut svg, (row, column), &style, &text, &ground);
        }
    }
    let (row, column) = screen.cursor_position();
    if !screen.hide_cursor() && row < rows {
        let (x, y) = place(row, column);
        let height = CELL.1;
        let _ = writeln!(
            svg,
            "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"2\" height=\"{height}\" fill=\"{TEXT}\"/>"
        );
    }
    svg + "</svg>\n"
}

/// The upper left corner of a cell.
fn place(row: u16, column: u16) -> (f64, f64) {
    (MARGIN + f64::from(column) * CELL.0, MARGIN + f64::from(row) * CELL.1)
}

/// A row's texts of one style each, with the columns that they begin in.
fn runs(screen: &vt100::Screen, row: u16, columns: u16) -> Vec<(u16, Style, String)> {
    let mut all: Vec<(u16, Style, String)> = Vec::new();
    for column in 0..columns {
        let Some(cell) = screen.cell(row, column) else { continue };
        if cell.is_wide_continuation() {
            continue;
        }
        let (mut text, mut background) =
            (hex(cell.fgcolor(), TEXT), hex(cell.bgcolor(), BACKGROUND));
        if cell.inverse() {
            std::mem::swap(&mut text, &mut background);
        }
        let mut attributes = String::new();
        for (is_on, attribute) in [
            (cell.bold(), " font-weight=\"bold\""),
            (cell.italic(), " font-style=\"italic\""),
            (cell.underline(), " text-decoration=\"underline\""),
            (cell.dim(), " opacity=\"0.6\""),
        ] {
            attributes.push_str(if is_on { attribute } else { "" });
        }
        let style = Style { text, background, attributes };
        let contents = if cell.has_contents() { cell.contents() } else { " " };
        match all.last_mut() {
            Some((_, last, text)) if *last == style => text.push_str(contents),
            _ => all.push((column, style, contents.to_owned())),
        }
    }
    all
}

fn draw(svg: &mut String, (row, column): (u16, u16), style: &Style, text: &str, ground: &str) {
    let (x, y) = place(row, column);
    let n_cells = text.chars().count() as f64;
    let (width, height) = (n_cells * CELL.0, CELL.1);
    if style.background != ground {
        let fill = &style.background;
        let _ = writeln!(
            svg,
            "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height}\" fill=\"{fill}\"/>"
        );
    }
    let words = text.trim_end();
    if words.is_empty() {
        return;
    }
    let width = words.chars().count() as f64 * CELL.0;
    let (fill, attributes) = (&style.text, &style.attributes);
    let _ = writeln!(
        svg,
        "<text x=\"{x:.1}\" y=\"{:.1}\" xml:space=\"preserve\" fill=\"{fill}\" \
         textLength=\"{width:.1}\"{attributes}>{}</text>",
        y + FONT_SIZE,
        escaped(words)
    );
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// A colour as SVG has it; xterm's, where it is one of the 256.
fn hex(colour: Color, otherwise: &str) -> String {
    let rgb = |r: u8, g: u8, b: u8| format!("#{r:02x}{g:02x}{b:02x}");
    match colour {
        Color::Default => otherwise.to_owned(),
        Color::Rgb(r, g, b) => rgb(r, g, b),
        Color::Idx(n @ 0..=15) => SIXTEEN[usize::from(n)].to_owned(),
        Color::Idx(n @ 16..=231) => {
            let level = |it: u8| if it == 0 { 0 } else { it * 40 + 55 };
            rgb(level((n - 16) / 36), level((n - 16) / 6 % 6), level((n - 16) % 6))
        }
        Color::Idx(n) => {
            let grey = (n - 232) * 10 + 8;
            rgb(grey, grey, grey)
        }
    }
}
