//! What outlives a process: journal, request window, domain cache.
