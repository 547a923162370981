//! Chains made here, each with one thing wrong, and the refusal that names it.

mod authority;
mod limbo;
mod producers;
mod rules;
