//! Who may come in, and what each may do: every rule that needs neither files nor a clock, and the
//! program with an access file. Keys are made here, so nothing here is worth stealing.

mod bad_jwts;
mod bad_shapes;
mod canaries;
mod entrance;
mod files;
mod fuzz;
mod good_jwts;
mod narrowing;
mod one_line;
mod program;
mod reload;
pub(crate) mod served;
mod signing;
mod under_load;
mod world;
