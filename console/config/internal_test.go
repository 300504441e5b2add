package config

// Tree is tree, for tests.
var Tree = tree
