//! Pretrainings that train side by side mean what they mean one by one.

use super::{Draws, assert_same, random};
use crate::graph::{Graph, Node};
use crate::hir::Pretrain;
use crate::interpret::{Meaning, World, interpret, interpret_joined};
use crate::passes::{Class, build};
use crate::plan::passes::joined;

/// Two to four pretrainings that differ in their loss alone.
fn members(draws: &mut Draws) -> Vec<Pretrain> {
    let base = random(draws).0;
    let mut members = vec![base.clone()];
    let count = 2 + draws.below(3) as usize;
    while members.len() < count {
        let other = random(draws).0;
        if other.views <= base.views {
            members.push(Pretrain {
                loss: other.loss,
                ..base.clone()
            });
        }
    }
    members
}

/// What each member of the joined step means.
fn together(
    members: &[&Pretrain],
    world: &World,
    change: impl Fn(&Graph) -> Graph,
) -> Vec<Meaning> {
    let (graph, whole) = joined(members);
    interpret_joined(&change(&graph), &whole, world, None)
}

fn count(graph: &Graph, wanted: fn(&Node) -> bool) -> usize {
    graph.ids().filter(|id| wanted(graph.node(*id))).count()
}

#[test]
fn values_gradients_and_state_are_those_of_single_steps() {
    let mut draws = Draws(23);
    let mut saved = 0;
    for round in 0..80 {
        let members = members(&mut draws);
        let members: Vec<&Pretrain> = members.iter().collect();
        let world = World {
            batch: 4,
            seed: round,
        };
        let side_by_side = together(&members, &world, Graph::clone);
        assert_eq!(side_by_side.len(), members.len());
        let is_decode = |node: &Node| matches!(node, Node::Decode { .. });
        let mut decodes = 0;
        for (member, joined) in members.iter().zip(&side_by_side) {
            let (graph, _) = build(member);
            decodes += count(&graph, is_decode);
            let single = interpret(&graph, member, &world, None);
            let what = format!("round {round}: {:?}", member.loss);
            assert_same(&what, Class::Exact, &single, joined);
            assert_eq!(single.state, joined.state, "{what}");
        }
        saved += decodes - count(&joined(&members).0, is_decode);
    }
    assert!(saved > 80, "{saved} decodes are saved");
}

/// The joined step is interpreted, not taken for right: a member that reads the other view's draws is seen.
#[test]
fn a_member_that_reads_another_view_is_seen() {
    let mut draws = Draws(5);
    let exchange = |graph: &Graph| {
        graph.rewritten(|new, node, inputs| {
            let mut node = node.clone();
            if let Node::Augment { view, .. } = &mut node {
                *view += 1;
            }
            new.add(node, inputs)
        })
    };
    let members = members(&mut draws);
    let members: Vec<&Pretrain> = members.iter().collect();
    let world = World { batch: 4, seed: 1 };
    let right = together(&members, &world, Graph::clone);
    let wrong = together(&members, &world, exchange);
    for (right, wrong) in right.iter().zip(&wrong) {
        assert_ne!(right.objective, wrong.objective);
    }
}
