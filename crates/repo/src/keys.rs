//! Keys of an open repository: list, add, change the password, remove.
