"""From a graph to native code: simplify, fuse into loops, plan memory, print, load, call."""
