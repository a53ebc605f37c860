//! The nodes that share a log, and what goes with one.

use super::command::Reply;
use super::event::Event;
use super::names::NodeId;
use super::tables::Machine;

impl Machine {
    pub(super) fn join_node(&mut self, node: NodeId) -> Reply {
        self.nodes.insert(node);
        Reply::Done
    }

    /// A node is gone, and the connections of its requests are.
    pub(super) fn part_node(&mut self, node: NodeId, out: &mut Vec<Event>) -> Reply {
        self.nodes.remove(&node);
        self.drop_requests(node, out);
        Reply::Done
    }
}
