//! What the driver promises over a journal: nothing is said before it is kept, whatever fails, and
//! a restart finds it. The journal is in memory, its keeper does one round when it is told to, and
//! time is virtual; in `kill` it is the program itself.

mod backups;
mod faults;
mod gone;
mod histories;
mod kill;
mod killed;
mod mission;
mod order;
mod program;
mod restarts;
mod retry;
mod script;
mod support;
mod worker;
