//! The graph as a drawing: Graphviz, Mermaid, SVG, and boxes with their places.

use super::picture::Picture;
use super::print::describe;
use super::{Graph, Id, Node};
use crate::hir::Pretrain;
use crate::passes::build;
use layout::backends::svg::SVGWriter;
use layout::core::base::Orientation;
use layout::core::color::Color;
use layout::core::format::{RenderBackend, Visible};
use layout::core::geometry::Point;
use layout::core::style::StyleAttr;
use layout::std_shapes::shapes::{Arrow, Element, ShapeKind};
use layout::topo::layout::VisualGraph;
use std::collections::BTreeMap;

/// The training step of `pretrain` in Graphviz' language.
pub fn dot(pretrain: &Pretrain, name: &str) -> String {
    dot_of(&build(pretrain).0, pretrain, name)
}

/// [`dot`] of any graph of `pretrain`.
pub fn dot_of(graph: &Graph, pretrain: &Pretrain, name: &str) -> String {
    let drawing = Drawing::new(graph, pretrain);
    let mut out = format!(
        "digraph \"{}\" {{\n  rankdir=TB;\n  node [shape=box, fontname=\"monospace\"];\n",
        quoted(name)
    );
    for (i, (label, colour)) in drawing.boxes.iter().enumerate() {
        let lines: Vec<String> = label.iter().map(|line| quoted(line)).collect();
        out += &format!(
            "  n{i} [label=\"{}\", style=filled, fillcolor=\"{colour}\"];\n",
            lines.join("\\n")
        );
    }
    for (from, to, gradient) in &drawing.arrows {
        let style = if *gradient { " [style=bold]" } else { "" };
        out += &format!("  n{from} -> n{to}{style};\n");
    }
    out + "}\n"
}

/// The training step of `pretrain` as a Mermaid flowchart.
pub fn mermaid(pretrain: &Pretrain, name: &str) -> String {
    mermaid_of(&build(pretrain).0, pretrain, name)
}

/// [`mermaid`] of any graph of `pretrain`.
pub fn mermaid_of(graph: &Graph, pretrain: &Pretrain, name: &str) -> String {
    let drawing = Drawing::new(graph, pretrain);
    let mut out = format!("---\ntitle: \"{}\"\n---\nflowchart TB\n", quoted(name));
    for (i, (label, _)) in drawing.boxes.iter().enumerate() {
        let lines: Vec<String> = label.iter().map(|line| entities(line)).collect();
        out += &format!("  n{i}[\"{}\"]\n", lines.join("<br/>"));
    }
    for (from, to, gradient) in &drawing.arrows {
        let arrow = if *gradient { "==>" } else { "-->" };
        out += &format!("  n{from} {arrow} n{to}\n");
    }
    for (i, (_, colour)) in drawing.boxes.iter().enumerate() {
        out += &format!("  style n{i} fill:{colour}\n");
    }
    out
}

/// The training step of `pretrain` as an SVG picture.
pub fn svg(pretrain: &Pretrain, name: &str) -> String {
    svg_of(&build(pretrain).0, pretrain, name)
}

/// [`svg`] of any graph of `pretrain`.
pub fn svg_of(graph: &Graph, pretrain: &Pretrain, name: &str) -> String {
    let mut writer = SVGWriter::new();
    let (width, height) = lay_out(&Drawing::new(graph, pretrain), &mut writer);
    let picture = writer.finalize();
    let (start, rest) = picture
        .split_once("<svg ")
        .expect("layout-rs: a picture has an svg element");
    let (_, inside) = rest
        .split_once('>')
        .expect("layout-rs: the svg element is closed");
    let size = format!("width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\"");
    let title = format!("<title>{}</title>", entities(name));
    format!("{start}<svg {size} xmlns=\"http://www.w3.org/2000/svg\">\n{title}{inside}\n")
}

/// The training step of `pretrain` as boxes and lines with their places, for one who draws pixels.
pub fn picture(pretrain: &Pretrain) -> Picture {
    let drawing = Drawing::new(&build(pretrain).0, pretrain);
    let mut picture = Picture::default();
    picture.size = lay_out(&drawing, &mut picture);
    picture
}

/// Draws boxes and arrows and returns width and height of what there is.
fn lay_out(drawing: &Drawing, on: &mut dyn RenderBackend) -> (f64, f64) {
    let mut layout = VisualGraph::new(Orientation::TopToBottom);
    let mut handles = vec![];
    for (label, colour) in &drawing.boxes {
        let widest = label
            .iter()
            .map(|line| line.chars().count())
            .max()
            .unwrap_or(0);
        let size = Point::new(16.0 + 8.5 * widest as f64, 14.0 + 18.0 * label.len() as f64);
        // Arrows have 15 too: with two sizes the writer would list them in the order of a hash map.
        let look = StyleAttr::new(Color::fast("black"), 1, Some(fill(colour)), 4, 15);
        let shape = ShapeKind::new_box(&label.join("\n"));
        handles.push(layout.add_node(Element::create(shape, look, Orientation::TopToBottom, size)));
    }
    for (from, to, _) in &drawing.arrows {
        layout.add_edge(Arrow::simple(""), handles[*from], handles[*to]);
    }
    layout.do_it(false, false, false, on);
    // The writer leaves room for its text as if it ran downwards; the boxes' own extent is what there is.
    let (mut width, mut height) = (0.0f64, 0.0f64);
    for handle in layout.iter_nodes() {
        let (_, corner) = layout.element(handle).position().bbox(false);
        (width, height) = (width.max(corner.x), height.max(corner.y));
    }
    ((width + 10.0).ceil(), (height + 10.0).ceil())
}

/// Boxes with their labels and colours, and arrows between them, in topological order. An arrow is thick where a gradient flows
/// back along it.
struct Drawing {
    boxes: Vec<(Vec<String>, &'static str)>,
    arrows: Vec<(usize, usize, bool)>,
}

impl Drawing {
    fn new(graph: &Graph, pretrain: &Pretrain) -> Self {
        let names = graph.names();
        let order = graph.topological();
        let position: BTreeMap<Id, usize> =
            order.iter().enumerate().map(|(i, id)| (*id, i)).collect();
        let mut boxes = vec![];
        let mut arrows = vec![];
        for id in &order {
            boxes.push((
                label(graph, pretrain, &names[id], *id),
                colour(graph.node(*id)),
            ));
            for (edge, input) in graph.edges(*id) {
                arrows.push((position[&input], position[id], edge.gradient));
            }
        }
        Self { boxes, arrows }
    }
}

/// The name, and what the node does where the name does not say it.
fn label(graph: &Graph, pretrain: &Pretrain, name: &str, id: Id) -> Vec<String> {
    if matches!(graph.node(id), Node::Term { .. }) {
        return vec![name.to_owned()];
    }
    vec![name.to_owned(), describe(graph.node(id), pretrain).0]
}

/// Data, networks, targets and the objective have a colour each.
fn colour(node: &Node) -> &'static str {
    match node {
        Node::Source
        | Node::Sample
        | Node::Decode { .. }
        | Node::Slice { .. }
        | Node::Augment { .. }
        | Node::Convert { .. }
        | Node::Batch { .. } => "#e8eef7",
        Node::Encode { .. } | Node::Predict { .. } | Node::Part { .. } => "#dcefdc",
        Node::StopGradient | Node::L2 | Node::Scale { .. } | Node::Operator { .. } => "#f2f2f2",
        Node::Term { .. } | Node::Cosines { .. } | Node::Sum { .. } => "#f9ead2",
    }
}

/// `#e8eef7` as layout-rs takes it: red, green, blue and full opacity.
fn fill(colour: &str) -> Color {
    let rgb =
        u32::from_str_radix(&colour[1..], 16).expect("draw: colours are six hexadecimal digits");
    Color::new((rgb << 8) | 0xff)
}

/// For a double-quoted string of Graphviz.
fn quoted(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"")
}

/// For Mermaid and XML.
fn entities(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}
