"""The commands of `justai`, one noun a module. What they need is imported when they run, so that --help is quick."""
