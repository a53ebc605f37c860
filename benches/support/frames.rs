//! WebSocket frames, by hand.
