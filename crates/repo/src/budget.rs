//! One budget of bytes for all buffers of an operation.
