//! Load and save one sealed repository file that is no pack (format: "Unpacked files").
