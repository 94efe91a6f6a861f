"""The engines that ours are compared with, a module for each library."""
